"""The sockets that stay open from turn to turn."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from livekit.agents import APIConnectionError
from livekit.agents.utils import ConnectionPool

from .connection import Connection, Turn
from .options import Options


class Sockets:
    """A pool whose sockets serve one turn at a time; where a second one comes meanwhile, it gets its own."""

    def __init__(self, connect: Callable[[float], Awaitable[Connection]]) -> None:
        self._pool = ConnectionPool[Connection](connect_cb=connect, close_cb=Connection.aclose)
        self.acquire_time = 0.0
        """Seconds that the last turn waited for its socket."""
        self.reused = False

    def prewarm(self) -> None:
        self._pool.prewarm()

    def invalidate(self) -> None:
        """No socket serves another turn; those under way end as they began."""
        self._pool.invalidate()

    @contextlib.asynccontextmanager
    async def turn(self, context: str, options: Options, patience: float) -> AsyncIterator[Turn]:
        connection = await self._take(patience)
        try:
            async with connection.turn(context, options) as turn:
                yield turn
        except (APIConnectionError, TimeoutError):
            # not to be trusted with another turn, and closing it now stops the server's work
            self._pool.remove(connection)
            await connection.aclose()
            raise
        finally:
            self._pool.put(connection)

    async def _take(self, patience: float) -> Connection:
        """One that is open: the pool does not notice that the server closed those which it keeps."""
        while (connection := await self._pool.get(timeout=patience)).closed:
            self._pool.remove(connection)
        self.acquire_time = self._pool.last_acquire_time
        self.reused = self._pool.last_connection_reused
        return connection

    async def aclose(self) -> None:
        await self._pool.aclose()
