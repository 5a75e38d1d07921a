-- Put one job in: to its queue, or into the schedule.
--
-- KEYS  1 set of queue names, 2 list of the queue, 3 schedule zset
-- ARGV  1 bare queue name, 2 payload, 3 when it is to run ("" = now)
-- Returns 1.
if ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
else
  redis.call('SADD', KEYS[1], ARGV[1])
  redis.call('LPUSH', KEYS[2], ARGV[2])
end
return 1
