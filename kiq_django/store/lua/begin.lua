-- Write down an operation, once.
--
-- KEYS  1 hash of the operation, 2 zset of operations, 3 set of open ones
-- ARGV  1 its id, 2 time of its start, then fields and values
-- Returns 1, or 0 when an operation of this id is known already.
if redis.call('HGET', KEYS[1], 'state') then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
return 1
