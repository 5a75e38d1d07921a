-- Put one task in: to its place by priority among what waits, or into the schedule; and begin its record.
--
-- KEYS  1 set of queue names, 2 list of the queue, 3 schedule zset, 4 record
-- ARGV  1 bare queue name, 2 payload, 3 priority, 4 when it is to run ("" = now), 5 seconds to keep the record,
--       6 how many jobs it may pass, from either end
-- Returns 1 when it came to its place, 0 when that was out of reach.
redis.call('HSET', KEYS[4], 'task', ARGV[2])
redis.call('EXPIRE', KEYS[4], ARGV[5])
if ARGV[4] ~= '' then
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2])
  return 1
end
redis.call('SADD', KEYS[1], ARGV[1])
local own, reach = tonumber(ARGV[3]), tonumber(ARGV[6])
local function is_lower(raw)
  return tonumber(string.match(raw, '"django_task":{"priority":(%-?%d+)') or '0') < own
end
-- How many lower ones are newest, or how many others come next; and whether that is where they end.
local function count(at_head)
  local n = 0
  while n < reach do
    local size = math.min(n == 0 and 1 or 50, reach - n)
    local first, last = n, n + size - 1
    if not at_head then first, last = -n - size, -n - 1 end
    local found = redis.call('LRANGE', KEYS[2], first, last)
    for i = 1, #found do
      if is_lower(found[at_head and i or #found + 1 - i]) ~= at_head then return n, true end
      n = n + 1
    end
    if #found < size then return n, true end
  end
  return n, false
end
local n, reached = count(true)
if reached then
  local passed = n > 0 and redis.call('LRANGE', KEYS[2], 0, n - 1) or {}
  redis.call('LTRIM', KEYS[2], n, -1)
  redis.call('LPUSH', KEYS[2], ARGV[2])
  for i = n, 1, -1 do redis.call('LPUSH', KEYS[2], passed[i]) end
  return 1
end
n, reached = count(false)
local ahead = n > 0 and redis.call('LRANGE', KEYS[2], -n, -1) or {}
redis.call('LTRIM', KEYS[2], 0, -n - 1)
redis.call('RPUSH', KEYS[2], ARGV[2])
for i = 1, n do redis.call('RPUSH', KEYS[2], ahead[i]) end
return reached and 1 or 0
