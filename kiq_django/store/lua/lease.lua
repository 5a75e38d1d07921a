-- Register an owner for queues, or renew what it registered.
--
-- KEYS  1 set of queues that have owners, then the owners zsets, one a queue
-- ARGV  1 owner, 2 seconds of lease, 3 "register" or "renew", then one bare queue name per zset
-- Returns 1, or 0 when a renewal found that the owner is unknown or was reaped: it must take a new name.
local t = redis.call('TIME')
local till = string.format('%.6f', t[1] + t[2] / 1000000 + tonumber(ARGV[2]))
local held = 1
for i = 2, #KEYS do
  local lease = tonumber(redis.call('ZSCORE', KEYS[i], ARGV[1]) or '-1')
  if ARGV[3] == 'register' or lease >= 0 then
    redis.call('SADD', KEYS[1], ARGV[i + 2])
    redis.call('ZADD', KEYS[i], till, ARGV[1])
  else
    held = 0
  end
end
return held
