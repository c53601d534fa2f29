#!lua flags=allow-oom
-- Deletes a record if its version is the expected one. Allowed on a full server: it is the way to less.
-- KEYS: 1 record, 2 index, 3 expiry, all as in records-put.lua.
-- ARGV: 1 key, 2 now, epoch ms, 3 expected version or '' for any.
-- Reply: 1, or 0 when there was no record or its version was not the expected one.
-- O(log n).
local known = redis.call('HMGET', KEYS[1], 'version', 'expires')
if not known[1] or (known[2] and tonumber(known[2]) <= tonumber(ARGV[2])) then return 0 end
if ARGV[3] ~= '' and ARGV[3] ~= known[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return 1
