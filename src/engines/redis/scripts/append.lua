--[[
Appends publications to their channel's stream and hands them to its topic: one step, in the order given.

KEYS[1] the stream's hash
KEYS[2] the stream's list: entries <offset>-<expiry>, field d the body
ARGV[1] "now generation command size ttl metaTtl": epoch milliseconds, or nothing for the server's clock; generation of the server,
        a number; PUBLISH or SPUBLISH; publications to keep and their TTL, and the stream's, milliseconds
ARGV[2] and on: a publication each, two parts on lines of their own: head of the message, before the position, which no other
        message has; body, of any number of lines

The topic is what the hash's name begins with.

Reply: {epoch, offset of the first, how many hear the topic}.
]]
local clock, generation, command, size, ttl, metaTtl =
  string.match(ARGV[1], '^(%S*) (%d+) (%u+) (%d+) (%d+) (%d+)$')
local at = now(clock)
local topic = string.sub(KEYS[1], 1, -3)
local count = #ARGV - 1

local epoch, top = open(KEYS[1], KEYS[2], at, generation, string.match(ARGV[2], '^[^\n]*'))
local last = top + count
local expires = '-' .. whole(math.min(at + ttl, TIME_MAX))
local messages = {}
for index = 1, count do
  local head, bodyAt = string.match(ARGV[index + 1], '^([^\n]*)\n()')
  local body = string.sub(ARGV[index + 1], bodyAt)
  local offset = whole(top + index)
  messages[index] = head .. ' ' .. epoch .. ' ' .. offset .. '\n' .. body
  if index < count then redis.call('XADD', KEYS[2], offset .. expires, 'd', body)
  else redis.call('XADD', KEYS[2], 'MINID', '=', whole(math.max(last + 1 - size, 0)), offset .. expires, 'd', body) end
end
outlive(KEYS[2], ttl)
keep(KEYS[1], at, metaTtl, 'o', whole(last))
local hearing
for index = 1, count do hearing = redis.call(command, topic, messages[index]) end
return { epoch, top + 1, hearing }
