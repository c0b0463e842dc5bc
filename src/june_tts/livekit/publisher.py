"""The one track of a room: speech in 20 ms frames, paced by LiveKit's own queue."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from livekit import rtc

from june_tts.audio.frames import Frame, Framer
from june_tts.errors import RoomUnavailable
from june_tts.livekit.captions import Captions
from june_tts.types import AudioChunk

SAMPLE_RATE = 48_000
FRAME_SAMPLES = SAMPLE_RATE // 50
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
KEPT_SECONDS = 5.0
"""Of what was captured, to be said again where a connection turns out to have been away."""
STUCK_SECONDS = 5.0
"""LiveKit's queue moves in real time; after this long it never will."""


class Source(Protocol):
    """What is used of `rtc.AudioSource`."""

    @property
    def queued_duration(self) -> float: ...

    async def capture_frame(self, frame: rtc.AudioFrame) -> None: ...

    async def wait_for_playout(self) -> None: ...

    def clear_queue(self) -> None: ...


class Publisher:
    """Plays utterances, one after the other, into one source."""

    def __init__(
        self,
        source: Source,
        *,
        connected: Callable[[], Awaitable[float]],
        settled: Callable[[], Awaitable[float]],
        underrun: Callable[[], None],
    ) -> None:
        """
        Args:
            connected: returns when somebody can hear what is captured, with the seconds before that nobody
                could; may raise RoomUnavailable.
            settled: asked when the last frame has left; returns when somebody could hear it, with the seconds
                before it that nobody could; may raise RoomUnavailable.
            underrun: called when the queue has run dry in mid-utterance.
        """
        self._source = source
        self._connected = connected
        self._settled = settled
        self._underrun = underrun
        self._sent = 0.0
        self._recent: deque[Frame] = deque(maxlen=int(KEPT_SECONDS / FRAME_SECONDS))

    @property
    def position(self) -> float:
        """Seconds of the utterance that have left."""
        return max(0.0, self._sent - self._source.queued_duration)

    async def play(
        self,
        chunks: AsyncGenerator[AudioChunk, None],
        captions: Captions,
        progress: Callable[[float], None],
    ) -> None:
        """Return when the last frame has left. Cancelling empties the queue: silence within a frame."""
        self._sent = 0.0
        self._recent.clear()
        try:
            async with aclosing(_frames(chunks, captions)) as frames:
                async for frame in frames:
                    await self._send(frame)
                    progress(self.position)
            await self._played_out()
            while unheard := await self._settled():
                await self._say_again(unheard)
                await self._played_out()
        except (asyncio.CancelledError, RoomUnavailable):
            self._silence()
            raise
        finally:
            progress(self.position)

    async def _send(self, frame: Frame) -> None:
        unheard = await self._connected()
        if unheard:
            await self._say_again(unheard)
        elif self._sent and not self._source.queued_duration:
            self._underrun()
        self._recent.append(frame)
        await self._capture(frame)

    async def _say_again(self, seconds: float) -> None:
        """What was captured into a connection that was away already."""
        unheard = seconds + self._source.queued_duration
        self._source.clear_queue()
        again = list(self._recent)[-max(1, int(unheard / FRAME_SECONDS)) :]
        self._sent = max(0.0, self._sent - len(again) * FRAME_SECONDS)
        for frame in again:
            await self._capture(frame)

    async def _capture(self, frame: Frame) -> None:
        self._sent += FRAME_SECONDS
        # in a task of its own: one that is cut off half-way may be in the way of the next utterance's first
        capture = asyncio.ensure_future(
            self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), SAMPLE_RATE, 1, frame.size))
        )
        try:
            async with asyncio.timeout(STUCK_SECONDS):
                await asyncio.shield(capture)
        except asyncio.CancelledError:
            self._silence()
            await asyncio.wait({capture}, timeout=STUCK_SECONDS)
            raise
        except TimeoutError:
            raise RoomUnavailable("LiveKit takes no audio any more") from None
        finally:
            capture.cancel()

    async def _played_out(self) -> None:
        try:
            async with asyncio.timeout(STUCK_SECONDS):
                await self._source.wait_for_playout()
        except TimeoutError:
            raise RoomUnavailable("LiveKit did not play the end of the utterance") from None

    def _silence(self) -> None:
        self._sent = self.position
        self._source.clear_queue()


async def _frames(
    chunks: AsyncGenerator[AudioChunk, None], captions: Captions
) -> AsyncGenerator[Frame, None]:
    framer: Framer | None = None
    async for chunk in chunks:
        captions.learn(chunk.words)
        framer = framer or Framer(chunk.sample_rate, SAMPLE_RATE, FRAME_SAMPLES)
        for frame in framer.feed(chunk.samples):
            yield frame
    if framer:
        for frame in framer.finish():
            yield frame
