-- Stands in front of the presence scripts. The channel's users: how many of its connections are each user's.
local function count(usersKey, client, change)
  local user = cjson.decode(client).userId
  if redis.call('HINCRBY', usersKey, user, change) <= 0 then redis.call('HDEL', usersKey, user) end
end
