"""Signs of life of a LiveKit server, over a connection whose figures are set by hand."""

import asyncio
from typing import Any, cast

import pytest
from livekit import rtc

from june_tts.livekit import pulse as module
from june_tts.livekit.pulse import Pulse

pytestmark = pytest.mark.unit


class Connection:
    """Has received so many packets; None: it has ended."""

    def __init__(self) -> None:
        self.received: int | None = 1

    async def count(self) -> int:
        if self.received is None:
            raise RuntimeError("closed")
        return self.received


class Watched:
    def __init__(self, connection: Connection) -> None:
        self.told: list[str] = []
        self.pulse = Pulse(
            cast(rtc.Room, connection),
            silent=lambda _: self.told.append("silent"),
            answers=lambda: self.told.append("answers"),
        )


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.15)
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.05)

    async def received(connection: Any) -> int:
        found: int = await connection.count()
        return found

    monkeypatch.setattr(module, "_received", received)


async def test_silence_is_told_once_and_so_is_its_end() -> None:
    connection = Connection()
    one = Watched(connection)
    watching = asyncio.create_task(one.pulse.watch())
    await asyncio.sleep(0.3)
    assert one.told == ["silent"]
    connection.received = 2
    await asyncio.sleep(0.05)
    assert one.told == ["silent", "answers"]
    watching.cancel()


async def test_an_end_settles_at_the_next_sign_of_life() -> None:
    connection = Connection()
    one = Watched(connection)
    watching = asyncio.create_task(one.pulse.watch())
    await asyncio.sleep(0.08)
    settling = asyncio.create_task(one.pulse.settled())
    await asyncio.sleep(0.03)
    assert not settling.done()
    connection.received = 2
    await asyncio.wait_for(settling, 1)
    assert one.told == []
    # and at once where the last sign is fresh
    await asyncio.wait_for(one.pulse.settled(), 0.005)
    watching.cancel()


async def test_an_end_settles_when_there_is_no_sign_of_life() -> None:
    one = Watched(Connection())
    watching = asyncio.create_task(one.pulse.watch())
    await asyncio.sleep(0.08)
    await asyncio.wait_for(one.pulse.settled(), 1)
    assert one.told == ["silent"]
    watching.cancel()


async def test_a_connection_that_has_ended_holds_up_nothing() -> None:
    connection = Connection()
    one = Watched(connection)
    watching = asyncio.create_task(one.pulse.watch())
    await asyncio.sleep(0.02)
    connection.received = None
    await asyncio.wait_for(watching, 1)
    await asyncio.sleep(0.06)
    await asyncio.wait_for(one.pulse.settled(), 1)


async def test_a_connection_that_was_silent_since_the_utterance_before_is_told_at_once() -> None:
    one = Watched(Connection())
    first = asyncio.create_task(one.pulse.watch())
    await asyncio.sleep(0.03)
    first.cancel()
    await asyncio.sleep(0.2)
    second = asyncio.create_task(one.pulse.watch())
    await asyncio.sleep(0.03)
    assert one.told == ["silent"]
    second.cancel()
