"""One process and what looks after it: real processes that start in a moment."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psutil
import pytest
from tests.tiny_child import FAIL_STATUS
from tests.waiting import becomes

from june_tts.workers import supervisor
from june_tts.workers.child import Child, ChildLimits, NotStarted
from june_tts.workers.supervisor import ENGINES, Plan, Supervisor

pytestmark = pytest.mark.unit

QUICK = ChildLimits(start=10.0, stall=0.3, ask=0.05, close=0.3, first_pause=0.01)


@asynccontextmanager
async def child(
    do: str = "serve", limits: ChildLimits = QUICK
) -> AsyncIterator[tuple[Child, dict[str, Any]]]:
    """A child, not started, and its orders, which may be changed for the next process."""
    orders: dict[str, Any] = {"do": do}
    made = Child("tiny", "tests.tiny_child", lambda: orders, limits, answer=lambda *_: None)
    try:
        yield made, orders
    finally:
        pid = made.pid
        await made.close("drain", 0.0)
        assert pid is None or not psutil.pid_exists(pid)


async def test_one_that_does_not_become_ready_at_first_is_not_tried_again() -> None:
    async with child("fail") as (one, _):
        with pytest.raises(NotStarted) as failed:
            await one.start()
        assert (failed.value.status, one.restarts) == (FAIL_STATUS, 0)


async def test_one_that_dies_is_started_again_and_what_it_counted_is_kept() -> None:
    async with child() as (one, _):
        await one.start()
        first = one.pid
        for restarts in (1, 2):
            assert (await one.count(5.0) or {})["totals"] == {"requests": 1, "active": 1}
            one.tell("die")
            await becomes(partial(_is_back, one, restarts))
        assert one.pid != first and one.departed is not None
        assert one.departed["totals"] == {"requests": 2, "active": 0}
        assert one.departed["families"][0]["samples"] == [["asked_total", {}, 4.0, None]]


def _is_back(one: Child, restarts: int) -> bool:
    return one.restarts == restarts and one.ready


async def test_one_that_cannot_start_again_is_tried_until_it_can() -> None:
    async with child() as (one, orders):
        await one.start()
        orders["do"] = "fail"
        one.tell("die")
        await becomes(lambda: one.restarts >= 2)
        assert not one.ready
        orders["do"] = "serve"
        await becomes(lambda: one.ready)


async def test_one_that_says_nothing_any_more_is_ended_and_started_again() -> None:
    async with child("hang") as (one, orders):
        await one.start()
        orders["do"] = "serve"
        await becomes(lambda: one.restarts == 1 and one.ready)


async def test_one_that_does_not_end_when_it_is_told_to_is_ended_by_force() -> None:
    async with child("hang", ChildLimits(stall=60.0, close=0.1)) as (one, _):
        await one.start()
        pid = one.pid
        await one.close("drain", 0.1)
        assert pid is not None and not psutil.pid_exists(pid)


async def test_one_that_loads_is_ended_at_once() -> None:
    async with child("load", ChildLimits(close=60.0)) as (one, _):
        starting = asyncio.create_task(one.start())
        await becomes(lambda: one.pid is not None)
        await asyncio.wait_for(one.close("drain", 60.0), 10)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


async def test_where_one_process_does_not_start_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "HOST", "tests.tiny_child")
    monkeypatch.setattr(supervisor, "WEB", "tests.tiny_child")
    plan = Plan(2, {ENGINES: "load", "0": "serve", "1": "fail"}, 60.0)
    before = set(psutil.Process().children())
    with pytest.raises(NotStarted, match="^1 ended"), socket.create_server(("127.0.0.1", 0)) as listener:
        await asyncio.wait_for(Supervisor(plan, listener, reread=lambda: None).run(lambda: None), 20)
    assert set(psutil.Process().children()) == before
