-- Become the runner of an operation, unless it has ended or another runner is at it.
--
-- KEYS  1 hash of the operation, 2 set of the open operations
-- ARGV  1 id, 2 runner, 3 seconds until others may take it over
-- Returns all fields of the hash, or false.
local found = redis.call('HMGET', KEYS[1], 'state', 'runner', 'lease')
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
if found[1] ~= 'waiting' and found[1] ~= 'running' then
  redis.call('SREM', KEYS[2], ARGV[1])
  return false
end
if found[2] ~= ARGV[2] and tonumber(found[3] or 0) > now then
  return false
end
local stamp, till = string.format('%.6f', now), string.format('%.6f', now + tonumber(ARGV[3]))
redis.call('HSETNX', KEYS[1], 'begun_at', stamp)
redis.call('HSET', KEYS[1], 'state', 'running', 'runner', ARGV[2], 'lease', till, 'heartbeat', stamp)
return redis.call('HGETALL', KEYS[1])
