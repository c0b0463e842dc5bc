"""Redis, as the server uses it: never waited for long, never missed when it is away."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from june_tts.cache.breaker import Breaker
from june_tts.cache.subscriptions import Callback, Subscriptions
from june_tts.errors import SettingsError
from june_tts.telemetry.metrics.links import LinkMetrics

PREFIX = "june:"
_CONNECTIONS = 16
_SECONDS_PER_BYTE = 1 / 10_000_000
"""Added to the time that a call may take: a recording of megabytes is not slow because Redis is."""
_START_SECONDS = 1.0

log = structlog.get_logger(__name__)


class SharedUnavailable(Exception):
    """Redis gave no answer. Never leaves the package that asked it."""


@dataclass(frozen=True, slots=True)
class SharedOptions:
    timeout_seconds: float = 0.1
    """For a call, waiting for a connection included."""


class Shared:
    """What replicas share. `start` before the first use, `close` after the last.

    `get`, `set`, `delete` and `publish` never raise: without Redis there is nothing to find and nobody to
    tell. While it is away they return at once. Every key and channel gets the prefix `june:`.
    """

    def __init__(self, url: str, options: SharedOptions, metrics: LinkMetrics) -> None:
        """Connects to nothing yet. Raises: SettingsError, without the URL, which has a password in it."""
        self._pool = _pool(url, options.timeout_seconds)
        self._client = Redis.from_pool(self._pool)
        self._timeout = options.timeout_seconds
        self._metrics = metrics
        self._breaker = Breaker("redis", metrics)
        self._subscriptions = Subscriptions(self._pool.make_connection, self._beat, options.timeout_seconds)
        self._scripts: dict[str, Callable[..., Awaitable[Any]]] = {}
        self._refusals: set[str] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._answers = False
        self.calls = 0
        """Under way now, at most `connections` of them with one."""
        self.connections = _CONNECTIONS
        metrics.watch_redis(lambda: self.available, lambda: self.calls)

    async def start(self) -> None:
        """Begin to watch Redis; returns when it is known whether it answers, after a second at most."""
        self._keeper = asyncio.create_task(self._subscriptions.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                await self._subscriptions.tried.wait()

    async def close(self) -> None:
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                await self._client.aclose()
                await self._pool.aclose()

    @property
    def available(self) -> bool:
        """Whether Redis answered its last ping, half a second ago at most."""
        return self._answers and self._breaker.closed

    @property
    def away_since(self) -> float | None:
        """When it was given up for away, by `time.monotonic()`; None while it is asked."""
        return self._breaker.open_since

    @property
    def subscribed(self) -> bool:
        """Whether every message up to half a second ago has arrived, on every channel.

        False: something may have been published that did not come here.
        """
        return self._subscriptions.live

    @property
    def subscribed_since(self) -> float | None:
        """Since when no message was missed, by `time.monotonic()`; None while some may be."""
        return self._subscriptions.since

    def subscribe(self, channel: str, callback: Callback) -> None:
        """Have `callback` called with each message, over every restart of Redis. It must not block."""
        self._subscriptions.add(PREFIX + channel, callback)

    async def get(self, key: str, *, expected_bytes: int = 0) -> bytes | None:
        """`expected_bytes`: a large value may take longer."""
        found = await self._quietly(lambda: self._client.get(PREFIX + key), expected_bytes)
        return found if isinstance(found, bytes) else None

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> bool:
        """Returns: whether Redis has it now."""
        milliseconds = max(1, round(ttl_seconds * 1000))
        done = await self._quietly(lambda: self._client.set(PREFIX + key, value, px=milliseconds), len(value))
        return bool(done)

    async def delete(self, *keys: str) -> bool:
        """Returns: whether Redis has none of them now."""
        return await self._quietly(lambda: self._client.delete(*(PREFIX + key for key in keys))) is not None

    async def publish(self, channel: str, message: bytes) -> bool:
        """Returns: whether Redis took it; who is subscribed has it within milliseconds then."""
        return await self._quietly(lambda: self._client.publish(PREFIX + channel, message)) is not None

    async def run(
        self,
        script: str,
        keys: Sequence[str],
        args: Sequence[bytes | str | float],
        *,
        expected_bytes: int = 0,
    ) -> Any:
        """Run a Lua script, which Redis learns once. For constants: each text is kept.

        Raises:
            SharedUnavailable: it may have run all the same.
        """
        known = self._scripts.get(script)
        if known is None:
            known = self._scripts[script] = self._client.register_script(script)
        return await self._do(lambda: known([PREFIX + key for key in keys], args), expected_bytes)

    async def _quietly(self, call: Callable[[], Awaitable[Any]], size: int = 0) -> Any:
        try:
            return await self._do(call, size)
        except SharedUnavailable:
            return None

    async def _do(self, call: Callable[[], Awaitable[Any]], size: int = 0) -> Any:
        if not self._breaker.closed:
            self._metrics.redis_errors.labels("skipped").inc()
            raise SharedUnavailable
        self.calls += 1
        try:
            async with asyncio.timeout(self._timeout + size * _SECONDS_PER_BYTE):
                found = await call()
        except ResponseError as refused:
            self._refused(refused)
            raise SharedUnavailable from None
        except (RedisError, OSError, TimeoutError) as bad:
            self._metrics.redis_errors.labels("away").inc()
            self._breaker.failed(type(bad).__name__)
            raise SharedUnavailable from None
        finally:
            self.calls -= 1
        self._breaker.worked()
        return found

    def _refused(self, refused: ResponseError) -> None:
        """It answers and does not do it: out of memory, a replica that only reads. Told once a kind."""
        self._metrics.redis_errors.labels("refused").inc()
        self._breaker.worked()
        kind = type(refused).__name__
        if kind not in self._refusals:
            self._refusals.add(kind)
            log.warning("redis refuses a command", reason=kind)

    def _beat(self, failure: str | None) -> None:
        self._answers = failure is None
        if failure is not None:
            self._metrics.redis_errors.labels("away").inc()
        self._breaker.probed(failure)


async def open_shared(url: str, options: SharedOptions, metrics: LinkMetrics) -> Shared:
    """Redis by its URL, watched from now on; it need not be there yet. Raises: SettingsError."""
    shared = Shared(url, options, metrics)
    await shared.start()
    return shared


def _pool(url: str, timeout_seconds: float) -> BlockingConnectionPool:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            # our own limits are around every call; retries would multiply them
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            client_name="june-tts",
        )
        pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    except (ValueError, TypeError, RedisError) as bad:
        # not chained: it may quote the URL
        raise SettingsError(
            f"REDIS_URL cannot be read ({type(bad).__name__}): expected "
            "redis://user:password@host:port/0, or rediss:// for TLS, special characters as %XX"
        ) from None
    return pool
