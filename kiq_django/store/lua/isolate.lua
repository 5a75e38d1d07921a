-- Set apart, of the jobs of an owner whose lease has ended, those to which that happens once more than before: they wait
-- on a list of their own, of which one at a time is let out (`let_out`). All others are for `reclaim`.
--
-- KEYS  1 owners zset, 2 working list of the owner, 3 list of the queue's suspects, then one recovery counter per payload
-- ARGV  1 owner, 2 "force" when its process is known to be gone, else "", 3 recoveries that make a suspect,
--       4 seconds of the window, then the payloads, the newest first
-- Returns one character per payload: 1 set apart, 0 not; an empty text when the lease is in force.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local lease = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
if lease > now and ARGV[2] ~= 'force' then
  return ''
end
if lease >= 0 then
  redis.call('ZADD', KEYS[1], string.format('%.6f', -now), ARGV[1])
end
redis.call('LLEN', KEYS[3]) -- raises when it holds another type, before anything is taken away
local answer = {}
for i = 5, #ARGV do
  local counter = KEYS[i - 1]
  local times = tonumber(redis.call('GET', counter) or '0') + 1
  answer[i - 4] = 0
  if times == tonumber(ARGV[3]) and redis.call('LREM', KEYS[2], 1, ARGV[i]) == 1 then
    redis.call('INCR', counter)
    redis.call('EXPIRE', counter, ARGV[4])
    redis.call('RPUSH', KEYS[3], ARGV[i])
    answer[i - 4] = 1
  end
end
return table.concat(answer)
