-- Take finished jobs off a working list and write, in the same step, what becomes of each.
-- A payload that is no longer on the list was taken back by a reaper: nothing is written for it.
--
-- KEYS  1 working list, 2 list of the queue, 3 retry zset, 4 dead zset, 5 schedule zset
-- ARGV  1 jobs kept in the dead set, 2 seconds kept, 3 number n of plain acknowledgements,
--       n payloads, then three per other job:
--       verb (retry | bury | schedule | requeue), payload as reserved, seconds of delay, payload to write
-- Returns one character per job in the order given: 1 settled, 0 stolen.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local n = tonumber(ARGV[3])
local answer = {}
for i = 4, n + 3 do
  answer[#answer + 1] = redis.call('LREM', KEYS[1], -1, ARGV[i])
end
local buried = false
for i = n + 4, #ARGV, 4 do
  local verb, raw, delay, new = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  local mine = redis.call('LREM', KEYS[1], -1, raw)
  if mine == 1 then
    local score = string.format('%.6f', now + delay)
    if verb == 'retry' then
      redis.call('ZADD', KEYS[3], score, new)
    elseif verb == 'bury' then
      redis.call('ZADD', KEYS[4], score, new)
      buried = true
    elseif verb == 'schedule' then
      redis.call('ZADD', KEYS[5], score, new)
    else
      redis.call('RPUSH', KEYS[2], new)
    end
  end
  answer[#answer + 1] = mine
end
if buried then
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%.6f', now - tonumber(ARGV[2])))
  redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -tonumber(ARGV[1]) - 1)
end
return table.concat(answer)
