"""What admission knows of one engine: who plays, how many it carries, how fast places become free."""

from june_tts.service.admission_ask import AdmissionRules, Ask, Ticket
from june_tts.service.admission_crowd import Crowd
from june_tts.service.admission_limit import Learned
from june_tts.service.admission_stream import Stream
from june_tts.service.pace import Pace

IMPATIENT_SECONDS = 0.008
"""How long one of a crowd may wait: enough that hardly a place stays empty for want of one who waits, and so
little that it is told within 20 ms, which a busy event loop takes half of."""

PRUDENCE = 2.0
"""How much longer than by the pace a wait is taken to be. Places do not become free evenly: of those for whom
there is just time enough in the mean, many would wait in vain."""


class EngineLoad:
    def __init__(self, rules: AdmissionRules) -> None:
        self._rules = rules
        self._crowd = Crowd(rules.wait_seconds["interactive"])
        self._playing: set[Ticket] = set()
        self._beginning = 0
        self.learned = Learned(rules.streams)
        self.pace = Pace()

    def change(self, rules: AdmissionRules) -> None:
        """Other limits from now on; what it carries is learned anew below them."""
        self._rules, self.learned = rules, Learned(rules.streams)

    @property
    def active(self) -> int:
        return len(self._playing)

    def can_start(self, now: float) -> bool:
        """One always may, beside others only where none of them is about to fall silent.

        Where more play than ever did without harm, each of them has to be well ahead: limits are learned in
        half seconds. By then one that was idle would have begun a dozen too many, to fall silent together.
        """
        if not self._playing:
            return True
        awake, playing = self.awake(now), self.learned.playing
        if awake >= playing.value or self._beginning >= self.learned.beginning.value:
            return False
        held_up = Stream.tight if awake >= playing.proven else Stream.starving
        return not any(ticket.stream and held_up(ticket.stream, now) for ticket in self._playing)

    def resting(self, now: float) -> int:
        """Streams whose readers take nothing."""
        return sum(ticket.stream is not None and ticket.stream.rests(now) for ticket in self._playing)

    def awake(self, now: float) -> int:
        """Streams that want something of the engine: limits and pace are of these."""
        return sum(ticket.stream is None or not ticket.stream.content(now) for ticket in self._playing)

    def came(self, ask: Ask, waits: bool, now: float) -> None:
        """A request came; `waits`: it found no place."""
        self._crowd.asked(ask.terms.caller, waits, now)
        if not waits:
            return
        if self.awake(now) >= self.learned.playing.value:
            self.learned.playing.wanted()
        elif self._beginning >= self.learned.beginning.value:
            self.learned.beginning.wanted()

    def start(self, ticket: Ticket, now: float) -> None:
        ticket.state, ticket.stream = "playing", Stream(now, alone=not self._playing)
        self._playing.add(ticket)
        self._beginning += 1
        self.learned.counts(self.awake(now), self._beginning)

    def end(self, ticket: Ticket, kept_waiting: bool, now: float) -> None:
        """`kept_waiting`: others wait for a place."""
        # only then is the place taken again at once, so that the time between two ends tells the pace
        busy = kept_waiting and self.awake(now) >= self.learned.playing.value
        self._playing.discard(ticket)
        ticket.state = "over"
        if ticket.stream is not None:
            self._beginning -= ticket.stream.first is None
            self.pace.ended(ticket.stream.cost(now), busy, now)

    def hears(self, stream: Stream, seconds: float, now: float) -> None:
        sign = stream.hears(seconds, now)
        if sign == "first":
            self._beginning -= 1
            self.learned.first_audio(stream.first_seconds(), stream.alone and self.active == 1)
        if self.learned.heard(sign, now):
            self.learned.turn(self.awake(now), self._beginning, now)

    def longest_wait(self, ask: Ask, now: float) -> float:
        """How long a request that found no place may wait."""
        patience = "normal" if ask.terms.patient else ask.terms.priority
        usual = self._rules.wait_seconds[patience]
        impatient = not ask.ongoing and ask.terms.priority == "interactive"
        return (
            min(usual, IMPATIENT_SECONDS) if impatient and self._crowd.has(ask.terms.caller, now) else usual
        )

    def wait(self, ahead: int, now: float) -> float:
        """Seconds until one with so many before it may begin, by the pace; 0 where nothing is known yet.

        Prudently: whoever is let into the queue should not be sent away later.
        """
        interval = self.pace.interval(self.learned.playing.value, now) or 0.0
        places = self.awake(now) + ahead + 1 - self.learned.playing.value
        begun = self.learned.beginning.value
        turns = self._beginning + ahead + 1 - begun
        return PRUDENCE * max(0.0, places * interval, turns * (self.learned.first or 0.0) / begun)

    def retry_after(self, ahead: int, now: float) -> float:
        return self.pace.retry_after(self.wait(ahead, now), self.learned.playing.value, now)

    def first_seconds(self) -> float:
        """From the start to the first audio, as it is now; 0 where the engine idles, so that a measurement
        gone old cannot keep everybody out for ever."""
        return (self.learned.first or 0.0) if self._playing else 0.0
