#!lua flags=allow-oom
-- Removes a job whose lease this is, and lets the next of its order key be given out. Allowed on a full server.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 PUBLISH or SPUBLISH, 2 job id, 3 lease, 4 now, epoch ms, 5 ms that the state of an empty queue is kept.
-- Reply: 1, or 0 when the lease is lost.
-- O(log n).
local id, now = ARGV[2], tonumber(ARGV[4])
local job = held_job(id, ARGV[3])
if not job then return 0 end

local member = member_of(job[NUMBER], id)
redis.call('HDEL', KEYS[1], id)
redis.call('HDEL', KEYS[2], id)
-- In the latter when the lease had ended.
if redis.call('ZREM', KEYS[4], member) == 0 then redis.call('ZREM', KEYS[3], member) end
if job[ORDER_KEY] then
  local prefix = order_prefix(job[ORDER_KEY])
  redis.call('ZREM', KEYS[5], prefix .. member)
  local next_member = first_of(prefix)
  if next_member then
    local due = read_job(id_of(next_member))[NOT_BEFORE]
    redis.call('ZADD', KEYS[3], due, next_member)
    wake(ARGV[1], due, due <= now)
  end
end
-- Kept for a while, so that no watcher takes a revision that begins anew for the one it knows.
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('PEXPIRE', KEYS[6], ARGV[5]) end
return 1
