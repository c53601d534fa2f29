#!lua flags=allow-oom
-- Leases a slice of the jobs that are due. Allowed on a full server: it is the way to less.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 PUBLISH or SPUBLISH, 2 time, see queue_time, 3 ms that the leases last, 4 lease, 5 jobs at the most, 6 payload
--       bytes at the most, which one job alone may exceed, 7 ended leases that are looked at in one call, 8 the queue's time at
--       the first slice, or '' for that one: one moment for all, so that no lease of an earlier one ends for a later one.
-- Reply: whether it stopped short of the jobs' number for another reason than a lack of jobs (1 or 0), then the jobs:
--        id, payload, attempt, epoch ms of its adding, order key or false, epoch ms from which on it was due; then the queue's time.
-- O(k log n) for k jobs; k is bounded by ARGV 5 and 7.
local at = ARGV[8] ~= '' and tonumber(ARGV[8]) or queue_time(ARGV[2])
local lease_end = math.min(at + tonumber(ARGV[3]), TIME_MAX)
local lease, bytes_max, ended_max = ARGV[4], tonumber(ARGV[6]), tonumber(ARGV[7])

-- Jobs whose lease has ended get back to their places first, all of them, so that the earliest is given out first.
local ended = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', at, 'LIMIT', 0, ended_max)
for _, member in ipairs(ended) do
  redis.call('ZADD', KEYS[3], read_job(id_of(member))[NOT_BEFORE], member)
  redis.call('ZREM', KEYS[4], member)
end
-- This call may leave some of them to others, who would not learn of it from the leases.
if #ended > 0 then wake(ARGV[1], at, true) end
if #ended == ended_max then return { 1, {}, at } end

local given, bytes, cut = {}, 0, 0
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', at, 'LIMIT', 0, ARGV[5])) do
  local id = id_of(member)
  local payload = redis.call('HGET', KEYS[2], id)
  bytes = bytes + #payload
  if #given > 0 and bytes > bytes_max then
    cut = 1
    break
  end
  local job = read_job(id)
  job[ATTEMPT] = job[ATTEMPT] + 1
  job[LEASE] = lease
  write_job(id, job)
  redis.call('ZADD', KEYS[4], whole(lease_end), member)
  redis.call('ZREM', KEYS[3], member)
  given[#given + 1] = { id, payload, job[ATTEMPT], job[ADDED], job[ORDER_KEY], job[NOT_BEFORE] }
end
if #given > 0 then wake(ARGV[1], lease_end, false) end
return { cut, given, at }
