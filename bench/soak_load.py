"""What a server is used for in a day, one request after the other: every kind of caller of `soak.py`."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping

import httpx
import msgpack
from tests.faults.traffic import tagged
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

FORMATS = ("wav", "pcm", "mp3", "opus", "aac", "flac")
WORDS = "river window garden summer letter morning paper stone music winter market bridge".split()
PHRASES = 60
"""Texts that are asked for again and again."""
REPLY_SECONDS = 60.0
TRY_AGAIN = 1013
"""The close code of a socket that found no place."""


class Callers:
    """Each call is one request of a kind drawn at random; what became of it is counted."""

    def __init__(self, address: str, http: httpx.AsyncClient, seed: int, headers: Mapping[str, str]) -> None:
        """`headers`: of sockets; `http` has its own."""
        self._address, self._http = address, http
        self._headers = dict(headers)
        self._draw = random.Random(seed)
        self._phrases = [self._text(8) for _ in range(PHRASES)]
        self._uploaded = 0
        self.counts: Counter[str] = Counter()
        """By kind and end."""
        self.first_seconds: list[float] = []
        """Of streams, since somebody took them."""
        kinds: dict[str, tuple[Callable[[], Awaitable[str]], int]] = {
            "stream": (self._stream, 52),
            "phrase": (self._phrase, 8),
            "socket": (self._socket, 6),
            "socket of phrases": (self._socket_of_phrases, 6),
            "hang-up": (self._hang_up, 10),
            "batch": (self._batch, 3),
            "voice": (self._voice, 3),
            "refused": (self._refused, 12),
        }
        self._names = list(kinds)
        self._calls = [call for call, _ in kinds.values()]
        self._weights = [weight for _, weight in kinds.values()]

    async def call(self) -> None:
        (at,) = self._draw.choices(range(len(self._calls)), self._weights)
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                end = await self._calls[at]()
        except (httpx.HTTPError, OSError, TimeoutError) as failure:
            end = type(failure).__name__
        self.counts[f"{self._names[at]} {end}"] += 1

    async def stream(self) -> str:
        return await self._stream()

    def _text(self, words: int) -> str:
        return " ".join(self._draw.choices(WORDS, k=words)).capitalize() + "."

    def _body(self, words: int) -> dict[str, object]:
        return {
            "input": self._text(words),
            "voice": "joe",
            "response_format": self._draw.choice(FORMATS),
            "stream_format": "sse" if self._draw.random() < 0.1 else "audio",
        }

    async def _stream(self) -> str:
        began = time.perf_counter()
        first: float | None = None
        body = self._body(self._draw.randint(4, 30))
        async with self._http.stream("POST", "/v1/audio/speech", json=body) as reply:
            async for _ in reply.aiter_raw():
                first = first or time.perf_counter() - began
        if reply.status_code == 200 and first is not None:
            self.first_seconds.append(first)
        return str(reply.status_code)

    async def _hang_up(self) -> str:
        async with self._http.stream("POST", "/v1/audio/speech", json=self._body(80)) as reply:
            async for _ in reply.aiter_raw():
                break
        return str(reply.status_code)

    async def _phrase(self) -> str:
        body = self._body(1) | {"input": self._draw.choice(self._phrases)}
        return str((await self._http.post("/v1/audio/speech", json=body)).status_code)

    async def _socket(self) -> str:
        """Words as a language model writes them."""
        return await self._turn(self._text(5) + " " for _ in range(4))

    async def _socket_of_phrases(self) -> str:
        """Whole texts, each with its flush, as agents say what they know by heart."""
        return await self._turn(self._draw.choices(self._phrases, k=3), flush=True)

    async def _turn(self, texts: Iterable[str], *, flush: bool = False) -> str:
        url = self._address.replace("http", "ws", 1) + "/v1/tts/live"
        try:
            return await self._spoken(url, texts, flush)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            return "503" if code == TRY_AGAIN else f"closed with {code}"

    async def _spoken(self, url: str, texts: Iterable[str], flush: bool) -> str:
        async with connect(url, additional_headers=self._headers) as socket:
            start = {"text": "", "format": "pcm", "reference_id": "joe"}
            await socket.send(msgpack.packb({"event": "start", "request": start}))
            for text in texts:
                await socket.send(msgpack.packb({"event": "text", "text": text}))
                if flush:
                    await socket.send(msgpack.packb({"event": "flush"}))
                await asyncio.sleep(0.05)
            await socket.send(msgpack.packb({"event": "stop"}))
            async for message in socket:
                event = msgpack.unpackb(message) if isinstance(message, bytes) else {}
                if event.get("event") == "finish":
                    return str(event.get("reason"))
        return "closed"

    async def _batch(self) -> str:
        items = [{"text": self._text(6), "voice_id": "joe"} for _ in range(5)]
        reply = await self._http.post("/v1/batch", json={"items": items})
        return str(reply.status_code)

    async def _voice(self) -> str:
        self._uploaded += 1
        voice_id = f"soak{self._uploaded}"
        reply = await self._http.post(
            "/api/voices/clone",
            data={"voice_id": voice_id, "voice_name": "Soak"},
            files={"file": ("a.wav", tagged(self._uploaded))},
        )
        removed = await self._http.delete(f"/api/voices/{voice_id}")
        return f"{reply.status_code} {removed.status_code}"

    async def _refused(self) -> str:
        wrong = self._draw.choice(
            (
                {"input": "", "voice": "joe"},
                {"input": "Hello.", "voice": "nobody"},
                {"input": "Hello.", "voice": "joe", "speed": 99},
                {"input": "Hello.", "voice": "joe", "colour": "red"},
            )
        )
        reply = await self._http.post("/v1/audio/speech", json=wrong)
        return str(reply.status_code)
