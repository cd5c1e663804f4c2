"""The Lua of the reads: each script is one round trip and one moment of the board.

KEYS of all: rank, player (see rank_index). ARGV[1]: the rank mode. Answers: nil where the order is
not complete, else an array that begins with the number of players.
"""

from __future__ import annotations

from typing import Final

from apps.ledger.scripts import Script

# What counting distinct scores may cost, in entries read (2.5 us each at a million players); a jump
# over a group of equals costs as much as 12. So 5 ms of Redis's single thread at most.
DENSE_EFFORT: Final = 2_000
# In place of a number of distinct scores.
NOT_ASKED: Final = -1
TOO_DEEP: Final = -2

_COMMON: Final = f"""
local rank, players, mode = KEYS[1], KEYS[2], ARGV[1]
if redis.call('HGET', players, '') ~= 'complete' then return false end
local total = redis.call('ZCARD', rank)
if redis.call('HLEN', players) - 1 ~= total then return false end

-- By bytes, as the set orders members: Lua's own < goes by the server's locale.
local function sorts_before(one, other)
  for at = 1, math.min(#one, #other) do
    local a, b = string.byte(one, at), string.byte(other, at)
    if a ~= b then return a < b end
  end
  return #one < #other
end

local function member_at(index)
  return redis.call('ZRANGE', rank, index, index)[1]
end

-- How many entries sort before (double, text); no member needs to be there.
local function ahead_of(double, text)
  local low = redis.call('ZCOUNT', rank, '-inf', '(' .. double)
  local high = low + redis.call('ZCOUNT', rank, double, double)
  if low == high or sorts_before(member_at(high - 1), text) then return high end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if sorts_before(member_at(middle), text) then low = middle + 1 else high = middle end
  end
  return low
end

-- The part of a member that, with its double, is the score (see rank_members).
local function rest_of(member)
  local sign = string.sub(member, 1, 1)
  if sign == 'm' then return sign end
  return string.sub(member, 1, (string.find(member, sign == 'p' and '!' or '~', 2, true)))
end

-- How many entries have a better score than this member.
local function better_than(double, member)
  return ahead_of(double, rest_of(member))
end

-- How many different scores the first `index` entries have. `index` is where a score begins, and
-- no call has a smaller one than the call before. Great groups of equals are jumped over.
local distinct, counted, effort, step = 0, 0, 0, 2
local function distinct_before(index)
  if mode ~= 'dense' then return {NOT_ASKED} end
  while counted < index do
    effort = effort + step + 12
    if effort > {DENSE_EFFORT} then return {TOO_DEEP} end
    local found = redis.call(
      'ZRANGE', rank, counted, math.min(counted + step, index) - 1, 'WITHSCORES')
    local double, rest, groups
    groups = 0
    for at = 1, #found, 2 do
      local its = rest_of(found[at])
      if at == 1 or its ~= rest or tonumber(found[at + 1]) ~= tonumber(double) then
        groups, rest, double = groups + 1, its, found[at + 1]
      end
    end
    distinct = distinct + groups
    counted = counted + #found / 2
    -- Digits follow the rest in a member: none sorts after it with this byte.
    if counted < index then counted = ahead_of(double, rest .. '\\255') end
    if groups * 2 > step then step = math.min(step * 2, 128) else step = 2 end
  end
  return distinct
end

-- The entries [from, upto) by index, and what their ranks are counted from.
local function window(from, upto)
  upto = math.min(upto, total)
  if from >= upto then return {{total, from, from, {NOT_ASKED}, {{}}}} end
  local found = redis.call('ZRANGE', rank, from, upto - 1, 'WITHSCORES')
  local better = from == 0 and 0 or better_than(found[2], found[1])
  return {{total, from, better, distinct_before(better), found}}
end
"""

# ARGV: mode, limit, then a side (see cursors), double and member; no side: from the top.
# Answer: players, entries ahead of the first, those of a better score, distinct scores among these,
# then members and doubles in turn.
PAGE: Final = Script.of(
    _COMMON
    + """
local limit, side, double, member = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
if not side then return window(0, limit) end
-- Nothing sorts between a member and itself with a zero byte.
if side == '>' or side == '<=' then member = member .. string.char(0) end
local place = ahead_of(double, member)
if side == '>' or side == '>=' then return window(place, place + limit) end
return window(math.max(place - limit, 0), place)
"""
)

# ARGV: mode, player, neighbours on each side. Answer as PAGE's; players alone where the player has
# no entry. At an edge the window is shifted, not cut.
AROUND: Final = Script.of(
    _COMMON
    + """
local held, each = redis.call('HGET', players, ARGV[2]), tonumber(ARGV[3])
if not held then return {total} end
local index = redis.call('ZRANK', rank, string.sub(held, string.find(held, ' ', 1, true) + 1))
if not index then return {total} end
local width = 2 * each + 1
local from = math.max(math.min(index - each, total - width), 0)
return window(from, from + width)
"""
)

# ARGV: mode, players. Answer: players, then for each that has an entry, in rank order: entries
# ahead, those of a better score, distinct scores among these, member, double.
LOOKUP: Final = Script.of(
    _COMMON
    + """
local found = {}
for at = 2, #ARGV do
  local held = redis.call('HGET', players, ARGV[at])
  local member = held and string.sub(held, string.find(held, ' ', 1, true) + 1)
  local index = member and redis.call('ZRANK', rank, member)
  if index then
    found[#found + 1] = {index, index, -1, member, redis.call('ZSCORE', rank, member)}
  end
end
table.sort(found, function(one, other) return one[1] < other[1] end)
if mode ~= 'ordinal' then
  for _, entry in ipairs(found) do
    entry[2] = better_than(entry[5], entry[4])
    entry[3] = distinct_before(entry[2])
  end
end
return {total, found}
"""
)
