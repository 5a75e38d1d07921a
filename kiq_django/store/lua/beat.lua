-- One heartbeat: the process is alive, this is what it does; take one signal that was left for it. It may have been
-- under way while the process left: then nothing is written.
--
-- KEYS  1 processes set, 2 process hash, 3 and 4 busy hashes (new and old name), 5 signals list
-- ARGV  1 identity, 2 seconds until the hashes expire, 3 number n of the fields that follow,
--       n field/value texts of the process hash, then thread/JSON pairs of the busy jobs
-- Returns the signal, or false.
if redis.call('HEXISTS', KEYS[2], 'left') == 1 then
  return false
end
local n = tonumber(ARGV[3])
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], unpack(ARGV, 4, n + 3))
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('DEL', KEYS[3], KEYS[4])
for i = n + 4, #ARGV, 2 do
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1])
end
if #ARGV > n + 3 then
  redis.call('EXPIRE', KEYS[3], ARGV[2])
  redis.call('EXPIRE', KEYS[4], ARGV[2])
end
return redis.call('RPOP', KEYS[5])
