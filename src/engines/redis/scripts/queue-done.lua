#!lua flags=allow-oom
-- Removes a job whose lease this is, and lets the next of its order key be given out. Allowed on a full server.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 PUBLISH or SPUBLISH, 2 job id, 3 lease, 4 time, see queue_time, 5 ms that the state of an empty queue is kept.
-- Reply: 1, or 0 when the lease is lost.
-- O(log n).
local job = held_job(ARGV[2], ARGV[3])
if not job then return 0 end
remove_job(ARGV[1], ARGV[2], job, ARGV[4])
forget_empty(ARGV[5])
return 1
