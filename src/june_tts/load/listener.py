"""What one listener hears of a stream: pure arithmetic over (time, bytes), so it can be tested exactly."""

from june_tts.load.wav import AudioCounter

BURST = 0.002
"""Seconds. Reads this close together are one chunk that the network cut up, and running dry for less is
nothing that a player's own buffer would let through."""


class Listener:
    """Starts playing at the first audio byte and plays in real time while audio keeps coming.

    Feed it every read in order of time. Times are seconds on any one clock.
    """

    def __init__(self, counter: AudioCounter) -> None:
        self._counter = counter
        self._audio_bytes = 0
        self._last_at = 0.0
        self._plays_until = 0.0
        self.first_at: float | None = None
        """When the first audio byte (not a header's) arrived."""
        self.gaps: list[float] = []
        """Seconds between one chunk and the next."""
        self.underruns = 0
        """How often playback ran dry before more audio came. Silence after the last byte is no underrun."""
        self.dry = 0.0
        """Seconds of silence that the underruns put between words."""

    @property
    def audio_seconds(self) -> float:
        return self._audio_bytes / self._counter.byte_rate if self._counter.byte_rate else 0.0

    def feed(self, at: float, data: bytes) -> None:
        """Take what one read returned. Raises: NotAudio."""
        size = self._counter.feed(data)
        if size:
            self._hear(at, size)

    def _hear(self, at: float, size: int) -> None:
        self._audio_bytes += size
        if self.first_at is None:
            self.first_at = self._plays_until = at
        else:
            self._wait(at)
        self._last_at = at
        self._plays_until = max(self._plays_until, at) + size / self._counter.byte_rate

    def _wait(self, at: float) -> None:
        if at - self._last_at > BURST:
            self.gaps.append(at - self._last_at)
        silence = at - self._plays_until
        if silence > BURST:
            self.underruns += 1
            self.dry += silence
