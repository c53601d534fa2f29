--[[
A page of a channel's stream and its position, read in one step. Makes the stream when there is none.

KEYS[1] the stream's hash
KEYS[2] the stream's list
ARGV[1] now, epoch milliseconds, or "" for the server's clock
ARGV[2] generation of the server, a number
ARGV[3] what no other call has, for the epoch of a stream that needs a new one
ARGV[4] TTL of a stream that is made, milliseconds
ARGV[5] publications at the most
ARGV[6] offset to start beyond, or ""
ARGV[7] 1 for descending offsets, 0

Reply: {epoch, top offset, offset, body, offset, body, …}
]]
local at = now(ARGV[1])
local epoch, top, _, _, made = open(KEYS[1], KEYS[2], at, ARGV[2], ARGV[3])
if made then keep(KEYS[1], at, ARGV[4]) end

local reply = { epoch, top }
local left = tonumber(ARGV[5])
local reverse = ARGV[7] == '1'
local since = tonumber(ARGV[6])
-- An incomplete id stands for the first one of its offset as a start, and for the last one as an end.
local low, high = '-', '+'
if since and reverse then
  if since <= 1 then return reply end
  high = whole(since - 1)
elseif since then
  low = whole(since + 1)
end

while left > 0 do
  local entries
  if reverse then entries = redis.call('XREVRANGE', KEYS[2], high, low, 'COUNT', left)
  else entries = redis.call('XRANGE', KEYS[2], low, high, 'COUNT', left) end
  for _, entry in ipairs(entries) do
    local offset, expires = string.match(entry[1], '^(%d+)-(%d+)$')
    if tonumber(expires) > at then
      reply[#reply + 1] = tonumber(offset)
      reply[#reply + 1] = entry[2][2]
    end
  end
  if #entries < left then break end
  left = tonumber(ARGV[5]) - (#reply - 2) / 2
  local last = string.match(entries[#entries][1], '^(%d+)-')
  if reverse then high = whole(last - 1) else low = whole(last + 1) end
end
return reply
