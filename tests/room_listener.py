"""A person in a LiveKit room: what was heard, when, and what the captions said."""

import asyncio
import io
import time
import wave
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from livekit import api, rtc
from numpy.typing import NDArray

RATE = 48_000
JOIN_SECONDS = 15
AUDIBLE = 200
"""Of 32,767; comfort noise and the codec's own noise are below."""
LEVEL = {"heard": 0.25, "missing": 0.04}
"""Shares of a take's usual level: above the one it speaks, below the other there is nothing."""
FRAME = RATE // 100

Sound = NDArray[np.int16]


@dataclass
class Caption:
    at: float
    """`time.monotonic()`."""
    text: str
    final: bool
    segment: str


@dataclass
class Listener:
    """Its sound comes in frames of 10 ms, as a loudspeaker would get them."""

    room: rtc.Room
    frames: list[tuple[float, Sound]] = field(default_factory=list)
    """When (`time.monotonic()`) and what."""
    captions: list[Caption] = field(default_factory=list)
    events: list[Caption] = field(default_factory=list)
    """The older kind of captions."""
    tracks: int = 0
    listening: asyncio.Event = field(default_factory=asyncio.Event)

    def mark(self) -> int:
        """A place in the recording."""
        return len(self.frames)

    def sound(self, mark: int = 0) -> Sound:
        """What was heard since."""
        parts = [frame for _, frame in self.frames[mark:]]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def heard_at(self, mark: int = 0) -> float | None:
        """When the first sound since was heard."""
        return next((at for at, frame in self.frames[mark:] if loud(frame)), None)

    def silent_since(self, mark: int = 0) -> float | None:
        """When the last sound since was heard."""
        return next((at for at, frame in reversed(self.frames[mark:]) if loud(frame)), None)

    async def hears(self, mark: int = 0, seconds: float = 10.0) -> float:
        """Wait for a sound; when it came. Raises: TimeoutError."""
        async with asyncio.timeout(seconds):
            while (at := self.heard_at(mark)) is None:  # noqa: ASYNC110 - it is the other end that is watched
                await asyncio.sleep(0.01)
        return at

    async def quiet(self, mark: int = 0, seconds: float = 0.4) -> None:
        """Wait until nothing has been heard for so long."""
        began = time.monotonic()
        while time.monotonic() - (self.silent_since(mark) or began) < seconds:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def concealed(self) -> float:
        """Seconds of sound that the player made up because none had come in time; pauses are not in it."""
        made_up = 0
        for person in self.room.remote_participants.values():
            for publication in person.track_publications.values():
                for stats in await publication.track.get_stats() if publication.track else ():
                    inbound = stats.inbound_rtp.inbound
                    made_up += inbound.concealed_samples - inbound.silent_concealed_samples
        return made_up / RATE


def loud(frame: Sound) -> bool:
    return bool(frame.size) and int(np.abs(frame.astype(np.int32)).max()) > AUDIBLE


def token(key: tuple[str, str], room: str, identity: str) -> str:
    """Of somebody who only listens. `key`: the server's key and secret."""
    minted = api.AccessToken(*key).with_identity(identity)
    return minted.with_grants(api.VideoGrants(room_join=True, room=room, can_publish=False)).to_jwt()


@asynccontextmanager
async def listening(
    url: str, key: tuple[str, str], room: str, identity: str = "listener"
) -> AsyncIterator[Listener]:
    """Somebody in the room, who hears whatever is said there."""
    participant = rtc.Room()
    listener = Listener(participant)
    pumps: set[asyncio.Task[None]] = set()

    def heard(track: rtc.RemoteTrack, *_: object) -> None:
        listener.tracks += 1
        pumps.add(asyncio.create_task(_pump(track, listener)))

    def captioned(reader: rtc.TextStreamReader, _: str) -> None:
        pumps.add(asyncio.create_task(_read(reader, listener)))

    def told(segments: list[rtc.TranscriptionSegment], *_: object) -> None:
        now = time.monotonic()
        listener.events.extend(Caption(now, one.text, one.final, one.id) for one in segments)

    participant.on("track_subscribed", heard)
    participant.on("transcription_received", told)
    participant.register_text_stream_handler("lk.transcription", captioned)
    async with asyncio.timeout(JOIN_SECONDS):
        await participant.connect(url, token(key, room, identity))
    try:
        yield listener
    finally:
        for pump in pumps:
            pump.cancel()
        if pumps:
            await asyncio.wait(pumps)
        await participant.disconnect()


async def _pump(track: rtc.RemoteTrack, listener: Listener) -> None:
    async with aclosing(rtc.AudioStream(track, sample_rate=RATE, num_channels=1)) as stream:
        listener.listening.set()
        async for event in stream:
            frame = np.frombuffer(event.frame.data, np.int16).copy()
            listener.frames.append((time.monotonic(), frame))


async def _read(reader: rtc.TextStreamReader, listener: Listener) -> None:
    segment = (reader.info.attributes or {}).get("lk.segment_id", "")
    async for text in reader:
        listener.captions.append(Caption(time.monotonic(), text, False, segment))
    final = (reader.info.attributes or {}).get("lk.transcription_final") == "true"
    listener.captions.append(Caption(time.monotonic(), "", final, segment))


def wav(sound: Sound, rate: int = RATE) -> bytes:
    """A file that a recogniser reads."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(sound.tobytes())
    return file.getvalue()


def trimmed(sound: Sound) -> Sound:
    """From the first audible sample to the last."""
    there = np.flatnonzero(np.abs(sound.astype(np.int32)) > AUDIBLE)
    return sound[there[0] : there[-1] + 1] if there.size else sound[:0]


def missing(heard: Sound, said: Sound) -> list[float]:
    """Seconds of each stretch where something was said and nothing was heard; both at 48 kHz.

    Silence alone proves nothing, since people pause: what was heard is laid over what was said.
    """
    one, other = _levels(trimmed(heard)), _levels(trimmed(said))
    usual = float(np.percentile(other, 80)) if other.size else 0.0
    # the player at the other end stretches time by a frame now and then: loud is what is loud all around
    around = np.lib.stride_tricks.sliding_window_view(np.pad(other, 3), 7).min(axis=1)
    gone = (_stretched(one, other.size) < LEVEL["missing"] * usual) & (around > LEVEL["heard"] * usual)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gone.astype(np.int8), [0]])))
    return [float(end - start) / 100 for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _levels(sound: Sound) -> NDArray[np.float64]:
    whole = sound[: sound.size // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    return np.sqrt(np.mean(whole**2, axis=1)) if whole.size else np.zeros(0)


def _stretched(levels: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """The beginning, filled up with silence: a gap that was played as silence keeps its place."""
    return np.pad(levels, (0, max(0, size - levels.size)))[:size]
