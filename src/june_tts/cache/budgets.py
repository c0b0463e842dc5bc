"""The arithmetic of rates and quotas. Pure: no clock, no I/O.

A budget a minute is kept as the moment at which its bucket will be full again (GCRA), one a day or a month as
what is used of it.
"""

from june_tts.types import Grant, Order

MINUTE = 60.0
SLACK = 1e-6
"""Of a unit: what adding and taking floats may be wrong by."""


def wait_of(used: float, order: Order, rest: float) -> float:
    """Seconds until the need fits, 0 where it does. `rest`: until the day or month ends.

    A need larger than a minute's budget fits where that is whole: a long text is not refused for ever, but
    what comes after it waits until it is paid for.
    """
    limit = order.budget.limit
    if not order.need:
        return 0.0
    if order.budget.window != "minute":
        return rest if used + order.need > limit + SLACK else 0.0
    over = used + min(order.need, limit) - limit
    return over * MINUTE / limit if over > SLACK else 0.0


def settled(used: float, order: Order, fits: bool, wait: float) -> Grant:
    """What is given. `used`: after the charge; `fits`: the needs of all orders do."""
    left = order.budget.limit - used
    if not fits:
        return Grant(0.0, left, wait)
    taken = order.need + min(order.want, max(0.0, left - order.need))
    return Grant(taken, left - taken, 0.0)
