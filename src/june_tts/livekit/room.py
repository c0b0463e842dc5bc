"""One room: joined once, spoken into many times, left at the end."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import structlog
from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from june_tts.errors import RoomUnavailable, shown
from june_tts.livekit.background import Background
from june_tts.livekit.captions import Captions
from june_tts.livekit.publisher import SAMPLE_RATE, Publisher
from june_tts.livekit.pulse import Pulse
from june_tts.livekit.tokens import Ticket
from june_tts.livekit.transcription import Transcription
from june_tts.types import AudioChunk, Line

TRACK_NAME = "june-tts"
BITRATE = 48_000
"""Of Opus, bit/s; enough that the codec cannot be told from the voice."""
LEAVE_SECONDS = 3.0
REPORT_SECONDS = 1.0
"""How often a server reports: on average it was there for half of that after its last report."""
LISTENER_SECONDS = 1.0
"""How long a first utterance waits for somebody there to take the track: until then nobody can hear it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RoomRules:
    buffer_ms: int
    """Of audio in LiveKit's queue."""
    join_seconds: float
    reconnect_seconds: float
    """How long an utterance waits for a lost connection to come back."""
    captions: bool


class Room:
    """A connection to one room, and its track. `join` before the first `play`, `leave` after the last."""

    def __init__(
        self, name: str, rules: RoomRules, background: Background, underrun: Callable[[], None]
    ) -> None:
        self.name = name
        self._rules = rules
        self._background = background
        self._underrun = underrun
        self._room = rtc.Room()
        self._pulse: Pulse | None = None
        self._source: rtc.AudioSource | None = None
        self._publisher: Publisher | None = None
        self._publication: rtc.LocalTrackPublication | None = None
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._flowing = asyncio.Event()
        self._signalled = self._answered = True
        self._unheard = 0.0
        """Seconds captured while the connection was away and nobody knew, until `_away_at`."""
        self._away_at = 0.0
        self._taken = asyncio.Event()
        self._announced = False
        self._handlers = {
            "reconnecting": self._on_reconnecting,
            "reconnected": self._on_reconnected,
            "disconnected": self._on_disconnected,
            "moved": self._on_moved,
            "local_track_subscribed": self._on_taken,
            "local_track_republished": self._on_republished,
        }

    @property
    def alive(self) -> bool:
        """Joined, and not about to find out whether it still is."""
        return self._flowing.is_set() and not self._lost.done()

    async def lost(self) -> str:
        """Return when the connection has ended, with the reason."""
        return await asyncio.shield(self._lost)

    async def join(self, ticket: Ticket) -> None:
        """Raises: RoomUnavailable."""
        # never cancelled: the library would go on, and be in the room without anybody knowing
        connecting = self._background.add(self._connect(ticket))
        try:
            async with asyncio.timeout(self._rules.join_seconds):
                await asyncio.shield(connecting)
        except TimeoutError:
            raise RoomUnavailable(
                f"LiveKit did not let june-tts into the room {shown(self.name)} "
                f"within {self._rules.join_seconds:g} s"
            ) from None
        except rtc.ConnectError as refused:
            # not chained: its text has the token in it
            raise RoomUnavailable(_explained(refused.message)) from None
        except PublishTrackError:
            raise RoomUnavailable("LiveKit lets june-tts into the room, but not speak in it") from None
        finally:
            if not self.alive:
                connecting.add_done_callback(lambda _: self._background.add(self.leave()))

    async def play(
        self, line: Line, chunks: AsyncGenerator[AudioChunk, None], progress: Callable[[float], None]
    ) -> None:
        """Speak one utterance; return when its last frame has left. Cancelling is silence at once.

        Raises:
            RoomUnavailable: the connection was lost and did not come back.
            JuneError: what `chunks` raise.
        """
        if self._publisher is None or self._pulse is None:
            raise RoomUnavailable(f"the room {shown(self.name)} was left")
        captions, published = Captions(line), self._transcription(line)

        def told(seconds: float) -> None:
            progress(seconds)
            if published:
                published.add(captions.upto(seconds))

        try:
            await self._while_joined(self._watched(self._publisher, self._pulse, chunks, captions, told))
            if published:
                published.add(captions.rest())
        finally:
            if published:
                published.end()

    async def leave(self) -> None:
        """Does nothing the second time."""
        self._end("june-tts left the room")
        for event, handler in self._handlers.items():
            with suppress(KeyError, ValueError):
                self._room.off(event, handler)  # type: ignore[arg-type]  # a str, where rtc wants its Literal
        self._handlers = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._room.disconnect()
        if self._source:
            await self._source.aclose()
        # each but the source refers back to this: what LiveKit's library holds would wait for the collector
        self._source = self._publisher = self._publication = self._pulse = None

    async def _connect(self, ticket: Ticket) -> None:
        for event, handler in self._handlers.items():
            self._room.on(event, handler)  # type: ignore[arg-type]
        options = rtc.RoomOptions(auto_subscribe=False, connect_timeout=self._rules.join_seconds)
        await self._room.connect(ticket.url, ticket.token, options)
        if self._room.name != self.name:
            raise RoomUnavailable(f"the token for the room {shown(self.name)} opens another one")
        self._source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=self._rules.buffer_ms)
        track = rtc.LocalAudioTrack.create_audio_track(TRACK_NAME, self._source)
        how = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        how.audio_encoding.max_bitrate = BITRATE
        # packets also in silence: a listener's jitter buffer has settled before the first word, 25 ms sooner
        how.dtx = False
        self._publication = await self._room.local_participant.publish_track(track, how)
        self._publisher = Publisher(
            self._source, connected=self._connected, settled=self._settled, underrun=self._underrun
        )
        self._pulse = Pulse(self._room, silent=self._on_silent, answers=self._on_answers)
        self._flowing.set()

    async def _while_joined(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it, and stop it when the connection ends."""
        task = asyncio.create_task(work)
        try:
            either: set[asyncio.Future[Any]] = {task, self._lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over = task.done()
            task.cancel()
            await asyncio.wait({task})
        if not over:
            raise RoomUnavailable(self._lost.result())
        task.result()

    async def _watched(
        self,
        publisher: Publisher,
        pulse: Pulse,
        chunks: AsyncGenerator[AudioChunk, None],
        captions: Captions,
        told: Callable[[float], None],
    ) -> None:
        """Play, and know while it plays whether the server is there."""
        self._unheard = 0.0
        watching = asyncio.create_task(pulse.watch())
        try:
            await publisher.play(chunks, captions, told)
        finally:
            watching.cancel()
            await asyncio.wait({watching})
            self._answered = True

    async def _connected(self) -> float:
        """Return when captured audio can be heard, with the seconds of it that were not."""
        if not self._flowing.is_set():
            await self._reconnected()
        if not self._announced:
            await self._listened_to()
        unheard, self._unheard = self._unheard, 0.0
        return unheard

    async def _settled(self) -> float:
        """Return when the end that has just been played can be heard, with the seconds that were not."""
        ended = monotonic()
        if self._pulse:
            await self._pulse.settled()
        if self._flowing.is_set() and not self._unheard:
            return 0.0
        lasted = ended - self._away_at
        return max(0.0, await self._connected() + lasted)

    async def _reconnected(self) -> None:
        try:
            async with asyncio.timeout(self._rules.reconnect_seconds):
                await self._flowing.wait()
        except TimeoutError:
            reason = f"did not come back within {self._rules.reconnect_seconds:g} s"
            self._end(f"the connection to the room {shown(self.name)} was lost and {reason}")
            raise RoomUnavailable(self._lost.result()) from None

    async def _listened_to(self) -> None:
        if self._room.remote_participants:
            with suppress(TimeoutError):
                async with asyncio.timeout(LISTENER_SECONDS):
                    await self._taken.wait()
        self._announced = True

    def _on_reconnecting(self) -> None:
        log.warning("room connection lost, trying again", room=self.name)
        self._away(self._rules.buffer_ms / 1000)
        self._signalled = False

    def _on_reconnected(self) -> None:
        self._signalled = True
        self._back()

    def _on_silent(self, seconds: float) -> None:
        log.warning("LiveKit does not answer", room=self.name, seconds=round(seconds, 1))
        self._away(seconds - REPORT_SECONDS / 2)
        self._answered = False

    def _on_answers(self) -> None:
        self._answered = True
        self._back()

    def _away(self, seconds: float) -> None:
        """Nobody hears anything, since so long ago."""
        if self._flowing.is_set():
            self._flowing.clear()
            self._unheard, self._away_at = seconds, monotonic()

    def _back(self) -> None:
        if self._signalled and self._answered and not self._lost.done():
            self._flowing.set()

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        known = reason in rtc.DisconnectReason.values()
        name = rtc.DisconnectReason.Name(reason) if known else str(reason)
        self._end(f"LiveKit ended the connection to the room {shown(self.name)} ({name})")

    def _on_moved(self) -> None:
        # whoever asked for this room would be heard in another
        self._end(f"LiveKit moved june-tts out of the room {shown(self.name)}")
        self._background.add(self.leave())

    def _on_taken(self, _: object) -> None:
        self._taken.set()

    def _on_republished(self, _: object, __: str) -> None:
        """After a server's restart every listener has to take the track again."""
        self._taken.clear()
        self._announced = False

    def _end(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)
        self._flowing.clear()

    def _transcription(self, line: Line) -> Transcription | None:
        if not self._rules.captions or self._publication is None:
            return None
        made = Transcription(self._room, self._publication.sid, line)
        self._background.add(made.run())
        return made


def _explained(message: str) -> str:
    """Of the library's own words only what they mean: a refused token is among them."""
    if " 401 " in message:
        return (
            "LiveKit refused the token: see LIVEKIT_API_KEY and LIVEKIT_API_SECRET, or whoever answers at "
            "ORCHESTRATOR_URL"
        )
    if "Connection refused" in message or "lookup" in message:
        return "LiveKit cannot be reached: see LIVEKIT_URL"
    return "LiveKit did not let june-tts into the room"
