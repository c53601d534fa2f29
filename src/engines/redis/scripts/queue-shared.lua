-- What the queue's scripts share: it stands behind the first line of each.
--
-- KEYS of each of them:
--   1 jobs     hash: job id -> packed job, see below
--   2 payloads hash: job id -> text
--   3 ready    sorted set: member -> epoch ms from which the job is given out
--   4 leased   sorted set: member -> epoch ms at which its lease ends
--   5 order    sorted set, all scores 0: order key's length, order key, member, with a colon behind each of the first two
--   6 state    hash: `number` of the job added last, `revision`, `time` and `ahead`, see below; its name is also the topic of
--              wake-ups
-- A member is the job's number in 16 digits and its id: of one moment, jobs lie in the order they were added.
-- A job with an order key is in `order`; the first of a key is in `ready` or `leased`, those behind it in neither.
-- A wake-up is `<revision>:<the queue's time at which a job may be due, 0 for now>`. The revision changes whenever a job became due by a
-- change, not by time: whoever knows another one has missed a wake-up.

-- Places in a packed job. The order key is false when there is none, the lease when there is no valid one.
local NUMBER, ORDER_KEY, NOT_BEFORE, ADDED, ATTEMPT, LEASE = 1, 2, 3, 4, 5, 6

local function member_of(number, id)
  return string.format('%016.0f', number) .. id
end

local function id_of(member)
  return string.sub(member, 17)
end

local function read_job(id)
  local packed = redis.call('HGET', KEYS[1], id)
  return packed and cmsgpack.unpack(packed)
end

local function write_job(id, job)
  redis.call('HSET', KEYS[1], id, cmsgpack.pack(job))
end

local function order_prefix(order_key)
  return #order_key .. ':' .. order_key .. ':'
end

-- The member of the key's first job; nil when it has none. A digit follows the prefix, and ':' is behind all digits.
local function first_of(prefix)
  local found =
    redis.call('ZRANGEBYLEX', KEYS[5], '[' .. prefix, '(' .. prefix .. ':', 'LIMIT', 0, 1)
  return found[1] and string.sub(found[1], #prefix + 1)
end

-- The queue's time in epoch ms: the server's (or the given one, see time.lua), and ahead of it by as much as that was set back.
-- So nodes need not agree on a clock, and a clock that is set back delays nothing by more than the time since the last call.
local TIME_NOTED_MS = 1000
-- By less the clock of a replica may differ that becomes the master.
local SET_BACK_MS = 60000

local function queue_time(text)
  local state = redis.call('HMGET', KEYS[6], 'time', 'ahead')
  local last, ahead = tonumber(state[1] or 0), tonumber(state[2] or 0)
  local at = now(text) + ahead
  if at <= last - SET_BACK_MS then
    redis.call('HSET', KEYS[6], 'ahead', whole(ahead + last - at))
    return last
  end
  -- What was never used, or is empty, has no times to keep.
  if at >= last + TIME_NOTED_MS and redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('HSET', KEYS[6], 'time', whole(at))
  end
  return at
end

-- The job of this id if this lease is its own and valid.
local function held_job(id, lease)
  local job = read_job(id)
  return job and job[LEASE] == lease and job
end

-- `due_ms` as a number; `is_change`: due by this very change.
local function wake(publish, due_ms, is_change)
  local revision = redis.call('HINCRBY', KEYS[6], 'revision', is_change and 1 or 0)
  redis.call(publish, KEYS[6], string.format('%.0f:%.0f', revision, is_change and 0 or due_ms))
end

-- Removes the job, in whatever state, and lets the next of its order key be given out. `time`: see queue_time.
local function remove_job(publish, id, job, time)
  local member = member_of(job[NUMBER], id)
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
  -- In the latter when it is not leased, or the lease had ended; in neither behind another of its key.
  if redis.call('ZREM', KEYS[4], member) == 0 then redis.call('ZREM', KEYS[3], member) end
  if not job[ORDER_KEY] then return end
  local prefix = order_prefix(job[ORDER_KEY])
  local first = first_of(prefix) == member
  redis.call('ZREM', KEYS[5], prefix .. member)
  local next_member = first and first_of(prefix)
  if not next_member then return end
  local due, at = read_job(id_of(next_member))[NOT_BEFORE], queue_time(time)
  redis.call('ZADD', KEYS[3], due, next_member)
  wake(publish, due, due <= at)
end

-- Kept for a while, so that no watcher takes a revision that begins anew for the one it knows.
local function forget_empty(ms)
  if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('PEXPIRE', KEYS[6], ms) end
end
