"""The track of a room over a source of our own: frames, order, pace, silence on demand."""

import asyncio
import time
from collections.abc import AsyncGenerator

import numpy as np
import pytest
from livekit import rtc

from june_tts.errors import RoomUnavailable
from june_tts.livekit import publisher as module
from june_tts.livekit.captions import Captions
from june_tts.livekit.publisher import FRAME_SAMPLES, SAMPLE_RATE, Publisher
from june_tts.service.begun import Begun
from june_tts.types import AudioChunk, Line

pytestmark = pytest.mark.unit


class FakeSource:
    """Plays in real time, and holds `room` seconds."""

    def __init__(self, room: float = 0.2) -> None:
        self.room = room
        self.frames: list[rtc.AudioFrame] = []
        self.cleared = 0
        self.capturing = 0
        self._ends = 0.0

    @property
    def queued_duration(self) -> float:
        return max(0.0, self._ends - time.monotonic())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        self.capturing += 1
        assert self.capturing == 1, "two captures at once"
        self.frames.append(frame)
        self._ends = max(self._ends, time.monotonic()) + frame.duration
        # not to be hurried, as LiveKit's own
        await asyncio.shield(asyncio.sleep(self.queued_duration - self.room))
        self.capturing -= 1

    async def wait_for_playout(self) -> None:
        await asyncio.sleep(self.queued_duration)

    def clear_queue(self) -> None:
        self.cleared += 1
        self._ends = 0.0


class Stage:
    """A publisher, and what it was told and tells."""

    def __init__(self, source: FakeSource | None = None) -> None:
        self.source = source or FakeSource()
        self.underruns = 0
        self.heard = 0.0
        self.unheard = 0.0
        self.connected = asyncio.Event()
        self.connected.set()
        self.ends: list[float] = []
        """Seconds of the end that were not heard, by how often it was said."""
        self.publisher = Publisher(
            self.source, connected=self._wait, settled=self._settle, underrun=self._ran_dry
        )

    async def _wait(self) -> float:
        await self.connected.wait()
        unheard, self.unheard = self.unheard, 0.0
        return unheard

    async def _settle(self) -> float:
        return self.ends.pop(0) if self.ends else 0.0

    def _ran_dry(self) -> None:
        self.underruns += 1

    def _hear(self, seconds: float) -> None:
        self.heard = seconds

    async def play(self, chunks: AsyncGenerator[AudioChunk, None]) -> None:
        await self.publisher.play(chunks, Captions(Line("id", "")), self._hear)

    @property
    def samples(self) -> np.ndarray:
        return np.concatenate([np.frombuffer(frame.data, np.int16) for frame in self.source.frames])


async def tone(
    seconds: float, rate: int = 22_050, parts: int = 3, pause: float = 0
) -> AsyncGenerator[AudioChunk, None]:
    wave = 0.5 * np.sin(2 * np.pi * 300 * np.arange(int(seconds * rate)) / rate).astype(np.float32)
    for part in np.array_split(wave, parts):
        yield AudioChunk(part, rate)
        await asyncio.sleep(pause)


async def test_speech_leaves_in_frames_of_20_ms_at_48_khz_whatever_its_rate_and_chunks() -> None:
    whole, parts = Stage(), Stage()
    await asyncio.gather(whole.play(tone(0.35, parts=1)), parts.play(tone(0.35, parts=11)))
    assert {frame.samples_per_channel for frame in whole.source.frames} == {FRAME_SAMPLES}
    assert {(frame.sample_rate, frame.num_channels) for frame in whole.source.frames} == {(SAMPLE_RATE, 1)}
    assert whole.heard == pytest.approx(0.36)
    np.testing.assert_array_equal(whole.samples, parts.samples)
    expected = 16384 * np.sin(2 * np.pi * 300 * np.arange(4000, 8000) / SAMPLE_RATE)
    np.testing.assert_allclose(whole.samples[4000:8000], expected, atol=200)


async def test_it_returns_when_the_last_frame_has_left_and_not_before() -> None:
    stage = Stage()
    began = time.monotonic()
    await stage.play(tone(0.5))
    assert 0.48 < time.monotonic() - began < 2


async def test_a_long_chunk_does_not_hold_back_the_first_frame() -> None:
    stage = Stage()
    playing = asyncio.create_task(stage.play(tone(60.0, parts=1)))
    await asyncio.sleep(0.2)
    assert stage.source.frames
    assert len(stage.source.frames) < 60
    playing.cancel()
    await asyncio.wait({playing})


@pytest.mark.parametrize("after", [0.05, 0.31])
async def test_cancelling_empties_the_queue_and_tells_what_was_heard(after: float) -> None:
    """While frames still fit, and while the queue is full."""
    stage = Stage()
    playing = asyncio.create_task(stage.play(tone(5.0)))
    await asyncio.sleep(after)
    playing.cancel()
    began = time.monotonic()
    await asyncio.wait({playing})
    assert playing.cancelled() and stage.source.cleared
    assert time.monotonic() - began < 0.2
    assert 0 < stage.heard < after + 0.1
    assert stage.source.queued_duration == 0
    await stage.play(tone(0.1))
    assert stage.heard == pytest.approx(0.1)


async def test_nothing_is_captured_while_the_connection_is_away() -> None:
    stage = Stage()
    stage.connected.clear()
    playing = asyncio.create_task(stage.play(tone(0.2)))
    await asyncio.sleep(0.1)
    assert not stage.source.frames
    stage.connected.set()
    await playing
    assert stage.heard == pytest.approx(0.2)


async def test_what_was_captured_while_nobody_could_hear_it_is_said_again() -> None:
    stage = Stage()
    playing = asyncio.create_task(stage.play(tone(1.0)))
    await asyncio.sleep(0.5)
    stage.connected.clear()
    await asyncio.sleep(0.35)
    sent = len(stage.source.frames)
    stage.unheard = 0.3
    stage.connected.set()
    await playing
    assert len(stage.source.frames) == 50 + 15
    assert stage.heard == pytest.approx(1.0)
    assert stage.underruns == 0
    again = [frame.data.tobytes() for frame in stage.source.frames]
    assert again[sent - 15 : sent] == again[sent : sent + 15]


async def test_a_queue_that_runs_dry_is_counted_and_a_steady_one_is_not() -> None:
    steady, late = Stage(), Stage()
    await asyncio.gather(steady.play(tone(0.3)), late.play(tone(0.3, parts=3, pause=0.3)))
    # one for each pause; after the last one comes what the resampler held back
    assert (steady.underruns, late.underruns) == (0, 3)


async def test_a_queue_that_does_not_move_is_a_lost_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.1)
    stage = Stage(FakeSource(room=-60))
    with pytest.raises(RoomUnavailable):
        await stage.play(tone(0.1))


async def test_a_stream_begins_before_it_is_asked_for_and_is_closed_in_any_case() -> None:
    made: list[str] = []

    async def chunks() -> AsyncGenerator[AudioChunk, None]:
        try:
            made.append("begun")
            yield AudioChunk(np.zeros(1, np.float32), 8000)
            yield AudioChunk(np.zeros(2, np.float32), 8000)
        finally:
            made.append("closed")

    async with Begun(chunks()) as begun:
        await asyncio.sleep(0)
        assert made == ["begun"]
        assert [chunk.samples.size async for chunk in begun.chunks()] == [1, 2]
    assert made == ["begun", "closed"]
    made.clear()
    with pytest.raises(RoomUnavailable):
        async with Begun(chunks()):
            raise RoomUnavailable
    assert made in ([], ["begun", "closed"])


async def test_the_error_of_a_first_chunk_comes_to_whoever_takes_it() -> None:
    async def failing() -> AsyncGenerator[AudioChunk, None]:
        raise RoomUnavailable("no engine")
        yield

    with pytest.raises(RoomUnavailable, match="no engine"):
        async with Begun(failing()) as begun:
            await anext(begun.chunks())


async def test_an_end_that_nobody_heard_is_said_again() -> None:
    stage, whole = Stage(), Stage()
    stage.ends = [0.1, 0.04]
    await asyncio.gather(stage.play(tone(0.5)), whole.play(tone(0.5)))
    said = whole.samples
    again = [said, said[-5 * FRAME_SAMPLES :], said[-2 * FRAME_SAMPLES :]]
    np.testing.assert_array_equal(stage.samples, np.concatenate(again))
    assert stage.heard == pytest.approx(whole.heard)
