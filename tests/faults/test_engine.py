"""The engine's process stalls, is killed and runs out of memory, as its callers see it over HTTP."""

import asyncio
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from tests.faults.ledger import ROUNDS, Ledger, Line
from tests.faults.listeners import Listener, listening
from tests.faults.server import Server, served_by_fish
from tests.faults.traffic import SPEECH, client, works

pytestmark = pytest.mark.faults

STREAMS = 8
OTHERS = 2
STALL_SECONDS = 2.0
"""Tests share the machine: a second without a step is no stall there."""
ONE_STEP = "an allocation refused"
ENDS_WITHIN = {"stalled": STALL_SECONDS + 6.0, "killed": 4.0, "out of memory": 6.0, ONE_STEP: 6.0}
"""Seconds from the fault until the last stream has ended. Generous, as tests share the machine."""
LONG = "The train leaves the station at nine, and the children look out of the window. " * 240
SHORT = LONG[:160]
"""Ten seconds, which are heard in three."""
MEMORY = Path("/sys/fs/cgroup/memory")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("engine")
    patient = {"JUNE_QUEUE_SECONDS": "20", "JUNE_FISH_STALL_SECONDS": str(STALL_SECONDS)}
    with served_by_fish(folder, "--hoard", **patient) as made:
        yield made


async def test_a_stalled_engine_ends_its_streams_and_is_started_again(server: Server, ledger: Ledger) -> None:
    line = ledger.line("engine stalled (SIGSTOP)")
    for _ in range(ROUNDS or 1):
        await _round(server, line, "stalled", lambda engine: engine.send_signal(signal.SIGSTOP))


async def test_a_killed_engine_ends_its_streams_at_once_and_is_started_again(
    server: Server, ledger: Ledger
) -> None:
    line = ledger.line("engine killed (SIGKILL)")
    for _ in range(ROUNDS or 2):
        await _round(server, line, "killed", lambda engine: engine.kill())


async def test_an_engine_that_the_kernel_kills_for_its_memory_is_started_again(
    server: Server, ledger: Ledger
) -> None:
    line = ledger.line("engine out of memory (killed by the kernel)")
    for _ in range(ROUNDS or 1):
        await _round(server, line, "out of memory", _starve)


async def test_an_engine_that_gets_no_more_memory_fails_what_was_in_that_step_and_goes_on(
    server: Server, ledger: Ledger
) -> None:
    line = ledger.line("engine out of memory (allocation refused)")
    for _ in range(ROUNDS or 1):
        pid = server.engine().pid
        # a stream that is ahead of its listener is in no step, and goes on
        await _round(server, line, ONE_STEP, _refuse_memory)
        assert server.engine().pid == pid, "it need not have died"


async def _round(server: Server, line: Line, what: str, harm: Callable[[psutil.Process], None]) -> None:
    """Streams of the engine break with a clear end, another engine's do not, and the next one is served."""
    line.rounds += 1
    async with (
        client(server.address) as http,
        listening(server.address, "fish", LONG, STREAMS) as broken,
        listening(server.address, "fake", SHORT, OTHERS) as whole,
    ):
        began = time.monotonic()
        harm(server.engine())
        ends, going_on = await _ends(broken, ENDS_WITHIN[what], all_of_them=what != ONE_STEP)
        line.notes["streams_ended_s"] = max(line.notes.get("streams_ended_s", 0), time.monotonic() - began)
        await works(partial(_served, http, line))
        line.recovered(time.monotonic() - began)
        line.offered += len(ends) + len(going_on) + len(whole)
        line.failed += ends.count("cut")
        line.lost += len(ends) - ends.count("cut")
        assert set(ends) == {"cut"}, "a stream that is not whole must not look as if it were"
        for each in going_on:
            await works(partial(_heard_on, each, each.heard))
            line.answered += not each.over
            line.failed += each.over
        assert {await each.end() for each in whole} == {"whole"}, "another engine's streams are not concerned"
        line.answered += len(whole)


async def _ends(
    listeners: list[Listener], seconds: float, *, all_of_them: bool
) -> tuple[list[str], list[Listener]]:
    """How they ended, and who goes on. Where not all are waited for, those that did by the time of the first.

    A stream that had nothing in the engine just then, between two turns of its text, is spoken on by the
    next one.
    """
    ending = {asyncio.create_task(each.end()): each for each in listeners}
    when = asyncio.ALL_COMPLETED if all_of_them else asyncio.FIRST_COMPLETED
    done, going_on = await asyncio.wait(ending, timeout=seconds, return_when=when)
    assert done, f"{len(going_on)} streams go on after {seconds:g} s"
    return [task.result() for task in done], [ending[task] for task in going_on]


async def _heard_on(listener: Listener, before: int) -> bool:
    """Whether there was more than before, or the end, which is not to be taken for a whole one."""
    return listener.heard > before or (listener.over and await listener.end() == "cut")


async def _served(http: httpx.AsyncClient, line: Line) -> bool:
    line.offered += 1
    began = time.monotonic()
    reply = await http.post(SPEECH, json={"input": "Hello.", "voice": "fish", "response_format": "pcm"})
    if reply.status_code == 200:
        line.answered += 1
        return True
    assert reply.status_code in (502, 503) and reply.json()["error"]["message"], reply.text
    line.refusal(time.monotonic() - began)
    return False


def _starve(engine: psutil.Process) -> None:
    """As the kernel does: a control group with little memory, where one can be made; else by hand."""
    group = MEMORY / f"june-{engine.pid}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(100 << 20))
        (group / "cgroup.procs").write_text(str(engine.pid))
    except OSError:
        engine.send_signal(signal.SIGUSR1)
        before = engine.memory_info().rss
        while engine.memory_info().rss < before + (200 << 20):
            time.sleep(0.005)
        engine.kill()
        return
    engine.send_signal(signal.SIGUSR1)
    engine.wait(10)
    group.rmdir()


def _refuse_memory(engine: psutil.Process) -> None:
    most = engine.memory_info().vms + (256 << 20)
    resource.prlimit(engine.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    os.kill(engine.pid, signal.SIGUSR1)
