--[[
Appends a publication to its channel's stream, if it is to be kept, and hands it to the channel's topic: one step.

KEYS[1] the stream's hash
KEYS[2] the stream's list: entries <offset>-<expiry>, field d the body
KEYS[3] what the idempotency key's first use was answered; absent without a key
ARGV[1] head of the message, before the position; no other message has it
ARGV[2] body
ARGV[3] "now generation command size ttl metaTtl", in one since every argument costs: epoch milliseconds, or nothing for the
        server's clock; generation of the server, a number; PUBLISH or SPUBLISH; publications to keep and their TTL, and the
        stream's, milliseconds, or nothing for all three to keep none
ARGV[4] version, or ""; absent, with the two behind it, where there is neither version nor idempotency key
ARGV[5] the version's epoch
ARGV[6] the idempotency key's TTL, milliseconds

The topic is what the hash's name begins with.

Reply: {epoch, offset, 1 when it was handed to the topic and 0 when it was not}; epoch "" when no offset was taken.
]]
local head, body = ARGV[1], ARGV[2]
local clock, generation, command, size, ttl, metaTtl =
  string.match(ARGV[3], '^(%S*) (%d+) (%u+) (%d*) (%d*) (%d*)$')
local at = now(clock)
local topic = string.sub(KEYS[1], 1, -3)

if KEYS[3] then
  local expires, offset, epoch = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+) (%d+) (.*)$')
  if expires and tonumber(expires) > at then return { epoch, tonumber(offset), 0 } end
end

local function remember(epoch, offset)
  if not KEYS[3] then return end
  local expires = whole(at + ARGV[6])
  redis.call('SET', KEYS[3], expires .. ' ' .. offset .. ' ' .. epoch, 'PX', ARGV[6])
end

if size == '' then
  redis.call(command, topic, head .. '\n' .. body)
  remember('', 0)
  return { '', 0, 1 }
end

local epoch, top, lastVersion, lastVersionEpoch = open(KEYS[1], KEYS[2], at, generation, head)
local version = ARGV[4] and tonumber(ARGV[4])

if version and lastVersion and lastVersionEpoch == ARGV[5] and version <= tonumber(lastVersion) then
  remember(epoch, whole(top))
  return { epoch, top, 0 }
end

local offset = whole(top + 1)
local id = offset .. '-' .. whole(math.min(at + ttl, TIME_MAX))
redis.call('XADD', KEYS[2], 'MINID', '=', whole(math.max(top + 2 - size, 0)), id, 'd', body)
-- Never sooner than an earlier publication asked for; GT alone takes a list without an expiry for an endless one.
if redis.call('PEXPIRE', KEYS[2], ttl, 'GT') == 0 and redis.call('PTTL', KEYS[2]) < 0 then
  redis.call('PEXPIRE', KEYS[2], ttl)
end
if version then keep(KEYS[1], at, metaTtl, 'o', offset, 'v', ARGV[4], 'w', ARGV[5])
else keep(KEYS[1], at, metaTtl, 'o', offset) end
redis.call(command, topic, head .. ' ' .. epoch .. ' ' .. offset .. '\n' .. body)
remember(epoch, offset)
return { epoch, top + 1, 1 }
