"""What is asked to be spoken, how, and what comes of it."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from june_tts.types.voices import Voice

Samples = NDArray[np.float32]
"""Mono audio, shape (n,), nominally within -1 .. 1."""
Pause = Literal["none", "clause", "sentence", "paragraph"]
Repeats = Literal["always", "own_voices", "seeded", "never"]
"""Which utterances of an engine sound the same each time: every one; those of its own voices and those with a
seed; those with a seed; none. A temperature of 0 is as good as a seed."""
Format = Literal["wav", "pcm", "mp3", "opus", "aac", "flac", "ulaw", "alaw"]


@dataclass(frozen=True, slots=True)
class WrittenWord:
    """What the caller wrote, and where a piece's text says it: `text[start:stop]`."""

    written: str
    start: int
    stop: int
    unfinished: bool = False
    """The next piece's first word says the rest of it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of normalised text that is spoken in one breath, and the silence that follows it."""

    text: str
    pause: Pause = "sentence"
    words: tuple[WrittenWord, ...] = field(default=(), compare=False)
    """In order; empty where the text is as it was written, or nobody knows how it was. Pieces that sound the
    same are equal."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Among words that are being written: speak what is there now, do not wait for more."""


Written = str | Flush
"""Words in arbitrary cuts, even within a word, and where to speak what is there."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a caller may set about how speech is drawn. None means the engine's own default."""

    temperature: float | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    max_frames: int | None = None
    """Codec frames of each piece at most, for engines that make speech frame by frame."""

    def given(self) -> frozenset[str]:
        """Names of the parameters that the caller set."""
        return frozenset(name for name in self.__slots__ if getattr(self, name) is not None)

    def without(self, names: Collection[str]) -> "Sampling":
        """The same with these left to the engine."""
        return replace(self, **dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class InlineReference:
    """A recording that came with a request, to speak like, and the words in it."""

    audio: bytes
    """A file in any format that recordings may have; nothing in it has been checked."""
    text: str


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One utterance as a route hands it to the service; nothing in it has been checked yet."""

    request_id: str
    text: str
    voice_id: str
    language: str | None = None
    speed: float = 1.0
    """Tempo factor, 0.25 .. 4; 2.0 is twice as fast."""
    sampling: Sampling = field(default_factory=Sampling)
    references: tuple[InlineReference, ...] = ()
    """Speak like these; `voice_id` is then only a name for logs and metrics."""
    normalize: bool = True
    """False: the text is cut into pieces, but not put into words."""
    piece_chars: int | None = None
    """Longest piece, where shorter than the engine's own limit."""
    unhurried: bool = False
    """Nobody waits for the first sound: the first piece may be as long as the others."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One checked utterance as the service hands it to an engine; its text comes beside it, in pieces."""

    request_id: str
    voice: Voice
    language: str
    speed: float = 1.0
    sampling: Sampling = field(default_factory=Sampling)
    references: tuple[InlineReference, ...] = ()
    """What to speak like, for an engine that clones; empty for a voice that it finds by its id."""


@dataclass(frozen=True, slots=True)
class WordTime:
    """When a word is heard, in seconds from the first sample of the utterance."""

    text: str
    """As the caller wrote it, with its punctuation, where that is known; else as it was spoken."""
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A stretch of speech at the engine's own rate (Hz)."""

    samples: Samples
    sample_rate: int
    words: tuple[WordTime, ...] = ()
    """Words whose end lies in what was sent up to and with this chunk: each once, in order. Empty where
    the engine knows no times."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; requests that ask for more are refused by name."""

    engine: str
    languages: tuple[str, ...]
    clones: bool
    parameters: frozenset[str]
    """The fields of `Sampling` that change its output."""
    first_piece_chars: int
    """How long the first piece may be, so that first audio does not wait for the paragraph."""
    piece_chars: int
    """How long any later piece may be."""
    repeats: Repeats = "never"
    fingerprint: str = ""
    """Names its model's weights and how they are run, where that is the same for all its voices."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Speech that was made before, whole."""

    body: bytes
    """As it goes over the wire: encoded, in events where its API has events."""
    seconds: float
    """Of audio."""


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """How an engine is that runs in a process of its own."""

    status: Literal["starting", "ready", "restarting", "failed"]
    since: float
    """Seconds since 1970."""
    restarts: int
    device: str
    """Where the model runs, as torch names it: `cpu`, `cuda`; empty before it was loaded."""


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """What an engine of its own process has done since the server started, and what it holds now."""

    restarts: int = 0
    steps: int = 0
    """Runs of the model; each makes one frame of every stream that is in it."""
    failed_steps: int = 0
    rows: int = 0
    """Streams in all steps together: `rows / steps` is the mean batch."""
    frames: int = 0
    prompt_positions: int = 0
    """Of texts and recordings, computed before their first frame."""
    prefix_hits: int = 0
    """Requests that found what had been computed of their recording."""
    prefix_misses: int = 0
    prefix_bytes: int = 0
    """Kept of recordings now."""
    slots: int = 0
    slots_taken: int = 0
    waiting: int = 0
    """Requests that wait for a slot now."""
    batch: int = 0
    """Streams in the last step."""
    kv_positions: int = 0
    """That all slots have memory for."""
    kv_used: int = 0
    """Of them, taken by prompts and frames of what is spoken now."""
