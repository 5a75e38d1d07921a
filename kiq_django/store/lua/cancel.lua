-- End an operation before its time. Its runner finds that with its next chunk, of which nothing is done.
--
-- KEYS  1 hash of the operation, 2 set of the open operations
-- ARGV  1 id, 2 who, 3 seconds to keep it
-- Returns 1, or 0 when it has ended already or there is none.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'waiting' and state ~= 'running' then
  return 0
end
local t = redis.call('TIME')
local now = string.format('%.6f', t[1] + t[2] / 1000000)
redis.call('HSET', KEYS[1], 'state', 'cancelled', 'cancelled_by', ARGV[2], 'finished_at', now)
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('SREM', KEYS[2], ARGV[1])
return 1
