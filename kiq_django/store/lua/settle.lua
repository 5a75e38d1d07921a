-- Take finished jobs off a working list and write, in the same step, what becomes of each; nothing for a payload that
-- a reaper has taken back meanwhile. It raises before it takes a job away that cannot go to a key of another type.
--
-- KEYS  1 working list, 2 list of the queue, 3 retry zset, 4 dead zset, 5 schedule zset, then records of jobs
-- ARGV  1 jobs kept in the dead set, 2 seconds kept, 3 number n of plain acknowledgements, n payloads,
--       then four per other job: verb (retry | bury | schedule | requeue | end), payload as reserved, seconds of
--       delay, payload to write; and behind it, for its record: "record", number of the key, seconds to keep it
--       at least, at most, failed runs before, the failed run ("" = none), its trace's name, trace, number m, m texts
-- Returns one character per job in the order given: 1 settled, 0 stolen.
local t, answer, buried, i = redis.call('TIME'), {}, false, 4 + tonumber(ARGV[3])
local now, zset = t[1] + t[2] / 1000000, {retry = 3, bury = 4, schedule = 5}
for j = 4, i - 1 do
  answer[j - 3] = redis.call('LREM', KEYS[1], -1, ARGV[j])
end
while i <= #ARGV do
  local verb, score = ARGV[i], string.format('%.6f', now + tonumber(ARGV[i + 2]))
  local _ = zset[verb] and redis.call('ZCARD', KEYS[zset[verb]]) or verb == 'requeue' and redis.call('LLEN', KEYS[2])
  local mine = redis.call('LREM', KEYS[1], -1, ARGV[i + 1])
  answer[#answer + 1] = mine
  if mine == 1 and zset[verb] then
    redis.call('ZADD', KEYS[zset[verb]], score, ARGV[i + 3])
    buried = buried or verb == 'bury'
  elseif mine == 1 and verb == 'requeue' then
    redis.call('RPUSH', KEYS[2], ARGV[i + 3])
  end
  i = i + 4
  if ARGV[i] == 'record' then
    local key, last, most = KEYS[tonumber(ARGV[i + 1])], i + 8 + tonumber(ARGV[i + 8]), tonumber(ARGV[i + 3])
    if mine == 1 then
      redis.call('HSET', key, 'score', score, 'at', string.format('%.6f', now), unpack(ARGV, i + 9, last))
      if ARGV[i + 5] ~= '' then
        redis.call('HSETNX', key, 'failures', ARGV[i + 4])
        local run = redis.call('HINCRBY', key, 'failures', 1)
        redis.call('HSET', key, 'run:' .. run, ARGV[i + 5])
        if run > 26 then redis.call('HDEL', key, 'run:' .. (run - 25)) end
        if redis.call('HLEN', key) < 60 then redis.call('HSETNX', key, 'trace:' .. ARGV[i + 6], ARGV[i + 7]) end
      end
      local full = verb == 'bury' and redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[1])
      local oldest = full and tonumber(redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2]) or 0
      most = math.min(most, now - oldest)
      redis.call('EXPIRE', key, math.ceil(math.max(most, tonumber(ARGV[i + 2]))))
    end
    i = last + 1
  end
end
if buried then
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%.6f', now - tonumber(ARGV[2])))
  redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -tonumber(ARGV[1]) - 1)
end
return table.concat(answer)
