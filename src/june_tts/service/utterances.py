"""What is said in rooms: one utterance at a time in each, the others in a queue, every one ended once."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextvars import Context
from dataclasses import replace
from time import monotonic
from typing import Protocol
from uuid import uuid4

import structlog

from june_tts.errors import InvalidRequest, JuneError, Overloaded, UtteranceNotFound, shown
from june_tts.ports import RoomPublisher
from june_tts.service.admission import RETRY_AFTER_SECONDS, Admission
from june_tts.service.begun import Begun, followed
from june_tts.service.room_queue import Entry, RoomQueue
from june_tts.service.terms import current_terms, terms
from june_tts.telemetry.metrics import Metrics
from june_tts.types import (
    AudioChunk,
    Line,
    RoomRequest,
    SpeechRequest,
    UtteranceReport,
    UtteranceState,
    Voice,
)

KEPT_SECONDS = 600.0
"""How long after its end an utterance can be asked for."""
MOST_KEPT = 1000
LONGEST_NAME = 256
"""Characters of a room's name, as LiveKit has it unless told otherwise."""

log = structlog.get_logger(__name__)


class Speaks(Protocol):
    """What is asked of synthesis."""

    async def check(self, request: SpeechRequest) -> Voice: ...

    def stream(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]: ...


class Utterances:
    def __init__(
        self,
        synthesizer: Speaks,
        rooms: RoomPublisher,
        admission: Admission,
        metrics: Metrics,
        *,
        queue_length: int,
    ) -> None:
        """
        Args:
            queue_length: how many may wait for one room, besides the one that plays.
        """
        self._synthesizer = synthesizer
        self.rooms = rooms
        self._admission = admission
        self._metrics = metrics.rooms
        self._queue_length = queue_length
        self._queues: dict[str, RoomQueue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._entries: dict[str, Entry] = {}
        self._ended: deque[Entry] = deque()
        self._metrics.watch_waiting(lambda: self.waiting)

    @property
    def waiting(self) -> int:
        return sum(len(queue.waiting) for queue in self._queues.values())

    @property
    def speaking(self) -> int:
        return sum(queue.playing is not None for queue in self._queues.values())

    async def submit(self, request: RoomRequest) -> UtteranceReport:
        """Accept an utterance; it is spoken when its turn comes, whoever waits for it.

        Raises:
            InvalidRequest: one of its kinds; nothing was queued or stopped then.
            Overloaded: too many wait for the room, or the server is stopping.
        """
        _check_name(request.room)
        voice = await self._synthesizer.check(request.speech)
        if self._admission.draining:
            raise _stopping()
        queue = self._queues.get(request.room) or RoomQueue()
        ending = queue.interrupted_by(request.priority) if request.interrupt else []
        if len(set(queue.waiting) - set(ending)) >= self._queue_length:
            raise Overloaded(
                f"{self._queue_length} utterances wait for this room already (JUNE_ROOM_QUEUE)",
                param="room_name",
                retry_after=RETRY_AFTER_SECONDS,
            )
        self._stop(ending)
        # nobody in the room would ask again: an utterance that comes late is better than none
        with terms(replace(current_terms(), patient=True)):
            entry = Entry(uuid4().hex, request, voice.id)
        self._entries[entry.id] = entry
        queue.put(entry)
        if request.room not in self._queues:
            self._queues[request.room] = queue
            # in no request's context: it speaks for others after this one
            runner = asyncio.get_running_loop().create_task(self._run(request.room, queue), context=Context())
            self._own(runner)
        return entry.report()

    def report(self, ident: str) -> UtteranceReport:
        """Raises: UtteranceNotFound."""
        return self._find(ident).report()

    async def ended(self, ident: str) -> UtteranceReport:
        """Wait for its end. Giving up changes nothing for the utterance. Raises: UtteranceNotFound."""
        entry = self._find(ident)
        await entry.over.wait()
        return entry.report()

    async def stop(self, ident: str) -> UtteranceReport:
        """End it now, where it has not ended; return when the room is silent. Raises: UtteranceNotFound."""
        entry = self._find(ident)
        await self._stopped([entry])
        return entry.report()

    async def stop_room(self, room: str) -> list[UtteranceReport]:
        """End what plays and what waits there; return those ended, when the room is silent."""
        queue = self._queues.get(room)
        ending = queue.entries() if queue else []
        await self._stopped(ending)
        return [entry.report() for entry in ending]

    async def close(self, seconds: float) -> None:
        """Let what plays come to its end for so long; nothing waiting begins."""
        for queue in self._queues.values():
            for entry in queue.waiting:
                self._end(entry, "failed", _stopping())
            queue.waiting.clear()
        if self._tasks and seconds > 0:
            await asyncio.wait(self._tasks, timeout=seconds)
        self._closed = True
        self._stop([queue.playing for queue in self._queues.values() if queue.playing])
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, room: str, queue: RoomQueue) -> None:
        while entry := queue.take():
            entry.state = "speaking"
            speaking = self._speak(queue, entry)
            entry.task = asyncio.get_running_loop().create_task(speaking, context=entry.context)
            await asyncio.wait({entry.task})
            self._settle(entry, entry.task)
        del self._queues[room]

    async def _speak(self, queue: RoomQueue, entry: Entry) -> None:
        speech, room = entry.request.speech, entry.request.room
        line = Line(entry.id, speech.text, speech.speed, speech.language or "")
        async with entry.begun or self._begin(entry) as begun:
            chunks = followed(begun.chunks(), lambda: self._begin_next(queue))
            await self.rooms.play(room, line, chunks, entry.hear)

    def _begin(self, entry: Entry) -> Begun:
        entry.begun = Begun(self._synthesizer.stream(entry.request.speech), entry.context)
        return entry.begun

    def _begin_next(self, queue: RoomQueue) -> None:
        """All of what plays has been made and its end is in LiveKit's queue: no pause for the next one."""
        if queue.waiting and not queue.waiting[0].begun:
            self._begin(queue.waiting[0])

    def _settle(self, entry: Entry, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            # nobody asked for its end but the server's own
            self._end(entry, "failed", _stopping()) if self._closed else self._end(entry, "stopped")
        elif (fault := task.exception()) is None:
            self._end(entry, "done")
        elif isinstance(fault, JuneError):
            self._end(entry, "failed", fault)
        else:
            log.error("utterance failed", utterance=entry.id, exc_info=fault)
            self._end(entry, "failed", JuneError("june-tts failed on this utterance; its log says why"))

    async def _stopped(self, entries: Iterable[Entry]) -> None:
        entries = list(entries)
        self._stop(entries)
        for entry in entries:
            await entry.over.wait()

    def _stop(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.state == "queued":
                self._queues[entry.request.room].waiting.remove(entry)
                self._end(entry, "stopped")
            elif entry.task and entry.state == "speaking":
                entry.task.cancel()

    def _end(self, entry: Entry, state: UtteranceState, error: JuneError | None = None) -> None:
        entry.end(state, error)
        if entry.begun and not entry.task:
            self._own(asyncio.get_running_loop().create_task(entry.begun.close()))
        self._metrics.utterances.labels(state).inc()
        self._metrics.heard.inc(entry.heard_seconds)
        log.info(
            "utterance in a room ended",
            utterance=entry.id,
            room=entry.request.room,
            state=state,
            heard_seconds=round(entry.heard_seconds, 2),
            code=error.code if error else None,
        )
        self._ended.append(entry)
        self._forget()

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _find(self, ident: str) -> Entry:
        self._forget()
        if ident not in self._entries:
            raise UtteranceNotFound(f"no utterance has the id {shown(ident)}", param="utterance_id")
        return self._entries[ident]

    def _forget(self) -> None:
        """What ended too long ago, or too many utterances ago."""
        while self._ended and (len(self._ended) > MOST_KEPT or _old(self._ended[0])):
            del self._entries[self._ended.popleft().id]


def _old(entry: Entry) -> bool:
    return entry.ended_at is not None and monotonic() - entry.ended_at > KEPT_SECONDS


def _stopping() -> Overloaded:
    return Overloaded("this server is stopping: try another one", retry_after=RETRY_AFTER_SECONDS)


def _check_name(room: str) -> None:
    if not room.strip() or len(room) > LONGEST_NAME or not room.isprintable():
        raise InvalidRequest(
            f"room_name is {shown(room)}: expected 1 to {LONGEST_NAME} printable characters",
            param="room_name",
        )
