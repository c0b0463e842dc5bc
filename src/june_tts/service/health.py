"""What the server leans on, what of it is not as it should be, and since when."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from june_tts.errors import StoreUnavailable
from june_tts.ports import Engine, Supervised, VoiceStore
from june_tts.service.watchdog import Watchdog

PING_SECONDS = 2.0
LOOK_SECONDS = 5.0
"""Between two looks at the database, so that it is known since when it is away, whoever asks."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part that is not as it should be."""

    part: str
    """`draining`, `database`, `redis`, `rooms`, `voices`, or `engine ` and its name."""
    state: str
    since: float
    """Seconds since 1970."""
    blocks: bool
    """New requests should go to another replica while it lasts."""


class Health:
    """`run` it in a task of its own; cancelling ends it. For the event loop alone."""

    def __init__(
        self,
        engines: Sequence[Engine],
        store: VoiceStore,
        watchdog: Watchdog,
        *,
        draining: Callable[[], bool],
        redis: Callable[[], bool] | None = None,
    ) -> None:
        """
        Args:
            draining: whether the server is stopping.
            redis: whether it answers; None where there is none.
        """
        self._engines = engines
        self._store = store
        self._watchdog = watchdog
        self._draining = draining
        self._redis = redis
        self._since: dict[str, float] = {}
        """When a part's trouble was first seen."""
        self.database = True

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask the database whether it answers."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._store.ping()
        except (StoreUnavailable, TimeoutError):
            self.database = False
        else:
            self.database = True
        self.troubles()

    def troubles(self, *, rooms_away: bool = False) -> list[Trouble]:
        """What is wrong now. Never waits."""
        found = [
            *self._stopping(),
            *(trouble for engine in self._engines for trouble in self._of(engine)),
            *self._told("voices", "none", there=not any(engine.voices() for engine in self._engines)),
            *self._told("database", "away", there=not self.database),
            *self._told("redis", "away", there=self._redis is not None and not self._redis()),
            *self._told("rooms", "away", there=rooms_away),
        ]
        self._since = {part: at for part, at in self._since.items() if any(t.part == part for t in found)}
        return found

    def _stopping(self) -> list[Trouble]:
        return self._told("draining", "stopping", there=self._draining(), blocks=True)

    def _of(self, engine: Engine) -> list[Trouble]:
        part = f"engine {engine.name}"
        if isinstance(engine, Supervised) and engine.health.status != "ready":
            return [Trouble(part, engine.health.status, engine.health.since, blocks=True)]
        if (since := self._watchdog.stalled.get(engine.name)) is not None:
            return [Trouble(part, "stalled", since, blocks=True)]
        return []

    def _told(self, part: str, state: str, *, there: bool, blocks: bool = False) -> list[Trouble]:
        if not there:
            return []
        return [Trouble(part, state, self._since.setdefault(part, time.time()), blocks)]
