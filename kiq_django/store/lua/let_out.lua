-- Let one suspect out, to the front of its queue, unless another one is out, or the queue is paused. One is out as long
-- as it lies on its queue or on a working list there. Whoever came to serve that queue since the caller looked may have
-- it: then this look tells nothing.
--
-- KEYS  1 hash of the one that is out, 2 list of suspects, 3 list of the queue, 4 set of paused names, 5 owners zset of
--       the queue of the one that is out, then the lists where that may be: its queue, and the working lists of its owners
-- ARGV  1 bare queue name ("" = only tell whether one is out), 2 seconds for which the others wait for it at most,
--       3 payload of the one that is out as far as the caller knows ("" = none), 4 how far from its end a list is
--       searched, then the owners that the caller knows
-- Returns 1 when one was let out, 0 when another one is out or may be, 2 when none is out and none was let out.
local is_there = redis.call('HGET', KEYS[1], 'raw') ~= ARGV[3]
local known = {}
for i = 5, #ARGV do
  known[ARGV[i]] = true
end
for _, owner in ipairs(ARGV[3] ~= '' and redis.call('ZRANGE', KEYS[5], 0, -1) or {}) do
  is_there = is_there or not known[owner]
end
for i = 6, #KEYS do
  is_there = is_there or redis.call('LPOS', KEYS[i], ARGV[3], 'RANK', -1, 'MAXLEN', ARGV[4])
end
if not is_there then
  redis.call('DEL', KEYS[1])
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
if ARGV[1] == '' or redis.call('SISMEMBER', KEYS[4], ARGV[1]) == 1 then
  return 2
end
local found = redis.call('LRANGE', KEYS[2], -1, -1)
if #found == 0 then
  return 2
end
redis.call('LLEN', KEYS[3]) -- raises when it holds another type, before anything is taken away
redis.call('LTRIM', KEYS[2], 0, -2)
redis.call('RPUSH', KEYS[3], found[1])
redis.call('HSET', KEYS[1], 'queue', ARGV[1], 'raw', found[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
