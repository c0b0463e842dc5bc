"""joe on two cores in made-up time: the real schedule and the real gate, model runs that only take time.

A run takes what it takes on the machine of the benchmarks: a latent by the length of its sentence, a stretch
of sound by its own length and its overlap, less where it has both cores. Readers take audio at once.
"""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from june_tts.engine.piper_model import (
    AHEAD_SHARE,
    FIRST_STRETCH_SECONDS,
    MOST_ALONE_SECONDS,
    MOST_STRETCH_SECONDS,
    SHORT_SENTENCE_SECONDS,
)
from june_tts.engine.schedule import Listening, Schedule
from june_tts.engine.schedule import Ticket as Piece
from june_tts.service.admission_ask import Ask, Refused, Ticket
from june_tts.service.admission_gate import Gate
from june_tts.service.terms import Terms

RATE = 22_050
CORES = 2
AHEAD_SECONDS = 8.0
SECONDS_PER_CHARACTER = 0.057
FIRST_CHARACTERS, PIECE_CHARACTERS = 60, 240
OVERLAP_SECONDS = 0.26
"""Of sound, decoded again at every cut."""
BOTH_CORES = 1.7
"""How much faster a run is that has both."""


@dataclass
class Told:
    """What the listeners of one run met. Times in seconds."""

    offered: int = 0
    first_audio: list[float] = field(default_factory=list)
    """From when it was due, of those admitted."""
    refused: Counter[str] = field(default_factory=Counter)
    silent: int = 0
    audio: float = 0.0
    """Of answers that ended while requests came."""

    def p95(self) -> float:
        return sorted(self.first_audio)[int(len(self.first_audio) * 0.95)]


@dataclass(eq=False)
class Speech:
    ticket: Ticket
    due: float
    left: list[float]
    """Seconds of the pieces that have not begun."""
    listening: Listening
    dry: bool = False
    audio: float = 0.0


class Running(Piece):
    """A piece in the lanes; a subclass has room for more fields."""

    speech: Speech
    seconds: float
    latent: bool = False


class Joe:
    """One after another, `run` offers rates to the same gate: what it has learned stays."""

    def __init__(
        self,
        gate: Callable[[Callable[[Ticket], None]], Gate],
        chars: Sequence[int],
        seed: int,
        *,
        pauses: float = 0.0,
    ) -> None:
        """`pauses`: of the whole machine, 0.2 to 0.5 s each, in a minute. Real ones share their cores."""
        self._pauses = pauses
        self._paused = 0.0
        """Until when."""
        self._gate = gate(self._moved)
        self._chars = chars
        self._random = random.Random(seed)
        self._schedule = Schedule(AHEAD_SECONDS)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = itertools.count()
        self._waiting: dict[Ticket, tuple[int, float]] = {}
        self._running = 0
        self._now = self._end = self._rate = 0.0
        self._told = Told()

    def run(self, rate: float, seconds: float) -> Told:
        """Offer so many requests a second for so long, and play what was admitted to its end."""
        self._told, self._rate, self._end = Told(), rate, self._now + seconds
        self._at(self._now, self._arrive)
        while self._events:
            self._now, _, what, given = heapq.heappop(self._events)
            what(*given)
        return self._told

    def _at(self, when: float, what: Callable[..., None], *given: Any) -> None:
        heapq.heappush(self._events, (when, next(self._number), what, given))

    def _arrive(self) -> None:
        if self._now >= self._end:
            return
        self._at(self._now + self._random.expovariate(self._rate), self._arrive)
        self._told.offered += 1
        chars = self._random.choice(self._chars)
        try:
            ticket = self._gate.enter(Ask("joe", chars, Terms()), self._now)
        except Refused as refused:
            self._told.refused[refused.reason] += 1
            return
        if ticket.state == "playing":
            self._begin(ticket, chars, self._now)
        else:
            self._waiting[ticket] = chars, self._now
            self._at(ticket.leaves_at, lambda: self._gate.expire(ticket, self._now))

    def _moved(self, ticket: Ticket) -> None:
        chars, due = self._waiting.pop(ticket)
        if ticket.refused is None:
            self._at(self._now, self._begin, ticket, chars, due)
        else:
            self._told.refused[ticket.refused.reason] += 1

    def _begin(self, ticket: Ticket, chars: int, due: float) -> None:
        rest = range(FIRST_CHARACTERS, chars, PIECE_CHARACTERS)
        pieces = [min(chars, FIRST_CHARACTERS), *(min(chars - at, PIECE_CHARACTERS) for at in rest)]
        left = [SECONDS_PER_CHARACTER * characters for characters in pieces]
        speech = Speech(ticket, due, left, Listening(RATE, self._now))
        self._submit(speech)
        self._gate.asks(ticket, self._now)
        self._pump()

    def _submit(self, speech: Speech) -> None:
        piece = Running(iter(()), speech.listening)
        piece.speech, piece.seconds = speech, speech.left.pop(0)
        self._schedule.admit(piece)

    def _pump(self) -> None:
        while self._running < CORES and self._schedule.can_run():
            piece = self._schedule.next()
            assert isinstance(piece, Running)
            self._running += 1
            alone = self._running == 1 and not self._schedule.can_run()
            cost, audio = self._cost(piece, alone)
            done = self._now + 1.1 * cost / (BOTH_CORES if alone else 1.0)
            self._at(done + self._pause(cost), self._stepped, piece, audio)

    def _pause(self, seconds: float) -> float:
        """How much longer something takes than these."""
        if self._pauses and self._random.random() < self._pauses / 60 * seconds / 1.4:
            self._paused = self._now + self._random.uniform(0.2, 0.5)
        return max(0.0, self._paused - self._now)

    def _cost(self, piece: Running, alone: bool) -> tuple[float, float]:
        """Seconds of one core, and of the audio that it makes."""
        if not piece.latent:
            return 0.015 + 0.011 * piece.seconds, 0.0
        audio = left = piece.seconds - piece.made_seconds
        if piece.seconds > SHORT_SENTENCE_SECONDS:
            audio = FIRST_STRETCH_SECONDS
            if piece.stream.first_audio_at is not None:
                most = MOST_ALONE_SECONDS if alone else MOST_STRETCH_SECONDS
                audio = min(max((piece.deadline - self._now) * AHEAD_SHARE, audio), most)
        audio = min(audio, left)
        return 0.04 * (audio + OVERLAP_SECONDS), audio

    def _stepped(self, piece: Running, audio: float) -> None:
        self._running -= 1
        self._schedule.stepped(piece, np.zeros(round(audio * RATE), np.float32), self._now)
        if piece.latent:
            self._heard(piece, audio)
        piece.latent = True
        self._pump()

    def _heard(self, piece: Running, audio: float) -> None:
        speech, stream = piece.speech, piece.stream
        if not speech.audio:
            self._told.first_audio.append(self._now - speech.due)
        elif stream.first_audio_at is not None:
            speech.dry |= self._now > stream.first_audio_at + speech.audio
        speech.audio += audio
        self._schedule.took(stream, audio)
        self._gate.hears(speech.ticket, audio, self._now)
        ended = piece.made_seconds >= piece.seconds - 0.01
        if ended:
            self._schedule.end(piece)
        if ended and not speech.left:
            self._gate.leave(speech.ticket, self._now)
            self._told.silent += speech.dry
            self._told.audio += speech.audio if self._now <= self._end else 0.0
            return
        if ended:
            self._submit(speech)
        self._gate.asks(speech.ticket, self._now)
