-- Take jobs back from an owner whose lease has ended: to the front of their queue, or, when that
-- happened too often within the window, to the dead set: such a job probably kills its process.
--
-- KEYS  1 owners zset, 2 working list of the owner, 3 list of the queue, 4 dead zset,
--       then one recovery counter per payload
-- ARGV  1 owner, 2 "force" when its process is known to be gone, else "", 3 recoveries that kill,
--       4 seconds of the window, 5 jobs kept in the dead set, 6 seconds kept,
--       7 seconds after which a reaped owner with nothing left is forgotten,
--       then three per payload, the newest first: payload, "bury" or "drop", payload for the dead set
-- Returns -1 when the lease is in force, else one character per payload: 1 put back, 2 buried,
-- 3 dropped, 0 no longer there.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local lease = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
if lease > now and ARGV[2] ~= 'force' then
  return -1
end
if lease >= 0 then
  redis.call('ZADD', KEYS[1], string.format('%.6f', -now), ARGV[1])
end
local _ = #ARGV > 7 and redis.call('LLEN', KEYS[3]) -- raises for another type, before anything is taken away
local answer = {}
for i = 8, #ARGV, 3 do
  local raw, counter = ARGV[i], KEYS[4 + (i - 5) / 3]
  local fate, kills = 0, tonumber(redis.call('GET', counter) or '0') + 1 >= tonumber(ARGV[3])
  local _ = kills and redis.call('ZCARD', KEYS[4]) -- raises for another type, as above
  if redis.call('LREM', KEYS[2], 1, raw) == 1 then
    if not kills then
      redis.call('INCR', counter)
      redis.call('EXPIRE', counter, ARGV[4])
      redis.call('RPUSH', KEYS[3], raw)
      fate = 1
    else
      redis.call('DEL', counter)
      fate = 3
      if ARGV[i + 1] == 'bury' then
        redis.call('ZADD', KEYS[4], string.format('%.6f', now), ARGV[i + 2])
        redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%.6f', now - tonumber(ARGV[6])))
        redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -tonumber(ARGV[5]) - 1)
        fate = 2
      end
    end
  end
  answer[#answer + 1] = fate
end
if lease < 0 and now + lease > tonumber(ARGV[7]) and redis.call('LLEN', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return table.concat(answer)
