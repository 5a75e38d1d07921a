-- Take jobs that lie near each other out of a list, wherever in it, and put them elsewhere, in order. LREM would
-- walk from an end to each of them: here they are found by one look, overwritten, and thrown out by one walk.
--
-- KEYS  1 the list, 2 where they go, 3 set of queue names; the first alone deletes them
-- ARGV  1 number of jobs between the tail and where to look, 2 how many to look at, 3 "zset", "list" or "": what the
--       second key is, 4 jobs kept there (0 = no limit), 5 seconds kept, 6 bare name of the other queue,
--       7 bytes that are no job, then three a job: payload, score ("" = the server's time now), payload to write
-- Returns one character per job: 1 moved, 0 not where it was looked for.
local t = redis.call('TIME')
local now, size = t[1] + t[2] / 1000000, redis.call('LLEN', KEYS[1])
local last = size - tonumber(ARGV[1]) - 1
local first = math.max(0, last - tonumber(ARGV[2]) + 1)
local spots, taken, answer = {}, {}, {}
for i = 8, #ARGV, 3 do
  spots[ARGV[i]] = {}
end
for i, raw in ipairs(last < 0 and {} or redis.call('LRANGE', KEYS[1], first, last)) do
  if spots[raw] then
    table.insert(spots[raw], first + i - 1)
  end
end
for i = 8, #ARGV, 3 do
  local spot = table.remove(spots[ARGV[i]])
  if spot and ARGV[3] == 'zset' then
    redis.call('ZADD', KEYS[2], ARGV[i + 1] ~= '' and ARGV[i + 1] or string.format('%.6f', now), ARGV[i + 2])
  elseif spot and ARGV[3] == 'list' then
    redis.call('SADD', KEYS[3], ARGV[6])
    redis.call('LPUSH', KEYS[2], ARGV[i + 2])
  end
  taken[#taken + 1] = spot
  answer[#answer + 1] = spot and 1 or 0
end
for _, spot in ipairs(taken) do
  redis.call('LSET', KEYS[1], spot, ARGV[7])
end
if #taken > 0 then
  redis.call('LREM', KEYS[1], first < size - last and #taken or -#taken, ARGV[7])
end
if ARGV[4] ~= '0' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.6f', now - tonumber(ARGV[5])))
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -tonumber(ARGV[4]) - 1)
end
return table.concat(answer)
