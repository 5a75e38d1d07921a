-- Owners whose lease has ended, reaped ones included: a blocked fetch may still have fed their list. And those whose
-- lease ends later than any lease can: the clock was set back since.
--
-- KEYS  1 owners zset
-- ARGV  1 seconds after which a reaped owner with nothing left is forgotten, 2 seconds that no lease lasts
-- Returns owner and flag in turn; the flag is "1" when it was not reaped yet, or can be forgotten, "0" when it was
-- reaped, and for a lease that ends too late its end.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now), 'WITHSCORES')
for i = 2, #found, 2 do
  local lease = tonumber(found[i])
  found[i] = (lease >= 0 or now + lease > tonumber(ARGV[1])) and '1' or '0'
end
local adrift = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%.6f', now + tonumber(ARGV[2])), '+inf', 'WITHSCORES')
for i = 1, #adrift do
  found[#found + 1] = adrift[i]
end
return found
