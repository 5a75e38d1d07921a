-- An owner leaves in good order. What it could not put back is left for the reaper, at once.
--
-- KEYS  two a queue: owners zset, working list of the owner
-- ARGV  1 owner
-- Returns how many payloads it left behind.
local left = 0
for i = 1, #KEYS, 2 do
  local n = redis.call('LLEN', KEYS[i + 1])
  left = left + n
  if n == 0 then
    redis.call('ZREM', KEYS[i], ARGV[1])
  else
    redis.call('ZADD', KEYS[i], 0, ARGV[1])
  end
end
return left
