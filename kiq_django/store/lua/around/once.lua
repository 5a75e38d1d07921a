-- Push a job unless it was pushed under this id before. The push is another script: `scripts.load` puts it before this
-- one, as the function `move(KEYS, ARGV)`. It comes first: a server that refuses it has not noted it either.
--
-- KEYS  1 string of the delivery, then those of the push
-- ARGV  1 seconds to remember it, then those of the push
-- Returns 1, or 0 when it was pushed before.
-- Both ways something is written, so that a WAIT behind it speaks of now.
if redis.call('EXPIRE', KEYS[1], ARGV[1]) == 1 then
  return 0
end
local keys, args = {}, {}
for i = 2, #KEYS do
  keys[i - 1] = KEYS[i]
end
for i = 2, #ARGV do
  args[i - 1] = ARGV[i]
end
move(keys, args)
redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
return 1
