"""One socket to the server, and the turns on it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from livekit.agents import APIConnectionError, APIError
from livekit.agents.utils import aio

from . import wire
from .failures import as_api_errors, spoken_error
from .log import logger
from .options import Options

Reply = Mapping[str, Any]

HEARTBEAT_SECONDS = 10.0
"""Of silence until the server is asked whether it is still there; half of it later the socket is given up."""
MOST_MESSAGE_BYTES = 4 << 20
CLOSE_SECONDS = 1.0


class Turn:
    """One context of a socket: text goes up as it is written, replies come down until the last one.

    Used by one stream, which takes `replies` to their end or leaves early.
    """

    def __init__(self, context: str, options: Options, connection: "Connection") -> None:
        self._context = context
        self._options = options
        self._connection = connection
        self._replies = asyncio.Queue[Reply | APIError]()
        self.began = False
        self.over = False
        """The server owes nothing more to this turn."""

    async def say(self, text: str) -> None:
        if not self.began:
            self.began = True
            await self._connection.send(wire.opening(self._context, self._options))
        await self._connection.send(wire.more(self._context, text))

    async def flush(self) -> None:
        if self.began:
            await self._connection.send(wire.flush(self._context))

    async def end(self) -> None:
        """No more text; it was flushed. A turn without any is over at once."""
        if self.began:
            await self._connection.send(wire.closing(self._context))
        else:
            self.hear({"isFinal": True})

    def hear(self, reply: Reply | APIError) -> None:
        self.over = self.over or isinstance(reply, APIError) or bool(reply.get("isFinal"))
        self._replies.put_nowait(reply)

    async def replies(self) -> AsyncIterator[Reply]:
        """Until the last one.

        Raises:
            APIError: the server refused this turn, or the socket was lost.
        """
        while True:
            reply = await self._replies.get()
            if isinstance(reply, APIError):
                raise reply
            yield reply
            if reply.get("isFinal"):
                return

    async def cancel(self) -> None:
        """Whatever is still being spoken stops now."""
        if self.began and not self.over:
            for _ in range(2):
                await self._connection.send(wire.closing(self._context))


class Connection:
    """A socket with a task that reads it as long as it is open.

    It is read between turns too: aiohttp answers pings and hears of a close only then.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._turns: dict[str, Turn] = {}
        self._reader = asyncio.create_task(self._read(), name="june_tts.read")

    @classmethod
    async def open(cls, session: aiohttp.ClientSession, options: Options, patience: float) -> "Connection":
        """Within `patience` seconds. Raises: APIError, in all its kinds."""
        with as_api_errors():
            async with asyncio.timeout(patience):
                return cls(
                    await session.ws_connect(
                        wire.socket_url(options),
                        headers=options.headers,
                        heartbeat=HEARTBEAT_SECONDS,
                        max_msg_size=MOST_MESSAGE_BYTES,
                    )
                )

    @property
    def closed(self) -> bool:
        return self._socket.closed or self._reader.done()

    @contextlib.asynccontextmanager
    async def turn(self, context: str, options: Options) -> AsyncIterator[Turn]:
        """Leaving it early cancels the speech, and the socket can be used by the next turn at once."""
        turn = self._turns[context] = Turn(context, options, self)
        try:
            yield turn
        finally:
            del self._turns[context]
            with contextlib.suppress(APIError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await turn.cancel()

    async def send(self, frame: Mapping[str, Any]) -> None:
        with as_api_errors():
            await self._socket.send_str(json.dumps(frame))

    async def aclose(self) -> None:
        await aio.cancel_and_wait(self._reader)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close()

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._hand_over(json.loads(message.data))
        finally:
            for turn in self._turns.values():
                turn.hear(APIConnectionError(f"june-tts closed the socket ({self._socket.close_code})"))

    def _hand_over(self, reply: dict[str, Any]) -> None:
        turn = self._turns.get(reply.get("contextId", ""))
        error = spoken_error(reply)
        if turn:
            turn.hear(error or reply)
        elif error:
            logger.warning("june-tts: %s", error.message)
