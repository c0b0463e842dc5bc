"""What the service needs from the outside. Two real implementations each, or it is not a port."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from june_tts.jobs import Failure, HeldJob, Hold, Job, JobPiece, JobState, NewJob
from june_tts.types import (
    ApiKey,
    AudioChunk,
    AuditEntry,
    Budget,
    Capabilities,
    ClonedVoice,
    EngineCounts,
    EngineHealth,
    Grant,
    InlineReference,
    KeyLimits,
    Line,
    NewVoice,
    Order,
    Phrase,
    Picture,
    Piece,
    RoomsState,
    Samples,
    Usage,
    Utterance,
    Voice,
    VoiceCard,
    VoiceCodes,
    VoiceUse,
)


class Engine(Protocol):
    """Makes speech. `start` before the first use, `close` after the last; both are called once."""

    name: str

    @property
    def active(self) -> int:
        """Streams that have begun and not ended."""
        ...

    @property
    def running(self) -> int:
        """Model runs under way at this moment."""
        ...

    def capabilities(self) -> Capabilities: ...

    def voices(self) -> Sequence[Voice]:
        """The built-in voices that can be spoken now. May change while running; never blocks."""
        ...

    async def start(self) -> None:
        """Load and warm up.

        Raises:
            ModelUnavailable: a model file is missing or damaged.
        """
        ...

    async def close(self) -> None:
        """Stop every stream and free everything."""
        ...

    def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        """Stream the pieces as one utterance, in order.

        Closing the generator cancels the work and frees its place at once. `pieces` is read only a little
        ahead of what has been spoken, so it may be endless, and may wait for text still being written.

        Raises:
            EngineFailed: at any time; no chunk follows.
        """
        ...


@runtime_checkable
class Supervised(Protocol):
    """An engine whose model runs in a process of its own, and may be away for a while."""

    @property
    def health(self) -> EngineHealth: ...

    @property
    def counts(self) -> EngineCounts: ...


@runtime_checkable
class TellsProgress(Protocol):
    """An engine that knows better than its readers whether it is at work."""

    @property
    def idle_since(self) -> float | None:
        """Since when, by `time.monotonic()`, there is something to do and nothing is done; None while there
        is nothing to do, or readers who take nothing hold it up.
        """
        ...


@runtime_checkable
class SpeaksInCodes(Protocol):
    """An engine that turns recordings into codes and codes into speech, also for others."""

    codec: "VoiceCodec"


class VoiceStore(Protocol):
    """Keeps cloned voices. Every call may raise StoreUnavailable; none leaves half a voice behind."""

    async def add(self, voice: NewVoice) -> ClonedVoice:
        """Keep a voice durably before returning.

        Raises:
            VoiceExists: the id is taken.
        """
        ...

    async def get(self, voice_id: str) -> ClonedVoice:
        """Raises: VoiceNotFound."""
        ...

    async def audio(self, voice_id: str) -> bytes:
        """The original recording. Raises: VoiceNotFound."""
        ...

    async def list(self) -> Sequence[ClonedVoice]:
        """All voices, oldest first."""
        ...

    async def change(self, voice_id: str, name: str | None, card: VoiceCard) -> ClonedVoice:
        """Keep what is given, durably, and leave the rest as it is. Raises: VoiceNotFound."""
        ...

    async def cover(self, voice_id: str) -> Picture | None:
        """Its picture. Raises: VoiceNotFound."""
        ...

    async def remove(self, voice_id: str) -> None:
        """Raises: VoiceNotFound."""
        ...

    async def codes(self, voice_id: str, codec: str, sha256: str) -> VoiceCodes | None:
        """What was kept for this voice, codec and recording; None where nothing was."""
        ...

    async def keep_codes(self, voice_id: str, codes: VoiceCodes) -> None:
        """Keep a recording's codes in place of those of the same codec, until the voice is removed.

        Does nothing where the voice is gone or has another recording by now.
        """
        ...

    async def ping(self) -> None:
        """Return when the library answers. Raises: StoreUnavailable."""
        ...

    async def close(self) -> None: ...


class PhraseMemory(Protocol):
    """Phrases at hand. A key is a digest of all that is heard; nothing here waits."""

    def get(self, key: bytes) -> Phrase | None: ...

    def put(self, key: bytes, phrase: Phrase, voice_id: str, *, pinned: bool = False) -> bool:
        """Keep it, others making room for it; `pinned`: until it is unpinned.

        Returns: whether there was room.
        """
        ...

    def forget(self, voice_id: str) -> bool:
        """Drop what this voice speaks. Returns: whether there was anything."""
        ...

    def unpin(self, but: Collection[bytes]) -> None:
        """Only these keys stay pinned, where they are."""
        ...


class SharedPhrases(Protocol):
    """Phrases that all replicas have. Nothing here raises: where they are away, there is nothing to find."""

    async def get(self, key: bytes, expected_bytes: int) -> Phrase | None:
        """`expected_bytes`: at most; a large one may take longer."""
        ...

    async def put(self, key: bytes, phrase: Phrase, voice_id: str) -> bool:
        """Returns: whether it is kept now."""
        ...

    async def forget(self, voice_id: str) -> bool:
        """Drop what this voice speaks. Returns: whether it is done."""
        ...


class JobStore(Protocol):
    """Keeps jobs. Every call may raise StoreUnavailable, and then may have been carried out all the same."""

    async def add(self, job: NewJob, waiting: int) -> Job:
        """Keep a job durably before returning. Raises: Overloaded, where its owner has so many open ones."""
        ...

    async def get(self, job_id: str) -> Job:
        """Raises: JobNotFound."""
        ...

    async def list(
        self, owner: str | None, states: Sequence[JobState], before: str | None, count: int
    ) -> Sequence[Job]:
        """The newest first, those older than the job `before`; of everybody where `owner` is None.

        Raises:
            JobNotFound: `before` is none.
        """
        ...

    async def cancel(self, job_id: str) -> Job:
        """End it, unless it has ended. Raises: JobNotFound."""
        ...

    async def remove(self, job_id: str) -> None:
        """End it and forget it; its audio is deleted by `sweep`. Raises: JobNotFound."""
        ...

    async def audio(self, job_id: str, number: int) -> bytes:
        """A block of a finished job's result. Raises: JobNotFound."""
        ...

    async def claim(self, runner: str, seconds: float) -> HeldJob | None:
        """A job to work on, if there is one: nobody else gets it until `seconds` after its last word."""
        ...

    async def release(self, hold: Hold) -> None:
        """Give it back unfinished, if it is still the holder's."""
        ...

    # Each of these is the holder's word that it goes on, and raises JobLost where the job is not its own.

    async def renew(self, hold: Hold) -> None: ...

    async def keep_piece(self, hold: Hold, piece: JobPiece) -> Job:
        """Keep the next piece durably before returning. JobLost also where it is kept already."""
        ...

    async def piece(self, hold: Hold, number: int) -> bytes:
        """The samples of a piece, as they were kept."""
        ...

    async def keep_audio(self, hold: Hold, number: int, data: bytes) -> None:
        """Keep a block of the result: BLOCK_BYTES, the last one fewer. Any order, any number of times."""
        ...

    async def finish(self, hold: Hold, first: bytes, blocks: int, audio_bytes: int) -> Job:
        """Keep the first block, and with it the whole result; the job is done."""
        ...

    async def fail(self, hold: Hold, failure: Failure) -> Job: ...

    async def sweep(self, kept: int, seconds: float) -> bool:
        """Forget what ended longer ago, and each owner's oldest beyond `kept`; delete what nobody needs.

        Little by little: true where there may be more to delete.
        """
        ...


class VoiceUseStore(Protocol):
    """Counts how often voices are spoken. Both calls may raise StoreUnavailable."""

    async def add(self, counts: Mapping[str, int], at: datetime) -> None:
        """Add to what is counted by voice; `at`: when the last of them was."""
        ...

    async def all(self) -> Mapping[str, VoiceUse]:
        """By voice."""
        ...


@runtime_checkable
class WarmsVoices(Protocol):
    """An engine that can have ready what it needs of a voice before anyone asks for it."""

    async def warm_voice(self, voice_id: str) -> None:
        """Of the library. Raises: JuneError."""
        ...


class VoiceCodec(Protocol):
    """Recordings to codes and back, for engines that speak in codes. Both calls may raise EngineFailed."""

    sample_rate: int
    """Hz, of samples both ways."""
    codebooks: int

    async def encode(self, samples: Samples) -> NDArray[np.int32]:
        """Codes of a recording, shape (codebooks, frames)."""
        ...

    async def decode(self, codes: NDArray[np.int32]) -> Samples:
        """The samples of codes of that shape. A code beyond its codebook's end is the last one there."""
        ...


class References(Protocol):
    """Voices to speak like, by the ids of Fish's API. Every call may raise StoreUnavailable."""

    async def find(self, reference_id: str) -> tuple[InlineReference, ...]:
        """The recordings of an id; none where the voice library knows the voice by this id.

        Raises:
            VoiceNotFound: with the id.
        """
        ...

    async def list(self) -> Sequence[str]:
        """Every id."""
        ...

    async def add(self, reference_id: str, audio: bytes, text: str) -> None:
        """Keep a recording under a new id. Raises: VoiceExists, InvalidRequest."""
        ...

    async def remove(self, reference_id: str) -> None:
        """Raises: VoiceNotFound."""
        ...

    async def rename(self, old: str, new: str) -> None:
        """Raises: VoiceNotFound for the old id, VoiceExists for the new one, InvalidRequest."""
        ...


class RoomPublisher(Protocol):
    """Speaks into LiveKit rooms, one connection each."""

    @property
    def state(self) -> RoomsState: ...

    async def play(
        self,
        room: str,
        line: Line,
        chunks: AsyncGenerator[AudioChunk, None],
        heard: Callable[[float], None],
    ) -> None:
        """Speak in a room, joined first where need be; return when the last sample has been played.

        One utterance at a time for a room. `heard` is told the seconds that have left, again and again
        while it speaks and once more at the end. Cancelling it is silence within a frame; `chunks` are
        closed either way.

        Raises:
            RoomUnavailable: the room cannot be joined, or was lost.
            Overloaded: every room there may be is in use.
            JuneError: what `chunks` raise.
        """
        ...

    async def close(self) -> None:
        """Leave every room."""
        ...


class KeyStore(Protocol):
    """Keeps API keys. Every call may raise StoreUnavailable."""

    async def add(self, key: ApiKey) -> ApiKey:
        """Keep a new key durably. Returns it with its revision."""
        ...

    async def change(
        self, key_id: str, *, limits: KeyLimits | None = None, revoked_at: datetime | None = None
    ) -> ApiKey:
        """Keep what is given in place of what was there; who is revoked already stays so since then.

        Raises: KeyNotFound.
        """
        ...

    async def since(self, revision: int) -> Sequence[ApiKey]:
        """Keys added or changed after that revision, in the order of theirs; 0 for all."""
        ...


class AuditStore(Protocol):
    """Keeps who changed what. Every call may raise StoreUnavailable."""

    async def record(self, entry: AuditEntry) -> None: ...

    async def list(self, before: int | None, limit: int) -> Sequence[AuditEntry]:
        """The newest first, numbers below `before` alone."""
        ...

    async def prune(self, before: datetime) -> int:
        """Forget what is older. Returns: how many entries."""
        ...


class UsageStore(Protocol):
    """Counts what callers had, by days. Every call may raise StoreUnavailable."""

    async def add(self, used: Sequence[Usage]) -> None:
        """Add these counts to those of the same key and day."""
        ...

    async def since(self, day: date) -> Sequence[Usage]:
        """Every count from that day on."""
        ...


class Ledger(Protocol):
    """Keeps the budgets of callers."""

    async def take(self, key_id: str, orders: Sequence[Order]) -> Sequence[Grant] | None:
        """A grant for each order, or None where the ledger cannot be reached."""
        ...

    async def stream(self, key_id: str, owner: str, streams: int, most: int) -> bool | None:
        """Hold places for so many streams of a caller, in place of what `owner` held.

        Returns: False where all owners together would hold more than `most`; None out of reach.
        """
        ...


class LocalLedger(Ledger, Protocol):
    """A ledger in the memory of this process, which is always there."""

    def take_now(self, key_id: str, orders: Sequence[Order]) -> Sequence[Grant]:
        """As `take`, without waiting."""
        ...

    def learn(self, key_id: str, budget: Budget, left: float) -> None:
        """Go on from what another ledger says is left."""
        ...

    def left(self, key_id: str, budget: Budget) -> float: ...
