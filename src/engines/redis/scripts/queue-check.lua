#!lua flags=allow-oom
-- What a watcher has to know of a queue. It writes nothing but the queue's time, and that it must on a full server too.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 the queue's time up to which it knows, '' for now, 2 time, see queue_time.
-- Reply: revision, 0 where the queue has no state; whether a job's time came or a lease ended between then and now (1 or 0);
--        the first such moment after now, or false; the queue's time.
-- O(log n).
local at = queue_time(ARGV[2])
local since = '(' .. (ARGV[1] ~= '' and ARGV[1] or whole(at))
local became_due, next_due = 0, false
for _, key in ipairs({ KEYS[3], KEYS[4] }) do
  if redis.call('ZCOUNT', key, since, at) > 0 then became_due = 1 end
  local found =
    redis.call('ZRANGEBYSCORE', key, '(' .. whole(at), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local due = found[2] and tonumber(found[2])
  if due and (not next_due or due < next_due) then next_due = due end
end
local revision = tonumber(redis.call('HGET', KEYS[6], 'revision') or 0)
return { revision, became_due, next_due, at }
