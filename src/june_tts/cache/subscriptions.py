"""The connection on which Redis tells what other replicas publish, and whether it still lives."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

BEAT_SECONDS = 0.15
LEASE_SECONDS = 0.5
"""How long an answered ping proves that nothing was missed: what was published before it came before it."""
ANSWER_SECONDS = 0.25
"""For a ping. With a beat less than the lease, so that a Redis that is slow now and then is not given up."""
PAUSE_SECONDS = 0.25
"""Between two tries to connect."""

_OWN_CHANNEL = "june:pulse"
"""Nothing is published here: with it the connection is a subscriber's even while nobody listens."""

Callback = Callable[[bytes], None]
log = structlog.get_logger(__name__)


class Subscriptions:
    """Keeps the channels subscribed over restarts of Redis, and pings it on the same connection.

    A connection to a Redis that was stopped, or is behind a cut, looks alive. So being subscribed is a lease:
    it holds for half a second from the last ping that was answered.
    """

    def __init__(
        self,
        connection: Callable[[], AbstractConnection],
        beat: Callable[[str | None], None],
        connect_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            connection: makes one, not yet connected.
            beat: told of each ping: None where it was answered, or why it was not.
        """
        self._connection = connection
        self._beat = beat
        self._connect_seconds = max(connect_seconds, ANSWER_SECONDS)
        self._clock = clock
        self._callbacks: dict[bytes, list[Callback]] = {}
        self._confirmed: frozenset[bytes] = frozenset()
        self._since: float | None = None
        self._proved = float("-inf")
        self.tried = asyncio.Event()
        """Set once it is known whether Redis answers."""

    def add(self, channel: str, callback: Callback) -> None:
        """Subscribed with the next beat. `callback` must not block; what it raises is logged."""
        self._callbacks.setdefault(channel.encode(), []).append(callback)

    @property
    def live(self) -> bool:
        """Whether every message of the last moments has arrived, on every channel."""
        return self.since is not None and self._clock() - self._proved < LEASE_SECONDS

    @property
    def since(self) -> float | None:
        """Since when nothing was missed, by the clock; None while not subscribed."""
        return self._since if self._confirmed >= self._callbacks.keys() else None

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._session()
            except (RedisError, OSError, TimeoutError) as bad:
                self._beat(type(bad).__name__)
            finally:
                self._since, self._confirmed = None, frozenset()
            self.tried.set()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _session(self) -> None:
        """One connection, up to its loss, which raises."""
        connection = self._connection()
        try:
            async with asyncio.timeout(self._connect_seconds):
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            while True:
                await self._subscribe(connection)
                await self._ping(connection)
                await self._listen(connection, self._clock() + BEAT_SECONDS)
        finally:
            with suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)

    async def _subscribe(self, connection: AbstractConnection) -> None:
        missing = {_OWN_CHANNEL.encode(), *self._callbacks} - self._confirmed
        if missing:
            await connection.send_command("SUBSCRIBE", *sorted(missing))
            await self._ping(connection)
            # the answer came after those to SUBSCRIBE; only from now on nothing is missed
            self._confirmed |= missing
            self._since = self._clock()

    async def _ping(self, connection: AbstractConnection) -> None:
        asked = self._clock()
        async with asyncio.timeout(ANSWER_SECONDS):
            await connection.send_command("PING")
            async with aclosing(self._messages(connection, asked + ANSWER_SECONDS)) as messages:
                async for message in messages:
                    if message[0] == b"pong":
                        break
                else:
                    raise TimeoutError
        self._proved = asked
        self._beat(None)
        self.tried.set()

    async def _listen(self, connection: AbstractConnection, until: float) -> None:
        async with aclosing(self._messages(connection, until)) as messages:
            async for _ in messages:
                pass

    async def _messages(
        self, connection: AbstractConnection, until: float
    ) -> AsyncGenerator[list[Any], None]:
        """What comes up to a moment of the clock; callbacks have been told of it."""
        while (left := until - self._clock()) > 0:
            message = await connection.read_response(disable_decoding=True, timeout=left)
            if message is None:
                return
            if message[0] == b"message":
                self._tell(message[1], message[2])
            yield message

    def _tell(self, channel: bytes, payload: bytes) -> None:
        for callback in self._callbacks.get(channel, ()):
            try:
                callback(payload)
            except Exception:  # one listener's fault must not cost the others their news
                log.exception("a subscriber failed", channel=channel.decode())
