-- Move jobs from a set to their queues. A job that is no longer in the set is somebody else's: it stays out. One whose
-- queue has a key that is no list stays where it is.
--
-- KEYS  1 the zset, 2 set of queue names, then the lists of the queues
-- ARGV  four a job: payload in the set, number of its queue among the lists, payload to push, bare queue name
-- Returns one character per job: 1 moved, 0 not.
local answer, usable = {}, {}
for i = 3, #KEYS do
  local kind = redis.call('TYPE', KEYS[i]).ok
  usable[i] = kind == 'list' or kind == 'none'
end
for i = 1, #ARGV, 4 do
  local list = 2 + tonumber(ARGV[i + 1])
  local mine = usable[list] and redis.call('ZREM', KEYS[1], ARGV[i]) or 0
  if mine == 1 then
    redis.call('SADD', KEYS[2], ARGV[i + 3])
    redis.call('LPUSH', KEYS[list], ARGV[i + 2])
  end
  answer[#answer + 1] = mine
end
return table.concat(answer)
