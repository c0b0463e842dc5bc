"""Captions as LiveKit's clients read them: a text stream, and the older event where a client needs it."""

import asyncio

import structlog
from livekit import rtc

from june_tts.types import Line

TOPIC = "lk.transcription"
READS_STREAMS = 3
"""Clients of this protocol and later make the older event from the stream themselves."""
MOST_EVENT_CHARS = 3500
"""Of the older event, which repeats the whole text each time in one packet of 15 KB at most."""
CLOSE_SECONDS = 2.0
FAULTS = (rtc.StreamError, RuntimeError, TimeoutError, rtc.participant.PublishTranscriptionError)
"""What sending can end in; the last is an Exception of rtc's own."""

log = structlog.get_logger(__name__)


class Transcription:
    """The captions of one utterance. What cannot be sent is left out: speech does not wait for them."""

    def __init__(self, room: rtc.Room, track_sid: str, line: Line) -> None:
        self._room = room
        self._track = track_sid
        self._line = line
        self._waiting = ""
        self._said = ""
        self._over = False
        self._more = asyncio.Event()

    def add(self, text: str) -> None:
        """More of the text is heard now."""
        if text:
            self._waiting += text
            self._more.set()

    def end(self) -> None:
        """Nothing more comes."""
        self._over = True
        self._more.set()

    async def run(self) -> None:
        """Send what is added, until the end or the room's."""
        try:
            await self._send()
        except FAULTS as lost:
            log.warning("captions not sent", utterance=self._line.id, reason=type(lost).__name__)

    async def _send(self) -> None:
        writer: rtc.TextStreamWriter | None = None
        while not self._over or self._waiting:
            await self._more.wait()
            self._more.clear()
            text, self._waiting = self._waiting, ""
            if text:
                self._said += text
                writer = writer or await self._opened()
                await writer.write(text)
                await self._event(final=False)
        if writer:
            async with asyncio.timeout(CLOSE_SECONDS):
                await writer.aclose(attributes=self._attributes("true"))
            await self._event(final=True)

    async def _opened(self) -> rtc.TextStreamWriter:
        return await self._room.local_participant.stream_text(
            topic=TOPIC, attributes=self._attributes("false")
        )

    def _attributes(self, final: str) -> dict[str, str]:
        return {
            "lk.transcription_final": final,
            "lk.segment_id": self._line.id,
            "lk.transcribed_track_id": self._track,
        }

    async def _event(self, *, final: bool) -> None:
        if len(self._said) > MOST_EVENT_CHARS or not _needs_event(self._room):
            return
        segment = rtc.TranscriptionSegment(
            id=self._line.id,
            text=self._said,
            start_time=0,
            end_time=0,
            language=self._line.language,
            final=final,
        )
        await self._room.local_participant.publish_transcription(
            rtc.Transcription(self._room.local_participant.identity, self._track, [segment])
        )


def _needs_event(room: rtc.Room) -> bool:
    """Whether somebody with an older client is there. rtc has no public name for the protocol's version."""
    return any(
        one.kind == rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
        and one._info.client_protocol < READS_STREAMS
        for one in room.remote_participants.values()
    )
