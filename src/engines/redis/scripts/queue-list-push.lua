#!lua
-- Appends to a list that other programs pop from.
-- KEYS: 1 list.
-- ARGV: 1 text, 2 entries the list may hold.
-- Reply: 'pushed'; 'full': it holds as many as it may; 'other': the key holds something else, of somebody else's.
-- O(1).
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'list' and kind ~= 'none' then return 'other' end
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 'full' end
redis.call('RPUSH', KEYS[1], ARGV[1])
return 'pushed'
