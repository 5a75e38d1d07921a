-- Owners whose lease has ended, reaped ones included: a blocked fetch may still have fed their list.
--
-- KEYS  1 owners zset
-- ARGV  1 seconds after which a reaped owner with nothing left is forgotten
-- Returns owner and flag in turn; the flag is "1" when it was not reaped yet, or can be forgotten.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now), 'WITHSCORES')
for i = 2, #found, 2 do
  local lease = tonumber(found[i])
  found[i] = (lease >= 0 or now + lease > tonumber(ARGV[1])) and '1' or '0'
end
return found
