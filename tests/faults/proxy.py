"""A TCP proxy between a server and what it leans on, which can cut, delay, throttle and swallow.

In a thread of its own, so that synchronous and asynchronous tests can have it.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

Mode = Literal["open", "slow", "hole", "cut"]
BLOCK = 65_536
WAIT_SECONDS = 10.0


class Proxy:
    """Forwards to a port of this machine. `hole`: connections are accepted, stay, and nothing passes.
    `cut`: all are reset, new ones too. `slow`: every block waits, and is trickled."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._mode: Mode = "open"
        self._changed = asyncio.Event()
        self._delay, self._rate = 0.0, 0.0
        self._serving: set[asyncio.Task[None]] = set()
        self.connections = 0
        """Accepted ever."""
        self.answers = 0
        """Blocks that came back ever."""
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        self.port = self._do(self._listen())

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_SECONDS)
        self._loop.close()

    def open(self) -> None:
        self._do(self._set("open"))

    def hole(self) -> None:
        self._do(self._set("hole"))

    def slow(self, delay: float, rate: float = 0.0) -> None:
        """`delay` seconds for each block each way; `rate` bytes a second, 0 for any."""
        self._delay, self._rate = delay, rate
        self._do(self._set("slow"))

    def cut(self) -> None:
        self._do(self._set("cut"))

    @property
    def connected(self) -> int:
        """Connections that are open now."""
        return len(self._serving)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_SECONDS)

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        self._server.close()
        await self._drop()

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        self._changed.set()
        self._changed = asyncio.Event()
        if mode == "cut":
            await self._drop()

    async def _drop(self) -> None:
        for task in (dropped := list(self._serving)):
            task.cancel()
        await asyncio.gather(*dropped, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._forward(reader, writer)
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode == "cut":
            return
        await self._passable()
        there, far = await asyncio.open_connection("127.0.0.1", self._target)
        pumps = [
            asyncio.create_task(self._pump(reader, far, back=False)),
            asyncio.create_task(self._pump(there, writer, back=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            far.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, back: bool) -> None:
        while data := await source.read(BLOCK):
            await self._passable()
            if self._mode == "slow":
                await asyncio.sleep(self._delay + (len(data) / self._rate if self._rate else 0.0))
            sink.write(data)
            await sink.drain()
            self.answers += back

    async def _passable(self) -> None:
        while self._mode == "hole":
            await self._changed.wait()


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    made = Proxy(port)
    made.start()
    try:
        yield made
    finally:
        made.close()
