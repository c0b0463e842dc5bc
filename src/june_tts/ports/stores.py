"""Where voices, phrases, jobs and recordings are kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from june_tts.jobs import Failure, HeldJob, Hold, Job, JobPiece, JobState, NewJob
from june_tts.types import (
    ClonedVoice,
    InlineReference,
    NewVoice,
    Phrase,
    Picture,
    VoiceCard,
    VoiceCodes,
    VoiceUse,
)


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
