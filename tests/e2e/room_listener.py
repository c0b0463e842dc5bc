"""Somebody in a LiveKit room who writes in its chat, and hears and reads what an agent says there."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import uuid4

import numpy as np
from livekit import api, rtc
from tests.livekit_service import LiveKit

RATE = 48_000
QUIET_SECONDS = 1.0
"""Of silence, and what was said is over."""
LOUD = 500
"""Of 32,767: the noise of a codec stays below it."""
TIMEOUT_SECONDS = 30.0


class Listener:
    def __init__(self) -> None:
        self.room = rtc.Room()
        self.captions: list[str] = []
        self._frames: list[bytes] = []
        self._loud = asyncio.Event()
        self._last_loud = 0.0
        self._agent = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.room.on("track_subscribed", lambda track, *_: self._run(self._listen(track)))
        self.room.on("participant_connected", lambda _: self._agent.set())
        self.room.register_text_stream_handler(
            "lk.transcription", lambda reader, _: self._run(self._read(reader))
        )

    async def agent_is_there(self) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self._agent.wait()

    async def write(self, text: str) -> None:
        await self.room.local_participant.send_text(text, topic="lk.chat")

    async def hears(self) -> bytes:
        """What is said next, up to a silence, as a WAV file."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self._loud.wait()
            left = QUIET_SECONDS
            while left > 0:
                await asyncio.sleep(left)
                left = self._last_loud + QUIET_SECONDS - _now()
        heard, self._frames = b"".join(self._frames), []
        self._loud.clear()
        return _wav(heard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.room.disconnect()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.create_task(work))

    async def _listen(self, track: rtc.Track) -> None:
        async with aclosing(rtc.AudioStream(track, sample_rate=RATE, num_channels=1)) as stream:
            async for event in stream:
                data = bytes(event.frame.data)
                if np.abs(np.frombuffer(data, np.int16)).max() > LOUD:
                    self._last_loud = _now()
                    self._loud.set()
                if self._loud.is_set():
                    self._frames.append(data)

    async def _read(self, reader: rtc.TextStreamReader) -> None:
        self.captions.append(await reader.read_all())


@asynccontextmanager
async def listening(server: LiveKit, name: str) -> AsyncIterator[Listener]:
    """Joined to a new room of that name."""
    minted = api.AccessToken(server.key, server.secret).with_identity(f"person-{uuid4().hex[:8]}")
    token = minted.with_grants(api.VideoGrants(room_join=True, room=name)).to_jwt()
    listener = Listener()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await listener.room.connect(server.url, token)
    try:
        yield listener
    finally:
        await listener.close()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _wav(samples: bytes) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples)
    return out.getvalue()
