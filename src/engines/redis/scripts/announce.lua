--[[
Hands an announcement to its channel's topic and says with it where the stream stands: one step. Behind time.lua.

KEYS[1] the stream's hash
ARGV[1] now, epoch milliseconds, or "" for the server's clock
ARGV[2] generation of the server, a number
ARGV[3] PUBLISH or SPUBLISH
ARGV[4] topic
ARGV[5] head of the message, before the position
ARGV[6] body

Reply: nothing. A stream that is missing, has expired or is of an older generation stands nowhere.
]]
local meta = redis.call('HMGET', KEYS[1], 'e', 'o', 'x', 'g')
local at = ''
if meta[1] and tonumber(meta[3]) > now(ARGV[1]) and tonumber(meta[4]) >= tonumber(ARGV[2]) then
  at = ' ' .. meta[1] .. ' ' .. meta[2]
end
redis.call(ARGV[3], ARGV[4], ARGV[5] .. at .. '\n' .. ARGV[6])
