-- Delete a queue and all jobs that wait in it, its suspects too.
--
-- KEYS  1 its list, 2 set of queue names, 3 list of its suspects
-- ARGV  its bare name
-- Returns how many jobs there were.
local size = redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[3])
redis.call('UNLINK', KEYS[1], KEYS[3])
redis.call('SREM', KEYS[2], ARGV[1])
return size
