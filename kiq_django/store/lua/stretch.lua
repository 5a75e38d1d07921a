-- The members of a set that follow a place in it. A place is a score and, among equal ones, the bytes of a member,
-- whether that is still there or not: so it stays the same place while others come and go.
--
-- KEYS  1 the zset
-- ARGV  1 how many at most, 2 score of the place, or the lowest one, as what is to be excluded ("(7"), 3 the same
--       score, or "" to begin there, 4 member of the place
-- Returns members and scores in turn.
local function follows(a, b)
  -- byte by byte, as the set is sorted: comparing texts goes by the language of the server
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x > y
    end
  end
  return #a > #b
end
local from = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[2])
if ARGV[3] ~= '' then
  local till = from + redis.call('ZCOUNT', KEYS[1], ARGV[3], ARGV[3])
  while from < till do
    local middle = math.floor((from + till) / 2)
    if follows(redis.call('ZRANGE', KEYS[1], middle, middle)[1], ARGV[4]) then
      till = middle
    else
      from = middle + 1
    end
  end
end
return redis.call('ZRANGE', KEYS[1], from, from + tonumber(ARGV[1]) - 1, 'WITHSCORES')
