-- Move nothing: what was moved elsewhere is only to be counted.
--
-- KEYS  none
-- ARGV  1 one character per job: 1 moved, 0 gone
-- Returns the same.
return ARGV[1]
