#!lua flags=allow-oom
-- Removes the job of this id, in whatever state, or every job of the queue. Allowed on a full server.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 PUBLISH or SPUBLISH, 2 time, see queue_time, 3 ms that the state of an empty queue is kept, 4 job id; absent: all.
-- Reply: how many were removed.
-- O(log n); of all jobs O(1), as the server frees them in the background.
local id = ARGV[4]
local removed = 0
if id then
  local job = read_job(id)
  if job then
    remove_job(ARGV[1], id, job, ARGV[2])
    removed = 1
  end
else
  removed = redis.call('HLEN', KEYS[1])
  redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
end
forget_empty(ARGV[3])
return removed
