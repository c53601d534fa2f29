--[[
Appends a publication with a version or an idempotency key to its channel's stream, if it is to be kept, and hands it to the
channel's topic: one step.

KEYS[1] the stream's hash
KEYS[2] the stream's list: entries <offset>-<expiry>, field d the body
KEYS[3] what the idempotency key's first use was answered; absent without a key
ARGV[1] three parts on lines of their own, in one since every argument costs:
        "now generation command size ttl metaTtl": epoch milliseconds, or nothing for the server's clock; generation of the server,
        a number; PUBLISH or SPUBLISH; publications to keep and their TTL, and the stream's, milliseconds, or nothing for all
        three to keep none;
        head of the message, before the position, which no other message has;
        body, of any number of lines
ARGV[2] version, or ""
ARGV[3] the version's epoch
ARGV[4] the idempotency key's TTL, milliseconds

The topic is what the hash's name begins with.

Reply: {epoch, offset, how many hear the topic, or -1 when it was not handed to it}; epoch "" when no offset was taken.
]]
local clock, generation, command, size, ttl, metaTtl, head, bodyAt =
  string.match(ARGV[1], '^(%S*) (%d+) (%u+) (%d*) (%d*) (%d*)\n([^\n]*)\n()')
local body = string.sub(ARGV[1], bodyAt)
local at = now(clock)
local topic = string.sub(KEYS[1], 1, -3)

if KEYS[3] then
  local expires, offset, epoch = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+) (%d+) (.*)$')
  if expires and tonumber(expires) > at then return { epoch, tonumber(offset), -1 } end
end

local function remember(epoch, offset)
  if not KEYS[3] then return end
  local expires = whole(at + ARGV[4])
  redis.call('SET', KEYS[3], expires .. ' ' .. offset .. ' ' .. epoch, 'PX', ARGV[4])
end

if size == '' then
  local hearing = redis.call(command, topic, head .. '\n' .. body)
  remember('', 0)
  return { '', 0, hearing }
end

local epoch, top, lastVersion, lastVersionEpoch = open(KEYS[1], KEYS[2], at, generation, head)
local version = tonumber(ARGV[2])

if version and lastVersion and lastVersionEpoch == ARGV[3] and version <= tonumber(lastVersion) then
  remember(epoch, whole(top))
  return { epoch, top, -1 }
end

local offset = whole(top + 1)
local id = offset .. '-' .. whole(math.min(at + ttl, TIME_MAX))
redis.call('XADD', KEYS[2], 'MINID', '=', whole(math.max(top + 2 - size, 0)), id, 'd', body)
outlive(KEYS[2], ttl)
if version then keep(KEYS[1], at, metaTtl, 'o', offset, 'v', ARGV[2], 'w', ARGV[3])
else keep(KEYS[1], at, metaTtl, 'o', offset) end
local hearing = redis.call(command, topic, head .. ' ' .. epoch .. ' ' .. offset .. '\n' .. body)
remember(epoch, offset)
return { epoch, top + 1, hearing }
