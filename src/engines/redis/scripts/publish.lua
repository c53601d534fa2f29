--[[
Appends a publication to its channel's stream, if it is to be kept, and hands it to the channel's topic: one step.

KEYS[1] the stream's hash
KEYS[2] the stream's list: entries <offset>-<expiry>, field d the body
KEYS[3] what the idempotency key's first use was answered; absent without a key
ARGV[1] now, epoch milliseconds, or "" for the server's clock
ARGV[2] generation of the server, a number
ARGV[3] epoch for a stream that needs a new one
ARGV[4] PUBLISH or SPUBLISH
ARGV[5] topic
ARGV[6] head of the message, before the position
ARGV[7] body
ARGV[8] publications to keep, or "" to keep none
ARGV[9] their TTL, milliseconds
ARGV[10] the stream's TTL, milliseconds
ARGV[11] version, or ""
ARGV[12] the version's epoch
ARGV[13] the idempotency key's TTL, milliseconds

Reply: {epoch, offset, 1 when it was handed to the topic and 0 when it was not}; epoch "" when no offset was taken.
]]
local at = now(ARGV[1])

if KEYS[3] then
  local expires, offset, epoch = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+) (%d+) (.*)$')
  if expires and tonumber(expires) > at then return { epoch, tonumber(offset), 0 } end
end

local function remember(epoch, offset)
  if not KEYS[3] then return end
  local expires = whole(at + ARGV[13])
  redis.call('SET', KEYS[3], expires .. ' ' .. offset .. ' ' .. epoch, 'PX', ARGV[13])
end

if ARGV[8] == '' then
  redis.call(ARGV[4], ARGV[5], ARGV[6] .. '\n' .. ARGV[7])
  remember('', 0)
  return { '', 0, 1 }
end

local epoch, top, lastVersion, lastVersionEpoch = open(KEYS[1], KEYS[2], at, ARGV[2], ARGV[3])
local version = tonumber(ARGV[11])

if version and lastVersion and lastVersionEpoch == ARGV[12] and version <= tonumber(lastVersion) then
  remember(epoch, whole(top))
  return { epoch, top, 0 }
end

local offset = whole(top + 1)
local id = offset .. '-' .. whole(math.min(at + ARGV[9], TIME_MAX))
redis.call('XADD', KEYS[2], 'MINID', '=', whole(math.max(top + 2 - ARGV[8], 0)), id, 'd', ARGV[7])
-- Never sooner than an earlier publication asked for; GT alone takes a list without an expiry for an endless one.
if redis.call('PEXPIRE', KEYS[2], ARGV[9], 'GT') == 0 and redis.call('PTTL', KEYS[2]) < 0 then
  redis.call('PEXPIRE', KEYS[2], ARGV[9])
end
if version then keep(KEYS[1], at, ARGV[10], 'o', offset, 'v', ARGV[11], 'w', ARGV[12])
else keep(KEYS[1], at, ARGV[10], 'o', offset) end
redis.call(ARGV[4], ARGV[5], ARGV[6] .. ' ' .. epoch .. ' ' .. offset .. '\n' .. ARGV[7])
remember(epoch, offset)
return { epoch, top + 1, 1 }
