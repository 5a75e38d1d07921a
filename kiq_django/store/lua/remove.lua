-- Delete jobs of a set.
--
-- KEYS  1 the zset
-- ARGV  the payloads
-- Returns one character per job: 1 deleted, 0 gone.
local answer = {}
for i = 1, #ARGV do
  answer[i] = redis.call('ZREM', KEYS[1], ARGV[i])
end
return table.concat(answer)
