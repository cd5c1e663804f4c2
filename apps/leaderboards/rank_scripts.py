"""The Lua of the rank order in Redis. Each script's keys share a hash tag.

KEYS of all: rank, player, new:rank, new:player, gone (see `rank_index`). Values are absolute: only
a newer version replaces, and none that a tombstone has outlived is taken. Rows are one MessagePack
array of player, "<version> <member>" and the double as text in turn, each player once.
"""

from __future__ import annotations

from typing import Final

from apps.ledger.scripts import Script

# One HMGET, ZREM, ZADD and HSET for at most 500 rows: a command costs Lua more than its elements,
# and `unpack` takes no more than some thousand.
STORE: Final = """
-- Versions have no leading zeros: the longer is the newer, then digits decide.
local function outlived(version, stone)
  return stone and (#version < #stone or #version == #stone and version <= stone)
end
local function store(rank, players, rows)
  local find, sub = string.find, string.sub
  local fenced = redis.call('EXISTS', KEYS[5]) == 1
  for first = 1, #rows, 1500 do
    local last = math.min(first + 1499, #rows)
    local names, gone, ranked, told = {}, {}, {}, {}
    for at = first, last, 3 do names[#names + 1] = rows[at] end
    local held = redis.call('HMGET', players, unpack(names))
    local stones = fenced and redis.call('HMGET', KEYS[5], unpack(names))
    for number = 1, #names do
      local at = first + 3 * (number - 1)
      local value, old = rows[at + 1], held[number]
      local space, gap = find(value, ' ', 1, true), old and find(old, ' ', 1, true)
      local late = stones and outlived(sub(value, 1, space - 1), stones[number])
      if not late and
         (not old or gap < space or gap == space and sub(old, 1, gap) < sub(value, 1, space)) then
        if old then gone[#gone + 1] = sub(old, gap + 1) end
        ranked[#ranked + 1] = rows[at + 2]
        ranked[#ranked + 1] = sub(value, space + 1)
        told[#told + 1] = rows[at]
        told[#told + 1] = value
      end
    end
    if #gone > 0 then redis.call('ZREM', rank, unpack(gone)) end
    if #told > 0 then
      redis.call('ZADD', rank, unpack(ranked))
      redis.call('HSET', players, unpack(told))
    end
  end
end
"""

# ARGV: ttl, rows. Keeps a complete order up, and what is being built aside, so that a commit after
# the builder's snapshot is not lost when the build is renamed in. An order that is neither is read
# by nobody: it is not written, and what is left of it goes. 1 where there was something to keep up.
PUT: Final = Script.of(f"""{STORE}
local complete = redis.call('HGET', KEYS[2], '') == 'complete'
local building = redis.call('EXISTS', KEYS[4]) == 1
if not complete then redis.call('UNLINK', KEYS[1], KEYS[2]) end
if not complete and not building then return 0 end
local rows = cmsgpack.unpack(ARGV[2])
if building then store(KEYS[3], KEYS[4], rows) end
if complete then
  store(KEYS[1], KEYS[2], rows)
  local ttl = tonumber(ARGV[1])
  if ttl > 0 then
    redis.call('EXPIRE', KEYS[1], ttl)
    redis.call('EXPIRE', KEYS[2], ttl)
    redis.call('EXPIRE', KEYS[5], ttl)
  end
end
return 1
""")

# ARGV: token, lease in seconds. 1 where nobody else is building.
BEGIN: Final = Script.of("""
if redis.call('HSETNX', KEYS[4], '', ARGV[1]) == 0 then return 0 end
redis.call('UNLINK', KEYS[3])
redis.call('EXPIRE', KEYS[4], ARGV[2])
return 1
""")

# ARGV: token, lease, rows of the builder's snapshot. 0 where the build is lost or another's.
ADD: Final = Script.of(f"""{STORE}
if redis.call('HGET', KEYS[4], '') ~= ARGV[1] then return 0 end
store(KEYS[3], KEYS[4], cmsgpack.unpack(ARGV[3]))
redis.call('EXPIRE', KEYS[3], ARGV[2])
redis.call('EXPIRE', KEYS[4], ARGV[2])
return 1
""")

# ARGV: token, ttl. Renames in only what this builder built, whole.
FINISH: Final = Script.of("""
if redis.call('HGET', KEYS[4], '') ~= ARGV[1] then return 0 end
if redis.call('ZCARD', KEYS[3]) ~= redis.call('HLEN', KEYS[4]) - 1 then return 0 end
redis.call('HSET', KEYS[4], '', 'complete')
redis.call('RENAME', KEYS[4], KEYS[2])
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('RENAME', KEYS[3], KEYS[1])
else
  redis.call('DEL', KEYS[1])
end
local ttl = tonumber(ARGV[2])
if ttl > 0 then
  redis.call('EXPIRE', KEYS[1], ttl)
  redis.call('EXPIRE', KEYS[2], ttl)
  redis.call('EXPIRE', KEYS[5], ttl)
else
  -- The build's lease came along with its name.
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[2])
end
return 1
""")
