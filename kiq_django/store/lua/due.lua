-- Jobs of a set that are due by the server's clock, the earliest first.
--
-- KEYS  1 schedule or retry zset
-- ARGV  1 how many at most
-- Returns the payloads.
local t = redis.call('TIME')
local now = string.format('%.6f', t[1] + t[2] / 1000000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
