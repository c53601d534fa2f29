#!lua
-- Appends to a list that other programs pop from.
-- KEYS: 1 list.
-- ARGV: 1 text, 2 entries the list may hold.
-- Reply: 1, or 0 when it holds as many as it may.
-- O(1).
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
return 1
