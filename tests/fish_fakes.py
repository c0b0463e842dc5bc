"""A model and a codec that compute hashes, and check how they are used. No torch.

`FakeRunner` has the one property that matters of a real one: a frame depends on everything before it in its
own slot, also on where the prompt was cut into chunks (as rounding does), and on nothing else.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from june_tts.fish.sequence import Chunk, CodecStream, Codes, Column, Columns, PrefixKV, SamplingParams
from june_tts.types import Samples

SIZES = (8, 4, 4)
SEMANTIC_BEGIN = 100
IM_END = 99
TEXT_TOKEN = 5


class Misuse(BaseException):
    """The contract of `Runner` or `Codec` is broken. No `Exception`: no loop may make an event of it."""


def number(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


def prompt(
    length: int, *, voice: int = 0, prefix: int = 0, seed: int = 0, books: int = len(SIZES)
) -> Columns:
    """Columns whose first `prefix` are those of the voice."""
    tokens = [number("voice", voice, i) % 90 for i in range(prefix)]
    tokens += [number("text", seed, i) % 90 for i in range(length - prefix)]
    return np.array([tokens, *[[0] * length] * len(SIZES)], np.int32)


@dataclass(frozen=True)
class FakePrefix:
    kv: tuple[int, ...]
    bytes: int

    @property
    def positions(self) -> int:
        return len(self.kv)


@dataclass
class Slot:
    params: SamplingParams
    kv: list[int] = field(default_factory=list)
    """One number a position, each made of all before it."""
    made: int = 0
    last: tuple[int, ...] | None = None
    over: str = ""
    """Why it may not be used until it is opened again."""


class FakeRunner:
    """Frames are hashes: about one in `end_every` is `<|im_end|>`, one in `illegal_every` no audio."""

    codebooks = len(SIZES)
    codebook_sizes: tuple[int, ...] = SIZES
    semantic_begin = SEMANTIC_BEGIN
    semantic_end = SEMANTIC_BEGIN + SIZES[0] - 1
    im_end = IM_END

    def __init__(
        self,
        slots: int = 4,
        positions: int = 96,
        *,
        end_every: int = 20,
        illegal_every: int = 9,
        bytes_per_position: int = 10,
    ) -> None:
        self.slots, self.positions = slots, positions
        self.kv_bytes = slots * positions * bytes_per_position
        self._bytes_per_position = bytes_per_position
        self._end_every, self._illegal_every = end_every, illegal_every
        self._open: dict[int, Slot] = {}
        self.steps: list[tuple[list[Chunk], list[int]]] = []
        """What was asked of it."""
        self.loads = self.saves = 0
        self.before_step: Callable[[int], None] = lambda index: None
        """Faults: called with the number of the step, may raise."""
        self.before_open: Callable[[SamplingParams], None] = lambda params: None
        self.before_load: Callable[[], None] = lambda: None
        self.before_save: Callable[[], None] = lambda: None
        self.after_step: Callable[[list[Column]], list[Column]] = lambda columns: columns

    def open(self, slot: int, params: SamplingParams) -> None:
        self._check_slot(slot)
        self._open[slot] = Slot(params)
        self.before_open(params)

    def load_prefix(self, slot: int, prefix: PrefixKV) -> None:
        state = self._usable(slot)
        if state.kv or not isinstance(prefix, FakePrefix):
            raise Misuse(f"a prefix is loaded into slot {slot}, which has {len(state.kv)} positions")
        self.before_load()
        self.loads += 1
        state.kv.extend(prefix.kv)

    def save_prefix(self, slot: int, positions: int) -> FakePrefix:
        state = self._usable(slot)
        if not 0 < positions <= len(state.kv):
            raise Misuse(f"{positions} positions are saved of {len(state.kv)}")
        self.before_save()
        self.saves += 1
        return FakePrefix(tuple(state.kv[:positions]), positions * self._bytes_per_position)

    def step(self, chunks: Sequence[Chunk], decodes: Sequence[int]) -> list[Column]:
        used = [chunk.slot for chunk in chunks] + list(decodes)
        if not used or len(set(used)) != len(used):
            raise Misuse(f"a step uses the slots {used}")
        states = {slot: self._usable(slot) for slot in used}
        self.steps.append((list(chunks), list(decodes)))
        for state in states.values():
            state.over = "its step failed"  # until it has not
        self.before_step(len(self.steps) - 1)
        for chunk in chunks:
            self._fill(states[chunk.slot], chunk)
        columns = [self._frame(c.slot, states[c.slot]) for c in chunks if c.last]
        columns += [self._decode(slot, states[slot]) for slot in decodes]
        for state in states.values():
            state.over = self._why_over(state)
        return self.after_step(columns)

    def _check_slot(self, slot: int) -> None:
        if not 0 <= slot < self.slots:
            raise Misuse(f"there is no slot {slot}")

    def _usable(self, slot: int) -> Slot:
        self._check_slot(slot)
        if slot not in self._open or self._open[slot].over:
            why = self._open[slot].over if slot in self._open else "it was never opened"
            raise Misuse(f"slot {slot} is used, but {why}")
        return self._open[slot]

    def _fill(self, state: Slot, chunk: Chunk) -> None:
        if chunk.start != len(state.kv) or state.made or not chunk.columns.shape[1]:
            raise Misuse(f"a chunk begins at {chunk.start}, but the slot has {len(state.kv)}")
        cut = (chunk.start, chunk.columns.shape[1])
        for column in chunk.columns.T:
            self._extend(state, (*map(int, column), *cut))

    def _decode(self, slot: int, state: Slot) -> Column:
        if state.last is None:
            raise Misuse(f"slot {slot} is decoded before its prompt is complete")
        self._extend(state, state.last)
        return self._frame(slot, state)

    def _extend(self, state: Slot, column: tuple[int, ...]) -> None:
        if len(state.kv) == self.positions:
            raise Misuse(f"more than {self.positions} positions")
        state.kv.append(number(state.kv[-1] if state.kv else 0, column))

    def _frame(self, slot: int, state: Slot) -> Column:
        draw = number("frame", state.kv[-1], state.params.seed, state.made)
        token, *codes = self._drawn(draw, may_end=state.made >= state.params.min_frames)
        state.made += 1
        state.last = (token, *codes)
        return Column(slot, token, np.array(codes, np.int32))

    def _drawn(self, draw: int, *, may_end: bool) -> tuple[int, ...]:
        codes = [(draw >> 8 * book) % size for book, size in enumerate(SIZES)]
        if may_end and self._end_every and (draw >> 24) % self._end_every == 0:
            return IM_END, 0, *codes[1:]
        if self._illegal_every and (draw >> 32) % self._illegal_every == 0:
            if draw >> 63:
                return TEXT_TOKEN, 0, *codes[1:]
            return SEMANTIC_BEGIN + codes[0], codes[0], *codes[1:-1], SIZES[-1]
        return SEMANTIC_BEGIN + codes[0], *codes

    def _why_over(self, state: Slot) -> str:
        if state.last is None:
            return ""
        if state.last[0] == IM_END:
            return "its model has ended"
        return "it has made all its frames" if state.made == state.params.max_frames else ""


class FakeCodecStream:
    def __init__(self) -> None:
        self.state = 0
        self.broken = False


class FakeCodec:
    """A sample depends on all frames before it: chunks in the wrong order or lost ones are heard."""

    sample_rate = 2000
    samples_per_frame = 4
    codebooks = len(SIZES)

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        """Frames of each stream in each call."""
        self.before_decode: Callable[[int], None] = lambda index: None
        self.before_stream: Callable[[], None] = lambda: None

    def stream(self) -> FakeCodecStream:
        self.before_stream()
        return FakeCodecStream()

    def decode(self, streams: Sequence[CodecStream], codes: Sequence[Codes]) -> list[Samples]:
        states = [stream for stream in streams if isinstance(stream, FakeCodecStream)]
        if not states or len({id(s) for s in states}) != len(streams) or len(streams) != len(codes):
            raise Misuse("a codec call has a stream twice, a foreign one, or none")
        for state in states:
            if state.broken:
                raise Misuse("a stream is decoded after a call with it has failed")
            state.broken = True
        self.calls.append([made.shape[1] for made in codes])
        self.before_decode(len(self.calls) - 1)
        sounds = [self._sound(state, made) for state, made in zip(states, codes, strict=True)]
        for state in states:
            state.broken = False
        return sounds

    def encode(self, samples: Samples) -> Codes:
        frames = -(-len(samples) // self.samples_per_frame)
        levels = [number("code", i, float(samples[i * self.samples_per_frame])) for i in range(frames)]
        return np.array([[level % size for level in levels] for size in SIZES], np.int32)

    def _sound(self, stream: FakeCodecStream, codes: Codes) -> Samples:
        if codes.shape[0] != len(SIZES) or not codes.shape[1] or codes.dtype != np.int32:
            raise Misuse(f"codes of shape {codes.shape}, {codes.dtype}")
        sound = []
        for frame in codes.T:
            if any(not 0 <= code < size for code, size in zip(frame, SIZES, strict=True)):
                raise Misuse(f"an illegal frame {frame} has left the engine")
            stream.state = number(stream.state, *map(int, frame))
            sound += [(stream.state >> 8 * i) % 256 / 256 for i in range(self.samples_per_frame)]
        return np.array(sound, np.float32)
