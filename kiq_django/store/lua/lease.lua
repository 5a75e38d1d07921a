-- Register an owner for queues, or renew what it registered.
--
-- KEYS  owners zsets, one a queue
-- ARGV  1 owner, 2 seconds of lease, 3 "register" or "renew"
-- Returns 1, or 0 when a renewal found that the owner is unknown or was reaped: it must take a new name.
local t = redis.call('TIME')
local till = string.format('%.6f', t[1] + t[2] / 1000000 + tonumber(ARGV[2]))
local held = 1
for i = 1, #KEYS do
  local lease = tonumber(redis.call('ZSCORE', KEYS[i], ARGV[1]) or '-1')
  if ARGV[3] == 'register' or lease >= 0 then
    redis.call('ZADD', KEYS[i], till, ARGV[1])
  else
    held = 0
  end
end
return held
