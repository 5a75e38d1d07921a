-- Move jobs from a set to their queues. A job that is no longer in the set is somebody else's: it stays out.
--
-- KEYS  1 the zset, 2 set of queue names, then the lists of the queues
-- ARGV  four a job: payload in the set, number of its queue among the lists, payload to push, bare queue name
-- Returns one character per job: 1 moved, 0 gone.
local answer = {}
for i = 1, #ARGV, 4 do
  local mine = redis.call('ZREM', KEYS[1], ARGV[i])
  if mine == 1 then
    redis.call('SADD', KEYS[2], ARGV[i + 3])
    redis.call('LPUSH', KEYS[2 + tonumber(ARGV[i + 1])], ARGV[i + 2])
  end
  answer[#answer + 1] = mine
end
return table.concat(answer)
