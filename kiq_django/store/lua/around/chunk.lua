-- One chunk of an operation: a move, what came of it, and how far the operation is, all or nothing. The move is
-- another script: `scripts.load` puts it before this one, as the function `move(KEYS, ARGV)`.
--
-- KEYS  1 hash of the operation, 2 set of the open operations, then those of the move
-- ARGV  1 id, 2 runner, 3 seconds until others may take it over, 4 jobs looked at, 5 jobs skipped, 6 where to go on,
--       7 jobs to read at once, 8 state in which it ends, or "", 9 why, 10 seconds to keep it then,
--       then those of the move
-- Returns what the move returns; false when this is not the runner, or the operation has ended: nothing was done.
local found = redis.call('HMGET', KEYS[1], 'state', 'runner')
if found[1] ~= 'running' or found[2] ~= ARGV[2] then
  return false
end
local keys, args = {}, {}
for i = 3, #KEYS do
  keys[i - 2] = KEYS[i]
end
for i = 11, #ARGV do
  args[i - 10] = ARGV[i]
end
local answer = move(keys, args)
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local stamp = string.format('%.6f', now)
local _, done = string.gsub(answer, '1', '')
redis.call('HINCRBY', KEYS[1], 'done', done)
redis.call('HINCRBY', KEYS[1], 'gone', #answer - done)
redis.call('HINCRBY', KEYS[1], 'looked_at', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'skipped', ARGV[5])
redis.call('HSET', KEYS[1], 'cursor', ARGV[6], 'stride', ARGV[7], 'heartbeat', stamp)
redis.call('HSET', KEYS[1], 'lease', string.format('%.6f', now + tonumber(ARGV[3])))
if ARGV[8] ~= '' then
  redis.call('HSET', KEYS[1], 'state', ARGV[8], 'error', ARGV[9], 'finished_at', stamp)
  redis.call('EXPIRE', KEYS[1], ARGV[10])
  redis.call('SREM', KEYS[2], ARGV[1])
end
return answer
