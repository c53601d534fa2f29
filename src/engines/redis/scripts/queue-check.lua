#!lua flags=no-writes
-- What a watcher has to know of a queue.
-- KEYS: see queue-shared.lua.
-- ARGV: 1 epoch ms up to which it knows, 2 now, epoch ms.
-- Reply: revision, 0 where the queue has no state; whether a job's time came or a lease ended between the two (1 or 0);
--        the first such moment after now, epoch ms as text, or false.
-- O(log n).
local since, now = '(' .. ARGV[1], ARGV[2]
local became_due, next_due = 0, false
for _, key in ipairs({ KEYS[3], KEYS[4] }) do
  if redis.call('ZCOUNT', key, since, now) > 0 then became_due = 1 end
  local found = redis.call('ZRANGEBYSCORE', key, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if found[2] and (not next_due or tonumber(found[2]) < tonumber(next_due)) then
    next_due = found[2]
  end
end
return { tonumber(redis.call('HGET', KEYS[6], 'revision') or 0), became_due, next_due }
