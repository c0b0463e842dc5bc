"""The budgets of callers in Redis, where all replicas take from them, each time in one script."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from june_tts.cache.memory_ledger import utc_now
from june_tts.cache.shared import Shared, SharedUnavailable
from june_tts.types import Grant, Order

STREAM_SECONDS = 15.0
"""After this a replica that did not say so again holds no streams: it was killed."""

# The arithmetic of cache/budgets.py, which a test holds it against. Redis's own clock: those of two
# replicas differ. Numbers go as text, because a script's number becomes an integer on its way out.
_TAKE = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local width, orders, fits = 8, {}, true
for i, key in ipairs(KEYS) do
  local order = {}
  for j = 1, width do order[j] = tonumber(ARGV[1 + (i - 1) * width + j]) end
  local minute, limit, charge, need, known, rest = order[1], order[2], order[3], order[4], order[6], order[7]
  local kept = tonumber(redis.call('GET', key) or '')
  local used
  if minute == 1 then
    used = math.max(0, (kept or now) - now) * limit / 60
  else
    used = kept or known
    if order[8] == 1 then used = math.max(used, known) end
  end
  used = math.max(0, used + charge)
  local wait = 0
  if need > 0 then
    if minute == 1 then
      local over = used + math.min(need, limit) - limit
      if over > 0.000001 then wait = over * 60 / limit end
    elseif used + need > limit + 0.000001 then
      wait = rest
    end
  end
  if wait > 0 then fits = false end
  orders[i] = {order = order, used = used, wait = wait}
end
local answer = {}
for i, key in ipairs(KEYS) do
  local order, used = orders[i].order, orders[i].used
  local minute, limit, need, want, rest = order[1], order[2], order[4], order[5], order[7]
  local taken = 0
  if fits then taken = need + math.min(want, math.max(0, limit - used - need)) end
  used = used + taken
  if minute == 1 then
    local seconds = used * 60 / limit
    redis.call('SET', key, string.format('%.6f', now + seconds), 'PX', math.ceil(seconds * 1000) + 1000)
  else
    -- an hour longer than the window: the clocks of two replicas may disagree about its end
    redis.call('SET', key, string.format('%.6f', used), 'EX', math.ceil(rest) + 3600)
  end
  answer[3 * i - 2] = string.format('%.6f', taken)
  answer[3 * i - 1] = string.format('%.6f', limit - used)
  answer[3 * i] = string.format('%.6f', fits and 0 or orders[i].wait)
end
return answer
"""

_STREAM = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local streams, most, mine, others = tonumber(ARGV[2]), tonumber(ARGV[3]), 0, 0
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local count, ends = string.match(held[i + 1], '^(%d+):(%d+)$')
  if not ends or tonumber(ends) < now then
    redis.call('HDEL', KEYS[1], held[i])
  elseif held[i] == ARGV[1] then
    mine = tonumber(count)
  else
    others = others + tonumber(count)
  end
end
if streams > mine and others + streams > most then return 0 end
if streams == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%d:%d', streams, now + tonumber(ARGV[4])))
  redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[4])))
end
return 1
"""


class SharedLedger:
    """A Ledger over all replicas."""

    def __init__(
        self,
        shared: Shared,
        clock: Callable[[], float] | None = None,
        today: Callable[[], datetime] = utc_now,
    ) -> None:
        """`clock`: in place of Redis's own, for tests."""
        self._shared = shared
        self._clock = clock
        self._today = today

    async def take(self, key_id: str, orders: Sequence[Order]) -> Sequence[Grant] | None:
        today = self._today()
        keys = [f"rates:{key_id}:{order.budget.name}:{order.budget.period(today)}" for order in orders]
        args: list[str | float] = [self._clock() if self._clock else ""]
        for order in orders:
            budget = order.budget
            minute = int(budget.window == "minute")
            args += [minute, budget.limit, order.charge, order.need, order.want, order.known]
            args += [budget.rest(today), int(order.certain)]
        answer = await self._run(_TAKE, keys, args)
        if answer is None:
            return None
        numbers = [float(part) for part in answer]
        return [Grant(*numbers[at : at + 3]) for at in range(0, len(numbers), 3)]

    async def stream(self, key_id: str, owner: str, streams: int, most: int) -> bool | None:
        args: list[str | float] = [owner, streams, most, STREAM_SECONDS * 1000]
        answer = await self._run(_STREAM, [f"streams:{key_id}"], args)
        return None if answer is None else bool(answer)

    async def _run(self, script: str, keys: list[str], args: Sequence[str | float]) -> Any:
        try:
            return await self._shared.run(script, keys, args)
        except SharedUnavailable:
            return None
