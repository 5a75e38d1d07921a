-- Move waiting jobs onto this owner's working lists, queue by queue in the order given.
--
-- KEYS  four a queue: list of the queue, working list of the owner, owners zset, set of paused names
-- ARGV  1 owner, 2 how many jobs there is room for, 3 "1": look into all, otherwise no further than there is room; then
--       one bare queue name per queue
-- Returns two values a queue that was looked into: 0 (open), 1 (paused) or 2 (the owner is not registered or was reaped: it must take
-- nothing); and the payloads taken, the next to run first, as one text in msgpack: to read them one by one from the
-- line costs a worker five times as much.
local owner = ARGV[1]
local room = tonumber(ARGV[2])
local answer = {}
for i = 1, #ARGV - 3 do
  local queue, working = KEYS[4 * i - 3], KEYS[4 * i - 2]
  local lease = tonumber(redis.call('ZSCORE', KEYS[4 * i - 1], owner) or '-1')
  local state, taken = 0, {}
  if lease < 0 then
    state = 2
  elseif redis.call('SISMEMBER', KEYS[4 * i], ARGV[i + 3]) == 1 then
    state = 1
  elseif room > 0 then
    local jobs = redis.call('LRANGE', queue, -room, -1)
    local n = #jobs
    if n > 0 then
      redis.call('LTRIM', queue, 0, -n - 1)
      for j = n, 1, -1 do
        taken[n - j + 1] = jobs[j]
      end
      redis.call('LPUSH', working, unpack(taken))
      room = room - n
    end
  end
  answer[i] = {state, taken[1] and cmsgpack.pack(taken) or ''}
  if taken[1] and room == 0 and ARGV[3] ~= '1' then
    break
  end
end
return answer
