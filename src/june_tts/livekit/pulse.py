"""Whether LiveKit's server still answers: its client notices a cut network after ten seconds and more."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from livekit import rtc

POLL_SECONDS = 0.5
SILENT_SECONDS = 3.5
"""A server reports once a second on the sound it gets, and answers a connectivity check every 2.5 s."""
FRESH_SECONDS = 1.6
"""A sign of life is at most so old where reports come: one a second, looked for twice a second."""


class Pulse:
    """Watches one connection while somebody speaks over it; what it saw is kept in between."""

    def __init__(
        self, room: rtc.Room, *, silent: Callable[[float], None], answers: Callable[[], None]
    ) -> None:
        """
        Args:
            silent: called once when nothing has come for too long, with the seconds.
            answers: called when something comes again.
        """
        self._room = room
        self._told_silent = silent
        self._told_answers = answers
        self._received = -1
        self._at = monotonic()
        self._silent = False
        self._looked = asyncio.Event()

    async def watch(self) -> None:
        """Until it is cancelled, or the connection has no figures any more."""
        self._silent = False
        while True:
            try:
                received = await _received(self._room)
            except (
                RuntimeError
            ):  # what rtc raises where the connection has ended; who speaks is told otherwise
                return
            self._look(received, monotonic())
            await asyncio.sleep(POLL_SECONDS)

    async def settled(self) -> None:
        """Return when the server is known to be there, or not to be; while it is watched."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENT_SECONDS):
                while not self._silent and monotonic() - self._at > FRESH_SECONDS:
                    self._looked.clear()
                    await self._looked.wait()

    def _look(self, received: int, now: float) -> None:
        if received != self._received:
            self._received, self._at = received, now
            if self._silent:
                self._silent = False
                self._told_answers()
        elif not self._silent and now - self._at > SILENT_SECONDS:
            self._silent = True
            self._told_silent(now - self._at)
        self._looked.set()


async def _received(room: rtc.Room) -> int:
    """Whatever the server sent: packets, and answers to connectivity checks."""
    total = 0
    for stats in (await room.get_rtc_stats()).publisher_stats:
        if stats.HasField("transport"):
            total += stats.transport.transport.packets_received
        if stats.HasField("candidate_pair"):
            total += stats.candidate_pair.candidate_pair.responses_received
    return total
