-- An owner leaves in good order. It counts as reaped from now on: it cannot renew, whatever it left
-- behind is taken back at once, and so is what a fetch that was still pending may bring later.
--
-- KEYS  two a queue: owners zset, working list of the owner
-- ARGV  1 owner
-- Returns how many payloads it left behind.
local t = redis.call('TIME')
local reaped = string.format('%.6f', -(t[1] + t[2] / 1000000))
local left = 0
for i = 1, #KEYS, 2 do
  left = left + redis.call('LLEN', KEYS[i + 1])
  redis.call('ZADD', KEYS[i], reaped, ARGV[1])
end
return left
