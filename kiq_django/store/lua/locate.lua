-- Where in the list of a queue a job probably stands, by two things that are in order there: the time when a job came
-- into it, and the numbers in which the ids of one bulk end. Both are read off the text, and no more than a guess.
--
-- KEYS  1 list of the queue
-- ARGV  1 when the job came, epoch seconds, 2 first half of its id, which a bulk has in common ("" = not known),
--       3 second half
-- Returns index of the oldest job that came no earlier, -1 when all came earlier, and number of jobs.
local wanted, bulk, number = tonumber(ARGV[1]), '"' .. ARGV[2], tonumber(ARGV[3], 16)
local total = redis.call('LLEN', KEYS[1])
local from, till = 0, total
local function is_earlier(jobs)
  for _, raw in ipairs(jobs) do
    local _, before = string.find(raw, '"enqueued_at":', 1, true)
    if not before then
      _, before = string.find(raw, '"created_at":', 1, true)
    end
    local time = before and tonumber(string.match(raw, '^%s*([%d%.]+)', before + 1))
    if time then
      return (time < 100000000000 and time or time / 1000) < wanted
    end
  end
  return false
end
local function probe(spot)
  -- a bulk comes in slices, and the jobs of others between them tell nothing of it: so look a bit further for it
  for _, far in ipairs({0, 40, 300, 1000}) do
    local index = spot + far
    local jobs = index < till and redis.call('LRANGE', KEYS[1], index, index + 3) or {}
    for _, raw in ipairs(number and jobs or {}) do
      local _, before = string.find(raw, bulk, 1, true)
      local found = before and tonumber(string.match(raw, '^(%x+)"', before + 1) or '', 16)
      if found and math.abs(found - number) < 4294967296 then
        return index, found < number
      end
    end
    if far == 0 and (not number or is_earlier(jobs)) then
      return spot, is_earlier(jobs)
    end
  end
  return spot, false
end
while from < till do
  local index, is_before = probe(math.floor((from + till) / 2))
  if is_before then till = index else from = index + 1 end
end
return {from - 1, total}
