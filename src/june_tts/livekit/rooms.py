"""All rooms that june-tts is in: each joined once, kept warm for a while, left at the end."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

import structlog

from june_tts.errors import Overloaded, RoomUnavailable
from june_tts.livekit.background import Background
from june_tts.livekit.native import guard_log
from june_tts.livekit.room import LEAVE_SECONDS, Room, RoomRules
from june_tts.livekit.tokens import Tickets
from june_tts.service.begun import Begun
from june_tts.telemetry.metrics import Metrics
from june_tts.types import AudioChunk, Line, RoomsState

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
"""Between two tries to join the room that is always joined."""
RETRY_AFTER_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RoomsRules(RoomRules):
    most: int
    """Rooms at once."""
    warm_seconds: float
    """How long a room that nothing is said in is not left."""
    home: str | None
    """A room that is joined at once, and never left."""


class Rooms:
    """Implements `RoomPublisher`."""

    def __init__(self, tickets: Tickets, rules: RoomsRules, metrics: Metrics) -> None:
        guard_log()
        self._tickets = tickets
        self._rules = rules
        self._metrics = metrics.rooms
        self._joined: dict[str, Room] = {}
        self._joining: dict[str, asyncio.Task[Room]] = {}
        self._users: Counter[str] = Counter()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        """Of idle rooms, the one that is left first comes first."""
        self._background = Background()
        self._reachable = True
        self._keeper: asyncio.Task[None] | None = None
        self._metrics.watch_joined(lambda: len(self._joined))

    def start(self) -> None:
        """Join the room that is always joined, without waiting for it."""
        if self._rules.home:
            self._keeper = asyncio.create_task(self._keep(self._rules.home))

    @property
    def state(self) -> RoomsState:
        home = self._rules.home
        joined = self._joined.get(home) if home else None
        here = bool(joined and joined.alive) if home else None
        return RoomsState(len(self._joined), here, self._reachable)

    async def play(
        self,
        room: str,
        line: Line,
        chunks: AsyncGenerator[AudioChunk, None],
        heard: Callable[[float], None],
    ) -> None:
        # its first chunk is made while the room is joined
        with self._use(room):
            async with Begun(chunks) as begun, aclosing(begun.chunks()) as stream:
                joined = await self._room(room)
                await joined.play(line, stream, heard)

    async def close(self) -> None:
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        for timer in self._timers.values():
            timer.cancel()
        for joining in self._joining.values():
            joining.cancel()
        for name in list(self._joined):
            self._leave(name)
        await self._background.close(LEAVE_SECONDS + 1)

    @contextmanager
    def _use(self, name: str) -> Iterator[None]:
        """Nobody leaves the room meanwhile. Raises: Overloaded."""
        self._make_space(name)
        self._users[name] += 1
        if timer := self._timers.pop(name, None):
            timer.cancel()
        try:
            yield
        finally:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name]
                self._rest(name)

    def _make_space(self, name: str) -> None:
        there = {*self._joined, *self._joining, *self._users, *filter(None, [self._rules.home])}
        if name in there or len(there) < self._rules.most:
            return
        idle = next(iter(self._timers), None)
        if idle is None:
            raise Overloaded(
                f"june-tts speaks in {self._rules.most} rooms, which is the limit (JUNE_MAX_ROOMS)",
                param="room_name",
                retry_after=RETRY_AFTER_SECONDS,
            )
        self._leave(idle)

    def _rest(self, name: str) -> None:
        """Nobody speaks there now."""
        room = self._joined.get(name)
        if room and not room.alive:
            self._leave(name)
        elif room and name != self._rules.home:
            loop = asyncio.get_running_loop()
            self._timers[name] = loop.call_later(self._rules.warm_seconds, self._leave, name)

    async def _room(self, name: str) -> Room:
        room = self._joined.get(name)
        if room and room.alive:
            return room
        joining = self._joining.get(name)
        if joining is None:
            # a room that is trying to reconnect is left: joining anew is as fast, and its end is known
            self._leave(name)
            joining = self._joining[name] = self._background.add(self._join(name))
            joining.add_done_callback(lambda _: self._joining.pop(name, None))
        # whoever gives up takes the room from nobody else who waits for it
        return await asyncio.shield(joining)

    async def _join(self, name: str) -> Room:
        room = Room(name, self._rules, self._background, self._metrics.underruns.inc)
        try:
            await room.join(await self._tickets.ticket(name))
        except RoomUnavailable as why:
            self._tickets.forget(name)
            self._reachable = False
            self._metrics.joins.labels("failed").inc()
            log.warning("room not joined", room=name, reason=str(why))
            raise
        self._reachable = True
        self._metrics.joins.labels("joined").inc()
        self._joined[name] = room
        self._background.add(self._until_lost(name, room))
        log.info("room joined", room=name)
        if not self._users[name]:
            self._rest(name)
        return room

    async def _until_lost(self, name: str, room: Room) -> None:
        reason = await room.lost()
        log.info("room left", room=name, reason=reason)
        if self._joined.get(name) is room:
            self._leave(name)

    def _leave(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()
        if room := self._joined.pop(name, None):
            self._background.add(room.leave())

    async def _keep(self, home: str) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                room = await self._room(home)
            except RoomUnavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                pause = FIRST_PAUSE_SECONDS
                await room.lost()
