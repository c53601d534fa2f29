-- Stands in front of scripts that open a channel's stream, behind time.lua.
-- The stream's hash: e epoch, o top offset, x when it expires, g generation of the server that it was last used in,
-- v and w the last version and its epoch.

local function epochFrom(unique)
  return string.sub(redis.sha1hex(unique), 1, 12)
end

-- The stream's epoch, top offset, last version and its epoch, and whether it was made, since it was missing or had expired. It gets
-- another epoch when the server may have lost what it had confirmed since: then offsets may be given out twice. A
-- caller with an older generation knows less than the stream. `unique`: what no other call has, so that no stream gets an
-- epoch of its own again; most streams are there and need none.
local function open(metaKey, listKey, at, generation, unique)
  local meta = redis.call('HMGET', metaKey, 'e', 'o', 'x', 'g', 'v', 'w')
  local epoch = meta[1]
  if not epoch or tonumber(meta[3]) <= at then
    -- Nothing is deleted needlessly: behind any write a script is not refused for want of memory any more.
    if redis.call('EXISTS', metaKey, listKey) > 0 then redis.call('DEL', metaKey, listKey) end
    epoch = epochFrom(unique)
    redis.call('HSET', metaKey, 'e', epoch, 'o', 0, 'g', generation)
    return epoch, 0, nil, nil, true
  end
  if tonumber(generation) > tonumber(meta[4]) then
    epoch = epochFrom(unique)
    redis.call('HSET', metaKey, 'e', epoch, 'g', generation)
  end
  return epoch, tonumber(meta[2]), meta[5], meta[6], false
end

-- Sets fields and moves the end. On the server's own clock the hash outlives its logical end only as garbage.
local function keep(metaKey, at, metaTtl, ...)
  redis.call('HSET', metaKey, 'x', whole(math.min(at + metaTtl, TIME_MAX)), ...)
  redis.call('PEXPIRE', metaKey, metaTtl)
end

-- Keeps the list for as long as what was just appended, and never for less than an earlier publication asked for; GT alone takes a list
-- without an expiry for an endless one.
local function outlive(listKey, ttl)
  if redis.call('PEXPIRE', listKey, ttl, 'GT') == 0 and redis.call('PTTL', listKey) < 0 then
    redis.call('PEXPIRE', listKey, ttl)
  end
end
