"""What admission knows of one engine: who plays, how many it carries, how fast places become free."""

from june_tts.service.admission_ask import AdmissionRules, Ask, Ticket
from june_tts.service.admission_crowd import Crowd
from june_tts.service.admission_limit import Limit
from june_tts.service.admission_stream import Stream
from june_tts.service.pace import Pace

IMPATIENT_SECONDS = 0.02
"""How long one of a lasting crowd may wait."""


class EngineLoad:
    def __init__(self, rules: AdmissionRules) -> None:
        self._rules = rules
        self.limit = Limit(rules.streams)
        self.pace = Pace()
        self._crowd = Crowd(rules.wait_seconds["interactive"])
        self._playing: set[Ticket] = set()

    @property
    def active(self) -> int:
        return len(self._playing)

    def can_start(self, now: float) -> bool:
        """One always may, beside others only where none of them is about to fall silent."""
        if not self._playing:
            return True
        return len(self._playing) < self.limit.value and not self.starving(now)

    def starving(self, now: float) -> bool:
        return any(ticket.stream and ticket.stream.starving(now) for ticket in self._playing)

    def start(self, ticket: Ticket, now: float) -> None:
        ticket.state, ticket.stream = "playing", Stream(now, alone=not self._playing)
        self._playing.add(ticket)
        self.limit.began(len(self._playing))

    def end(self, ticket: Ticket, kept_waiting: bool, now: float) -> None:
        """`kept_waiting`: others wait for its place."""
        stream = ticket.stream
        busy = kept_waiting or len(self._playing) >= self.limit.value
        self._playing.discard(ticket)
        ticket.state = "over"
        if stream is not None:
            self.pace.ended(now - stream.came, busy, now)

    def hears(self, stream: Stream, seconds: float, now: float) -> None:
        sign = stream.hears(seconds, now)
        if sign == "first":
            self.limit.first_audio(stream.first_seconds(), stream.alone and len(self._playing) == 1)
        self.limit.heard(sign, len(self._playing), now)

    def longest_wait(self, ask: Ask, now: float) -> float:
        """How long a request that found no place may wait."""
        usual = self._rules.wait_seconds[ask.terms.priority]
        self.limit.wanted()
        if ask.ongoing or ask.terms.priority != "interactive":
            return usual
        self._crowd.met(ask.terms.caller, now)
        return min(usual, IMPATIENT_SECONDS) if self._crowd.lasting(ask.terms.caller, now) else usual

    def wait(self, ahead: int, now: float) -> float:
        """Seconds until one with so many before it may begin, by the pace."""
        return self.pace.wait(ahead, self.limit.value, now)

    def retry_after(self, ahead: int, now: float) -> float:
        return self.pace.retry_after(ahead, self.limit.value, now)

    def first_seconds(self) -> float:
        """From the start to the first audio, as it is now; 0 where the engine idles, so that a measurement
        gone old cannot keep everybody out for ever."""
        return (self.limit.first or 0.0) if self._playing else 0.0
