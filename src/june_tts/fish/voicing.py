"""Frames to sound: whose chunk leaves now, and one codec call for all of them."""

from collections.abc import Iterable, Sequence

from june_tts.errors import EngineFailed
from june_tts.fish.events import Frames
from june_tts.fish.sequence import Codec, Codes
from june_tts.fish.stream import Stream
from june_tts.types import Samples


class Voicing:
    """The codec, or none: codes then leave at the same pace without samples."""

    def __init__(self, codec: Codec | None, *, most_frames: int, turn_frames: int) -> None:
        self._codec = codec
        self._most_frames = most_frames
        self._turn_frames = turn_frames
        self.calls = 0
        self.frames = 0

    def open(self, stream: Stream) -> None:
        """Give a stream its codec state, whatever that raises."""
        if self._codec is not None:
            stream.codec = self._codec.stream()

    def ready(self, streams: Iterable[Stream], now: float) -> list[Stream]:
        """Whose audio is to leave: those that are due, and if there are any, those that may as well come
        along. The most urgent ones, so many that the model is not held up for more than `turn_frames`."""
        held = [s for s in streams if s.pending and not s.parked]
        due = [s for s in held if s.stop is not None or s.pace.due(len(s.pending), now)]
        if not due:
            return []
        joining = [s for s in held if s not in due and s.pace.may_join(len(s.pending), now)]
        return self._within_turn(sorted(due, key=lambda s: _dry_at(s, now)) + joining)

    def decode(self, streams: Sequence[Stream]) -> list[Frames]:
        """The next chunk of each, oldest frames first, whatever the codec raises."""
        codes = [stream.take_pending(self._most_frames) for stream in streams]
        samples = self._samples(streams, codes)
        self.frames += sum(made.shape[1] for made in codes)
        return [Frames(s.id, c, x) for s, c, x in zip(streams, codes, samples, strict=True)]

    def _samples(self, streams: Sequence[Stream], codes: list[Codes]) -> Sequence[Samples | None]:
        states = [stream.codec for stream in streams if stream.codec is not None]
        if self._codec is None:
            return [None] * len(codes)
        self.calls += 1
        samples = self._codec.decode(states, codes)
        expected = [made.shape[1] * self._codec.samples_per_frame for made in codes]
        if [len(sound) for sound in samples] != expected:
            raise EngineFailed(f"the codec made {[len(s) for s in samples]} samples, expected {expected}")
        return samples

    def _within_turn(self, streams: list[Stream]) -> list[Stream]:
        """At least one: a chunk has `turn_frames` at most."""
        left, taken = self._turn_frames, []
        for stream in streams:
            left -= min(len(stream.pending), self._most_frames)
            if left < 0:
                break
            taken.append(stream)
        return taken


def _dry_at(stream: Stream, now: float) -> float:
    """When the listener runs dry: frames that are not sent are not heard. First audio is due at once."""
    dry_at = stream.pace.plays_until
    return now if dry_at is None else dry_at
