-- Stands in front of scripts that open a channel's stream, behind time.lua.
-- The stream's hash: e epoch, o top offset, x when it expires, g generation of the server that it was last used in,
-- v and w the last version and its epoch.

-- The stream's epoch, top offset, last version and its epoch, and whether it was made, since it was missing or had expired. It gets
-- another epoch when the server may have lost what it had confirmed since: then offsets may be given out twice. A
-- caller with an older generation knows less than the stream.
local function open(metaKey, listKey, at, generation, newEpoch)
  local meta = redis.call('HMGET', metaKey, 'e', 'o', 'x', 'g', 'v', 'w')
  local epoch = meta[1]
  if not epoch or tonumber(meta[3]) <= at then
    -- Nothing is deleted needlessly: behind any write a script is not refused for want of memory any more.
    if redis.call('EXISTS', metaKey, listKey) > 0 then redis.call('DEL', metaKey, listKey) end
    redis.call('HSET', metaKey, 'e', newEpoch, 'o', 0, 'g', generation)
    return newEpoch, 0, nil, nil, true
  end
  if tonumber(generation) > tonumber(meta[4]) then
    epoch = newEpoch
    redis.call('HSET', metaKey, 'e', newEpoch, 'g', generation)
  end
  return epoch, tonumber(meta[2]), meta[5], meta[6], false
end

-- Sets fields and moves the end. On the server's own clock the hash outlives its logical end only as garbage.
local function keep(metaKey, at, metaTtl, ...)
  redis.call('HSET', metaKey, 'x', whole(math.min(at + metaTtl, TIME_MAX)), ...)
  redis.call('PEXPIRE', metaKey, metaTtl)
end
