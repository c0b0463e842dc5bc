"""The voice library: built-in voices of the engines and cloned ones of the store, as one catalogue."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Protocol

from june_tts.audio.join import joined
from june_tts.errors import (
    CannotClone,
    EngineFailed,
    Overloaded,
    VoiceExists,
    VoiceNotFound,
    VoiceReadOnly,
    shown,
)
from june_tts.ports import Engine, VoiceStore
from june_tts.service import voice_rules as rules
from june_tts.service.audit import Audit
from june_tts.service.terms import current_terms
from june_tts.types import ClonedVoice, NewVoice, Picture, RecordingReport, Voice, VoiceCard

DEFAULT = "default"
CLONED_LICENSE = "as agreed with the speaker"
TRANSCRIPT_ADVICE = "It has no transcript: the words that are spoken in it improve the clone."

_JUDGED_AT_ONCE = 2
_JUDGED_OR_WAITING = 16
"""Each holds a whole upload in memory."""
_RETRY_AFTER_SECONDS = 5.0


class Judged(Protocol):
    """What a judge makes of a recording; see `june_tts.audio.judge`."""

    @property
    def report(self) -> RecordingReport: ...


class VoiceLibrary:
    """Finds, adds and removes voices. `close` it after the last call."""

    def __init__(
        self,
        store: VoiceStore,
        engines: Sequence[Engine],
        judge: Callable[[bytes], Judged],
        default_voice: str,
        aliases: Mapping[str, str],
        cloning_engines_hint: Sequence[str] = (),
        *,
        transcribes: bool = False,
        audit: Audit | None = None,
        require_consent: bool = False,
    ) -> None:
        """
        Args:
            engines: in the order of preference.
            judge: runs in a thread; raises InvalidRecording.
            default_voice: the id, or an alias, that `default` stands for.
            aliases: other names to voice ids; looked up before anything else, and only once.
            cloning_engines_hint: engines that could clone if they were installed, for the error message.
            transcribes: a recogniser writes down what no transcript was given for.
            audit: where changes are recorded; None: nowhere.
            require_consent: whether a new voice needs a statement of the speaker's consent.
        """
        self._store = store
        self._engines = tuple(engines)
        self._judge = judge
        self._default_voice = default_voice
        self._aliases = dict(aliases)
        self._cloning_engines_hint = tuple(cloning_engines_hint)
        self._transcribes = transcribes
        self._audit = audit
        self._require_consent = require_consent
        self._forgets: list[Callable[[str], Awaitable[None]]] = []
        self._judging = 0
        # Threads of our own and not asyncio.to_thread under a semaphore: when a client hangs up, its
        # thread works on, and the semaphore would already let the next one in.
        self._judges = ThreadPoolExecutor(_JUDGED_AT_ONCE, thread_name_prefix="judge")

    async def catalogue(self) -> list[Voice]:
        """Built-in voices in the order of the engines, then cloned ones, oldest first."""
        found = self._built_in()
        for cloned in await self._store.list():
            # an adopted table may hold an id that a built-in voice has: that one is what would speak
            found.setdefault(cloned.voice_id, _entry(cloned))
        return list(found.values())

    def built_in(self) -> list[Voice]:
        """The voices of the engines, in their order."""
        return list(self._built_in().values())

    async def cloned(self) -> list[ClonedVoice]:
        """Those of the store that can be named, oldest first."""
        there = self._built_in()
        return [voice for voice in await self._store.list() if voice.voice_id not in there]

    async def resolve(self, voice_id: str | None) -> Voice:
        """The voice that speaks when a request names `voice_id`.

        Raises:
            VoiceNotFound: with the id.
            StoreUnavailable: only where the id is not a built-in voice.
        """
        voice_id = self._meant(voice_id)
        built_in = self._built_in().get(voice_id)
        return built_in or _entry(await self._store.get(voice_id))

    def engine_for(self, voice: Voice) -> Engine:
        """The engine that speaks a voice.

        Raises:
            CannotClone: the voice is cloned and no engine here clones; names those that would.
            EngineFailed: the engine of a built-in voice is gone.
        """
        if voice.kind == "cloned":
            return self._cloning_engine(voice)
        for engine in self._engines:
            if engine.name == voice.engine:
                return engine
        raise EngineFailed(f"the engine {voice.engine} of the voice {shown(voice.id)} is not loaded")

    async def clone(
        self,
        voice_id: str,
        name: str,
        audio: bytes | Sequence[bytes],
        transcript: str | None = None,
        language: str | None = None,
        *,
        consent: str | None = None,
        card: VoiceCard | None = None,
    ) -> ClonedVoice:
        """Judge a recording and keep it as a voice. Nothing is left behind unless it returns.

        Args:
            audio: a recording, or several of one speaker, which are kept as one.

        Raises:
            InvalidRequest: a field is not valid, or the id is taken (VoiceExists).
            InvalidRecording: from the judge.
            Overloaded: too many recordings are waiting to be judged.
            StoreUnavailable: the voice may have been kept all the same; trying again then says VoiceExists.
        """
        self._refuse_reserved(rules.checked_id(voice_id))
        name = rules.checked_name(name)
        transcript = rules.checked_transcript(transcript)
        language = rules.checked_language(language)
        consent = rules.checked_consent(consent, required=self._require_consent)
        card = _checked(card or VoiceCard())
        async with self._recorded("voice.add", voice_id):
            await self._refuse_taken(voice_id)
            whole, judged = await self._judged([audio] if isinstance(audio, bytes) else audio)
            who = current_terms().caller or None
            kept = await self._store.add(
                NewVoice(voice_id, name, whole, transcript, language, judged.report, consent, card, who)
            )
        return self._advised(kept)

    async def change(self, voice_id: str, name: str | None, card: VoiceCard) -> ClonedVoice:
        """Change what is told of a cloned voice, by its own id; what is not given stays.

        Raises:
            InvalidRequest: a field is not valid.
            VoiceNotFound: no voice has this id.
            VoiceReadOnly: a built-in one has it, or it is another name of a voice.
        """
        self._refuse_read_only(voice_id, "changed")
        name = None if name is None else rules.checked_name(name)
        card = _checked(card)
        async with self._recorded("voice.change", voice_id):
            kept = await self._store.change(voice_id, name, card)
        return self._advised(kept)

    async def cover(self, voice_id: str) -> Picture | None:
        """The picture of a cloned voice, by its id or an alias. Raises: VoiceNotFound."""
        return await self._store.cover(self._meant(voice_id))

    async def get(self, voice_id: str) -> ClonedVoice:
        """A cloned voice by its id or an alias. Raises: VoiceNotFound."""
        return self._advised(await self._store.get(self._meant(voice_id)))

    async def audio(self, voice_id: str) -> bytes:
        """Its recording, as uploaded. Raises: VoiceNotFound."""
        return await self._store.audio(self._meant(voice_id))

    async def remove(self, voice_id: str) -> None:
        """Remove a cloned voice by its own id.

        Raises:
            VoiceNotFound: no voice has this id.
            VoiceReadOnly: a built-in one has it, or it is another name of a voice.
        """
        self._refuse_read_only(voice_id, "removed")
        async with self._recorded("voice.remove", voice_id):
            await self._store.remove(voice_id)
        for forget in self._forgets:
            await forget(voice_id)

    def on_removed(self, forget: Callable[[str], Awaitable[None]]) -> None:
        """Have `forget` called with the id of each voice that is removed, before its removal is answered."""
        self._forgets.append(forget)

    def close(self) -> None:
        """Judge nothing more; recordings that are being judged are not waited for."""
        self._judges.shutdown(wait=False, cancel_futures=True)

    def _recorded(self, action: str, voice_id: str) -> AbstractAsyncContextManager[None]:
        return self._audit.change(action, voice_id) if self._audit else nullcontext()

    def _advised(self, kept: ClonedVoice) -> ClonedVoice:
        """Not kept with the report: a recogniser may be there tomorrow."""
        if kept.transcript or self._transcribes or kept.report is None:
            return kept
        advice = (*kept.report.advice, TRANSCRIPT_ADVICE)
        return replace(kept, report=replace(kept.report, advice=advice))

    def _built_in(self) -> dict[str, Voice]:
        found: dict[str, Voice] = {}
        for engine in self._engines:
            for voice in engine.voices():
                found.setdefault(voice.id, voice)
        return found

    def _meant(self, voice_id: str | None) -> str:
        """The id behind an alias or `default`, which may itself stand for an alias."""
        meant = self._aliases.get(voice_id, voice_id) if voice_id else DEFAULT
        if meant != DEFAULT:
            return meant
        return self._aliases.get(self._default_voice, self._default_voice)

    def _cloning_engine(self, voice: Voice) -> Engine:
        for engine in self._engines:
            if engine.capabilities().clones:
                return engine
        here = ", ".join(engine.name for engine in self._engines) or "none"
        able = ", ".join(self._cloning_engines_hint)
        remedy = f"install an engine that can ({able})" if able else "use a built-in voice"
        raise CannotClone(
            f"the voice {shown(voice.id)} is cloned, and no engine installed here ({here}) can speak "
            f"cloned voices: {remedy}",
            param="voice_id",
        )

    def _reserved(self, voice_id: str) -> str | None:
        """What an id is that no cloned voice may have."""
        if voice_id == DEFAULT or voice_id in self._aliases:
            return "another name of a voice"
        return "a built-in voice" if voice_id in self._built_in() else None

    def _refuse_read_only(self, voice_id: str, done: str) -> None:
        if what := self._reserved(voice_id):
            raise VoiceReadOnly(
                f"{shown(voice_id)} is {what}: only cloned voices can be {done}", param="voice_id"
            )

    def _refuse_reserved(self, voice_id: str) -> None:
        if what := self._reserved(voice_id):
            raise VoiceExists(f"voice_id is {shown(voice_id)}, which is {what}", param="voice_id")

    async def _refuse_taken(self, voice_id: str) -> None:
        """Early, to spare the judging; the store decides when two ask at once."""
        try:
            await self._store.get(voice_id)
        except VoiceNotFound:
            return
        raise VoiceExists(f"a voice with the id {shown(voice_id)} exists already", param="voice_id")

    async def _judged(self, recordings: Sequence[bytes]) -> tuple[bytes, Judged]:
        """The recordings as one, and what is heard in it."""
        if self._judging >= _JUDGED_OR_WAITING:
            raise Overloaded(
                f"{self._judging} recordings are waiting to be judged", retry_after=_RETRY_AFTER_SECONDS
            )
        self._judging += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._judges, self._judge_whole, recordings
            )
        finally:
            self._judging -= 1

    def _judge_whole(self, recordings: Sequence[bytes]) -> tuple[bytes, Judged]:
        whole = joined(recordings)
        return whole, self._judge(whole)


def _checked(card: VoiceCard) -> VoiceCard:
    """Raises: InvalidRequest."""
    return replace(
        card,
        description=None if card.description is None else rules.checked_description(card.description),
        tags=None if card.tags is None else rules.checked_tags(card.tags),
    )


def _entry(cloned: ClonedVoice) -> Voice:
    return Voice(
        id=cloned.voice_id,
        name=cloned.name,
        kind="cloned",
        engine=None,
        languages=(cloned.language,) if cloned.language else (),
        sample_rate=None,
        license=CLONED_LICENSE,
        created_at=cloned.created_at,
        # the time too: a voice that was removed and added again is another one
        version=f"{cloned.sha256} {cloned.created_at.isoformat()} {cloned.transcript}",
    )
