-- Stands in front of scripts that keep or compare times. now(text): the given milliseconds, or for "" the server's clock.
local function now(text)
  if text ~= '' then return tonumber(text) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whole numbers up to TIME_MAX as text: Lua's own conversion turns large ones into powers of ten.
local function whole(number)
  return string.format('%d', number)
end

local TIME_MAX = 9007199254740991
