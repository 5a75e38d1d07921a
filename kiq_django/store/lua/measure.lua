-- Tell the time, and how many jobs there are at that moment.
--
-- KEYS  1 list of a queue, or zset
-- ARGV  nothing for a list; of a zset the lowest and the highest score
-- Returns seconds, microseconds and the number of jobs.
local now = redis.call('TIME')
local size
if #ARGV == 0 then
  size = redis.call('LLEN', KEYS[1])
else
  size = redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[2])
end
return {now[1], now[2], size}
