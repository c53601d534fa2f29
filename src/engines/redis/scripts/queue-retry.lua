#!lua flags=allow-oom
-- Ends the lease of a job whose lease this is: it is given out again, not before the given time. Allowed on a full server.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 PUBLISH or SPUBLISH, 2 job id, 3 lease, 4 time, see queue_time, 5 ms from now on before which it is not given out, may
--       be negative.
-- Reply: 1, or 0 when the lease is lost.
-- O(log n).
local id, at = ARGV[2], queue_time(ARGV[4])
local not_before = math.max(0, math.min(at + tonumber(ARGV[5]), TIME_MAX))
local job = held_job(id, ARGV[3])
if not job then return 0 end

local member = member_of(job[NUMBER], id)
job[NOT_BEFORE] = not_before
job[LEASE] = false
write_job(id, job)
redis.call('ZADD', KEYS[3], whole(not_before), member)
redis.call('ZREM', KEYS[4], member)
wake(ARGV[1], not_before, not_before <= at)
return 1
