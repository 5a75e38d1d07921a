-- Move jobs from a set or a queue to a set: kill, reschedule. A job that is no longer there is left alone.
--
-- KEYS  1 where they are (zset or list), 2 the zset they go to
-- ARGV  1 "list" or "zset": what the first key is, 2 jobs kept (0 = no limit), 3 seconds kept,
--       then three a job: payload, score ("" = the server's time now), payload to write
-- Returns one character per job: 1 moved, 0 gone.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local answer = {}
redis.call('ZCARD', KEYS[2]) -- raises when it holds another type, before anything is taken away
for i = 4, #ARGV, 3 do
  local mine
  if ARGV[1] == 'list' then
    mine = redis.call('LREM', KEYS[1], -1, ARGV[i])
  else
    mine = redis.call('ZREM', KEYS[1], ARGV[i])
  end
  if mine == 1 then
    local score = ARGV[i + 1]
    if score == '' then
      score = string.format('%.6f', now)
    end
    redis.call('ZADD', KEYS[2], score, ARGV[i + 2])
  end
  answer[#answer + 1] = mine
end
if ARGV[2] ~= '0' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.6f', now - tonumber(ARGV[3])))
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -tonumber(ARGV[2]) - 1)
end
return table.concat(answer)
