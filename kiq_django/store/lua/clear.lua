-- Delete a queue and all jobs that wait in it.
--
-- KEYS  1 its list, 2 set of queue names
-- ARGV  its bare name
-- Returns how many jobs there were.
local size = redis.call('LLEN', KEYS[1])
redis.call('UNLINK', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
return size
