-- Stands in front of the presence scripts. The channel's users: how many of its connections are each user's.
local function count(usersKey, client, change)
  local user = cjson.decode(client).userId
  if redis.call('HINCRBY', usersKey, user, change) <= 0 then redis.call('HDEL', usersKey, user) end
end

-- A lease whose entries the server has dropped, since nobody met them in time or for want of memory, left its users behind: they are
-- counted anew from the entries that are there, as when the counts themselves were dropped.
local function forgetDropped(leasesKey, usersKey)
  local dropped = redis.call('EXISTS', usersKey) == 0
  local kept = {}
  for _, lease in ipairs(redis.call('SMEMBERS', leasesKey)) do
    local entriesKey = leasesKey .. ':' .. lease
    if redis.call('EXISTS', entriesKey) == 1 then
      kept[#kept + 1] = entriesKey
    else
      redis.call('SREM', leasesKey, lease)
      dropped = true
    end
  end
  if not dropped then return end
  local left = redis.call('PTTL', usersKey)
  redis.call('DEL', usersKey)
  for _, entriesKey in ipairs(kept) do
    for _, client in ipairs(redis.call('HVALS', entriesKey)) do count(usersKey, client, 1) end
  end
  if left > 0 then redis.call('PEXPIRE', usersKey, left) end
end
