-- Move waiting jobs onto this owner's working lists, queue by queue in the order given.
--
-- KEYS  four a queue: list of the queue, working list of the owner, owners zset, set of paused names
-- ARGV  1 owner, 2 how many jobs there is room for, then one bare queue name per queue
-- Returns one array a queue: first 0 (open), 1 (paused) or 2 (the owner is not registered or was
-- reaped: it must take nothing), then the payloads taken, the next to run first.
local owner = ARGV[1]
local room = tonumber(ARGV[2])
local answer = {}
for i = 1, #ARGV - 2 do
  local queue, working = KEYS[4 * i - 3], KEYS[4 * i - 2]
  local lease = tonumber(redis.call('ZSCORE', KEYS[4 * i - 1], owner) or '-1')
  local taken = {0}
  if lease < 0 then
    taken[1] = 2
  elseif redis.call('SISMEMBER', KEYS[4 * i], ARGV[i + 2]) == 1 then
    taken[1] = 1
  elseif room > 0 then
    local jobs = redis.call('LRANGE', queue, -room, -1)
    local n = #jobs
    if n > 0 then
      redis.call('LTRIM', queue, 0, -n - 1)
      for j = n, 1, -1 do
        taken[n - j + 2] = jobs[j]
      end
      redis.call('LPUSH', working, unpack(taken, 2))
      room = room - n
    end
  end
  answer[i] = taken
end
return answer
