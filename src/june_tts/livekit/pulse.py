"""Whether LiveKit's server still answers: its client notices a cut network after ten seconds and more."""

import asyncio
from collections.abc import Callable
from time import monotonic

from livekit import rtc

POLL_SECONDS = 0.5
SILENT_SECONDS = 3.5
"""A server reports once a second on the sound it gets, and answers a connectivity check every 2.5 s."""


class Pulse:
    """Watches one connection while somebody speaks over it."""

    def __init__(
        self, room: rtc.Room, *, silent: Callable[[float], None], answers: Callable[[], None]
    ) -> None:
        """
        Args:
            silent: called once when nothing has come for too long, with the seconds.
            answers: called when something comes again.
        """
        self._room = room
        self._silent = silent
        self._answers = answers

    async def watch(self) -> None:
        """Until it is cancelled, or the connection has no figures any more."""
        before, at, silent = -1, monotonic(), False
        while True:
            try:
                received = await _received(self._room)
            except (
                RuntimeError
            ):  # what rtc raises where the connection has ended; who speaks is told otherwise
                return
            now = monotonic()
            if received != before:
                before, at = received, now
                if silent:
                    silent = False
                    self._answers()
            elif not silent and now - at > SILENT_SECONDS:
                silent = True
                self._silent(now - at)
            await asyncio.sleep(POLL_SECONDS)


async def _received(room: rtc.Room) -> int:
    """Whatever the server sent: packets, and answers to connectivity checks."""
    total = 0
    for stats in (await room.get_rtc_stats()).publisher_stats:
        if stats.HasField("transport"):
            total += stats.transport.transport.packets_received
        if stats.HasField("candidate_pair"):
            total += stats.candidate_pair.candidate_pair.responses_received
    return total
