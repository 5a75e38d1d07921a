-- A process leaves: it and what it ran are off the list. A beat of its own that comes later is not heard any more.
--
-- KEYS  1 processes set, 2 process hash, 3 and 4 busy hashes (new and old name)
-- ARGV  1 identity, 2 seconds for which it is known that it has left
-- Returns 1.
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('HSET', KEYS[2], 'left', '1')
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
