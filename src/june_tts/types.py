"""Plain values that cross package borders. No torch, no web framework, no database row, no I/O."""

from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from june_tts.errors import JuneError

Samples = NDArray[np.float32]
"""Mono audio, shape (n,), nominally within -1 .. 1."""

VoiceKind = Literal["builtin", "cloned"]
Visibility = Literal["public", "unlist", "private"]
Pause = Literal["none", "clause", "sentence", "paragraph"]
Repeats = Literal["always", "own_voices", "seeded", "never"]
"""Which utterances of an engine sound the same each time: every one; those of its own voices and those with a
seed; those with a seed; none. A temperature of 0 is as good as a seed."""
Format = Literal["wav", "pcm", "mp3", "opus", "aac", "flac", "ulaw", "alaw"]


@dataclass(frozen=True, slots=True)
class Voice:
    """A catalogue entry: everything a caller may know of a voice before it speaks."""

    id: str
    name: str
    kind: VoiceKind
    engine: str | None
    """The one engine of a built-in voice; None for a cloned one, which any cloning engine can speak."""
    languages: tuple[str, ...]
    """BCP 47 tags, the default one first: ("en-US",)."""
    sample_rate: int | None
    """Native rate in Hz; None where it is the engine's."""
    license: str
    created_at: datetime | None = None
    version: str = ""
    """Names what is heard of it: the same id with another one sounds different. Shown to nobody."""


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


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """What was heard in a reference recording. Levels in dBFS, durations in seconds."""

    format: str
    sample_rate: int
    channels: int
    duration: float
    """Of the whole recording, as uploaded."""
    speech_duration: float
    """After leading and trailing silence is trimmed."""
    peak_dbfs: float
    level_dbfs: float
    snr_db: float
    clipping: float
    """Share of samples at full scale, 0 .. 1."""
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file, as uploaded."""

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class VoiceCard:
    """What people read and see of a voice, beside its name; none of it is heard. None: not given."""

    description: str | None = None
    """Empty: without one from now on."""
    tags: tuple[str, ...] | None = None
    visibility: Visibility | None = None
    cover: Picture | None = None


@dataclass(frozen=True, slots=True)
class ClonedVoice:
    """A voice of the library without its audio and its picture."""

    voice_id: str
    name: str
    sha256: str
    audio_bytes: int
    transcript: str | None
    language: str | None
    report: RecordingReport | None
    """None for rows of a table that was there before june-tts, until they are judged."""
    created_at: datetime
    updated_at: datetime
    consent: str | None = None
    """Who agreed to the cloning, in the words of whoever uploaded."""
    description: str | None = None
    tags: tuple[str, ...] = ()
    visibility: Visibility = "private"
    cover_type: str | None = None
    """Media type of its picture; None where it has none."""
    consent_by: str | None = None
    """Whose request stated the consent: a key id, or `cli`; None where the server was open."""
    consent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VoiceUse:
    """How often a voice was spoken, over all replicas."""

    uses: int
    last_used: datetime


@dataclass(frozen=True, slots=True, eq=False)
class VoiceCodes:
    """A recording of the library in the codes of one codec: made once, kept beside it."""

    codec: str
    """Names the codec's weights and how recordings are prepared for it; 200 characters at most."""
    sha256: str
    """Of the recording, in hex."""
    codes: NDArray[np.int32]
    """Shape (codebooks, frames)."""
    transcript: str | None
    """What a recogniser heard in it, empty where it understood nothing; None where none was asked."""


@dataclass(frozen=True, slots=True)
class NewVoice:
    """A judged recording on its way into the library."""

    voice_id: str
    name: str
    audio: bytes
    """The original bytes, as uploaded."""
    transcript: str | None
    language: str | None
    report: RecordingReport
    consent: str | None = None
    card: VoiceCard = VoiceCard()
    consent_by: str | None = None
    """Key id of whoever states it."""


UtteranceState = Literal["queued", "speaking", "done", "stopped", "failed"]
ENDED: frozenset[UtteranceState] = frozenset({"done", "stopped", "failed"})
"""An utterance in one of these stays in it."""


@dataclass(frozen=True, slots=True)
class RoomRequest:
    """One utterance for a room, as a route hands it to the service."""

    room: str
    speech: SpeechRequest
    priority: int = 0
    """Of what waits for the same room, the highest is spoken first."""
    interrupt: bool = False
    """Stop what the room hears, and what waits there, unless its priority is higher."""


@dataclass(frozen=True, slots=True)
class UtteranceReport:
    """How far an utterance in a room has come."""

    id: str
    room: str
    voice_id: str
    priority: int
    state: UtteranceState
    heard_seconds: float
    """Of its speech, what has left for the room."""
    total_seconds: float
    """Since it was accepted, up to now or to its end."""
    error: JuneError | None = None
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class Line:
    """What an utterance in a room says, for its captions."""

    id: str
    text: str
    """As the caller wrote it."""
    speed: float = 1.0
    language: str = ""


@dataclass(frozen=True, slots=True)
class RoomsState:
    """What is connected to LiveKit."""

    joined: int
    home: bool | None
    """Whether the room that is always joined is joined now; None where there is none."""
    reachable: bool
    """False after a join that failed, until one succeeds."""


Scope = Literal["speak", "voices", "admin"]
SCOPES: tuple[Scope, ...] = ("speak", "voices", "admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request this is, where the server asks for keys."""

    key_id: str
    """Public: it is in the audit log, and what fairness and rates go by."""
    name: str
    """For people."""
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What one caller may have. None: the server's default; 0: as much as it likes."""

    requests_per_minute: int | None = None
    characters_per_minute: int | None = None
    audio_seconds_per_minute: int | None = None
    streams: int | None = None
    """At once."""
    characters_per_day: int | None = None
    """A day begins at midnight UTC, a month on its first."""
    characters_per_month: int | None = None
    audio_seconds_per_day: int | None = None
    audio_seconds_per_month: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: its secret is known to its holder alone."""

    key_id: str
    name: str
    sha256: str = field(repr=False)
    """Of the secret, in hex."""
    scopes: frozenset[Scope]
    limits: KeyLimits
    created_at: datetime
    created_by: str
    """Key id of whoever made it, or `cli`; empty where the server was open."""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revision: int = 0
    """Of all changes to keys, the number of the last one to this."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what. Nothing that anyone wrote or said is in it."""

    at: datetime
    actor: str
    """Key id, or `cli`; empty where the server was open."""
    action: str
    subject: str
    """Id of the voice or key."""
    request_id: str
    outcome: str
    """`success`, or the code of the error."""
    number: int = 0
    """Given by the store, rising."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a caller had on one day (UTC)."""

    key_id: str
    day: date
    requests: int = 0
    characters: int = 0
    audio_seconds: float = 0.0


BudgetKind = Literal["requests", "characters", "audio_seconds"]
BudgetWindow = Literal["minute", "day", "month"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a caller may have of something in a time. A minute's is a bucket that fills steadily; a day's or
    a month's is a count that begins anew with each, in UTC."""

    kind: BudgetKind
    window: BudgetWindow
    limit: int

    @property
    def name(self) -> str:
        """Of the limit: `characters_per_day`."""
        return f"{self.kind}_per_{self.window}"

    @property
    def seconds(self) -> int:
        """Of its window; of a month, the longest there are."""
        return {"minute": 60, "day": 86_400, "month": 31 * 86_400}[self.window]

    def period(self, now: datetime) -> str:
        """Names the day or month: `2026-11-22`, `2026-11`; empty for a minute, which has no beginning."""
        if self.window == "minute":
            return ""
        return now.isoformat()[: len("2026-11-22" if self.window == "day" else "2026-11")]

    def rest(self, now: datetime) -> float:
        """Seconds until the day or month ends; 0 for a minute."""
        if self.window == "minute":
            return 0.0
        now = now.astimezone(UTC)
        of_day = now.hour * 3600 + now.minute * 60 + now.second + now.microsecond / 1e6
        days = 1 if self.window == "day" else monthrange(now.year, now.month)[1] - now.day + 1
        return days * 86_400 - of_day


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of one budget."""

    budget: Budget
    charge: float = 0.0
    """Taken whatever is left; below 0 it is given back."""
    need: float = 0.0
    """Taken where there is room for the needs of all orders, else nothing."""
    want: float = 0.0
    """Taken with the need, as much of it as there is."""
    known: float = 0.0
    """Of a day or month: what is known to be used. A ledger that knows nothing begins from there."""
    certain: bool = False
    """So much is used at least, though the ledger says less: it was away, and may have forgotten."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a ledger gave of one budget: the need and as much as could be of the want, or nothing."""

    granted: float
    left: float
    """In the ledger after that, below 0 where it was overcharged."""
    wait: float
    """Seconds after which the need would fit; 0 where it does."""
