-- Look through a window of a list or a sorted set, in order, for payloads that contain texts.
--
-- KEYS  1 the list or zset
-- ARGV  1 "list" or "zset", 2 way through the indexes: 1 or -1, 3 and 4 borders of the scores of a zset, the first
--       one as "(1.5": up to there, all are below, 5 index to begin with, negative from the end on ("" = where the
--       scope begins), 6 a text inside of the member there, which is looked for nearby as well, 7 "there" when it
--       must be found, 8 members to look at, 9 bytes, 10 hits, then two per spelling of a text: "1" for its first,
--       "0" for its others; the spelling
-- Returns -1 when what must be found is not there, else number of members, first and last index of the scope, index
-- where it began, then index, payload and score of each hit, and of the member to go on with.
local list, way, find = ARGV[1] == 'list', tonumber(ARGV[2]), string.find
local total = list and redis.call('LLEN', KEYS[1]) or redis.call('ZCARD', KEYS[1])
local low = list and 0 or redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[3])
local high = (list and total or redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[4])) - 1
local left, bytes, hits = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local function members(i, n)
  return list and redis.call('LRANGE', KEYS[1], i, i + n - 1) or redis.call('ZRANGE', KEYS[1], i, i + n - 1)
end
local function member(i, raw) return {i, raw, list and '' or redis.call('ZSCORE', KEYS[1], raw) or ''} end
local function matches(raw)
  local found = true
  for i = 11, #ARGV, 2 do
    if not found and ARGV[i] == '1' then return false end
    found = ARGV[i] == '0' and found or find(raw, ARGV[i + 1], 1, true)
  end
  return found
end
local at, chunk = way > 0 and low or high, 8
if ARGV[5] ~= '' then
  local guess = math.max(0, tonumber(ARGV[5]) + (tonumber(ARGV[5]) < 0 and total or 0))
  local from, found = math.max(0, guess - 100), find(members(guess, 1)[1] or '', ARGV[6], 1, true) and guess
  for i, raw in ipairs(found and {} or members(from, 200)) do
    found = found or find(raw, ARGV[6], 1, true) and from + i - 1
  end
  if not found and ARGV[7] == 'there' then return -1 end
  at = way > 0 and math.max(found or guess, low) or math.min(found or guess, high)
end
local answer = {total, low, high, at}
while math.min(left, bytes, hits) > 0 and at >= low and at <= high do
  local n, before = math.min(chunk, left, way > 0 and high - at + 1 or at - low + 1), bytes
  local found = members(way > 0 and at or at - n + 1, n)
  for j = way > 0 and 1 or n, way > 0 and n or 1, way do
    at, left, bytes = at + way, left - 1, bytes - #found[j]
    if matches(found[j]) then answer[#answer + 1], hits = member(at - way, found[j]), hits - 1 end
    if hits == 0 then break end
  end
  chunk = math.max(1, math.min(8 * chunk, 250, math.floor(bytes * n / (before - bytes + 1))))
end
answer[#answer + 1] = member(at, at >= low and at <= high and members(at, 1)[1] or '')
return answer
