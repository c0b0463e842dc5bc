"""Sends what is malformed, several at a time, and counts what comes back."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator

import httpx
from tests.fuzz.malformed import Request, Talk
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

REPLY_SECONDS = 30.0
TALK_SECONDS = 0.2
"""How long a socket is listened to after the last frame: it may have nothing to say."""
RIGHT_503 = ("overloaded", "not_configured", "store_unavailable", "deadline_missed")


class Sender:
    def __init__(self, address: str) -> None:
        self._address = address
        self.statuses: Counter[tuple[str, str]] = Counter()
        """By route and status; of sockets by the code they were closed with."""
        self.wrong: list[str] = []
        """What no request may be answered with."""

    async def send(self, requests: Iterable[Request | Talk], at_once: int = 8) -> None:
        waiting = iter(requests)
        limits = httpx.Limits(max_connections=at_once)
        async with httpx.AsyncClient(base_url=self._address, timeout=REPLY_SECONDS, limits=limits) as http:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(at_once):
                    tasks.create_task(self._caller(http, waiting))

    async def _caller(self, http: httpx.AsyncClient, waiting: Iterator[Request | Talk]) -> None:
        for request in waiting:
            if isinstance(request, Talk):
                await self._talk(request)
            else:
                await self._ask(http, request)

    async def _ask(self, http: httpx.AsyncClient, request: Request) -> None:
        try:
            reply = await http.request(
                request.method, request.path, headers=dict(request.headers), content=request.body
            )
        except httpx.LocalProtocolError:
            return  # the client itself does not send it
        except (httpx.RemoteProtocolError, httpx.ReadError) as cut:
            self._wrong(request, f"cut off: {cut!r}")
            return
        self.statuses[f"{request.method} {request.route}", str(reply.status_code)] += 1
        if reply.status_code >= 500 and not _right(reply):
            self._wrong(request, f"{reply.status_code} {reply.text[:300]}")

    async def _talk(self, talk: Talk) -> None:
        url = self._address.replace("http", "ws", 1) + talk.path
        ended = "1000"
        try:
            async with connect(url, open_timeout=REPLY_SECONDS, max_size=None) as socket:
                for frame in talk.frames:
                    await socket.send(frame)
                async with asyncio.timeout(TALK_SECONDS):
                    while True:
                        await socket.recv()
                if talk.dropped:
                    socket.transport.abort()
        except TimeoutError:
            ended = "quiet"
        except ConnectionClosed as closed:
            ended = str(closed.rcvd.code if closed.rcvd else "cut")
        except InvalidHandshake as refused:
            ended = str(refused)[-3:]
        except InvalidURI:
            return
        self.statuses[f"WebSocket {talk.route}", ended] += 1
        if ended in ("1011", "500"):
            self._wrong(talk, f"closed with {ended}")

    def _wrong(self, request: Request | Talk, what: str) -> None:
        self.wrong.append(f"{request!r}"[:600] + f" -> {what}")


def _right(reply: httpx.Response) -> bool:
    """Whether a refusal is one that a good request would have got as well."""
    return reply.status_code == 503 and any(code in reply.text for code in RIGHT_503)
