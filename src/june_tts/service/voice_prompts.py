"""What an engine needs to speak like a recording: its words and its codes, made once and kept."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from june_tts.errors import EngineFailed, JuneError, StoreUnavailable
from june_tts.ports import VoiceStore
from june_tts.types import ClonedVoice, InlineReference, Samples, VoiceCodes

VoicePrompt = tuple[str, NDArray[np.int32]]
"""Words of a recording, "" where nobody knows them, and its codes, shape (codebooks, frames), read-only."""

_PREPARATION = "1"
"""Counted up with every change of how recordings are prepared: kept codes then no longer count."""
_MOST_KEPT = 256
"""In memory, 26 KB for 30 s of speech in ten codebooks."""
_PREPARED_AT_ONCE = 2

log = structlog.get_logger(__name__)


class Coder(Protocol):
    """Encodes recordings."""

    @property
    def fingerprint(self) -> str:
        """Names the codec's weights, 180 characters at most: codes of another one mean other sounds."""
        ...

    @property
    def sample_rate(self) -> int:
        """Hz."""
        ...

    async def encode(self, samples: Samples) -> NDArray[np.int32]:
        """Codes of mono samples at `sample_rate`, shape (codebooks, frames). Raises: EngineFailed."""
        ...


class Recogniser(Protocol):
    """Writes down what is said."""

    async def transcribe(self, samples: Samples, sample_rate: int, language: str | None) -> str:
        """ "" where nothing was understood. Raises: EngineFailed."""
        ...


class Prepare(Protocol):
    """Makes a recording ready to be encoded; see `june_tts.audio.reference`. Blocks."""

    def __call__(self, data: bytes, sample_rate: int, *, whole: bool) -> Samples: ...


class _OfVoice(NamedTuple):
    """The key of a voice of the library; that of a recording is a plain tuple."""

    voice_id: str
    sha256: str
    transcript: str | None
    codec: str


class VoicePrompts:
    """Prompts by voice or recording. However many ask at once, each is made once. For one event loop."""

    def __init__(
        self,
        store: VoiceStore,
        coder: Coder,
        recogniser: Recogniser | None = None,
        *,
        prepare: Prepare,
        most_kept: int = _MOST_KEPT,
    ) -> None:
        self._store = store
        self._coder = coder
        self._recogniser = recogniser
        self._prepare = prepare
        self._most_kept = most_kept
        self._kept: OrderedDict[Hashable, VoicePrompt] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[VoicePrompt]] = {}
        self._tasks: set[asyncio.Task[VoicePrompt]] = set()
        self._preparing = asyncio.Semaphore(_PREPARED_AT_ONCE)
        self._closed = False

    async def prompt(self, voice_id: str) -> VoicePrompt:
        """Transcript and codes of a cloned voice.

        Cancelling does not stop the making, which others may wait for and which is kept.

        Raises:
            VoiceNotFound: no cloned voice has this id.
            InvalidRecording: the recording cannot be decoded.
            EngineFailed: the coder failed.
            StoreUnavailable: the library is away.
        """
        # asked each time, as another replica may have removed or replaced the voice
        voice = await self._store.get(voice_id)
        key = _OfVoice(voice_id, voice.sha256, voice.transcript, self._codec)
        return await self._once(key, lambda: self._of_voice(voice))

    async def inline(self, given: InlineReference) -> VoicePrompt:
        """The same of a recording that came with a request; kept in memory alone. Raises: as `prompt`."""
        sha256 = await asyncio.to_thread(lambda: hashlib.sha256(given.audio).hexdigest())
        return await self._once((sha256, given.text, self._codec), lambda: self._of_inline(given))

    def forget(self, voice_id: str) -> None:
        """Keep nothing of a voice that has changed or is gone, nor what is being made of it."""
        for kept in (self._kept, self._making):
            for key in [key for key in kept if isinstance(key, _OfVoice) and key.voice_id == voice_id]:
                del kept[key]

    async def close(self) -> None:
        """Stop whatever is being made; who waits for it is told that the engine failed."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _codec(self) -> str:
        return f"{self._coder.fingerprint} prepared {_PREPARATION}"

    async def _once(self, key: Hashable, make: Callable[[], Awaitable[VoicePrompt]]) -> VoicePrompt:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        task = self._making.get(key) or self._begin(key, make)
        # not awaited itself: one listener who hangs up must not cancel it for the others
        await asyncio.wait([task])
        if task.cancelled():
            raise EngineFailed("the server is stopping")
        return task.result()

    def _begin(self, key: Hashable, make: Callable[[], Awaitable[VoicePrompt]]) -> asyncio.Task[VoicePrompt]:
        if self._closed:
            raise EngineFailed("the server is stopping")

        async def making() -> VoicePrompt:
            transcript, codes = await make()
            codes.flags.writeable = False
            if self._making.get(key) is asyncio.current_task():
                self._keep(key, (transcript, codes))
            return transcript, codes

        task = self._making[key] = asyncio.create_task(making())
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._made(key, done))
        return task

    def _made(self, key: Hashable, task: asyncio.Task[VoicePrompt]) -> None:
        self._tasks.discard(task)
        if self._making.get(key) is task:
            del self._making[key]
        if not task.cancelled():
            task.exception()  # counts as seen, for all who waited may have left

    def _keep(self, key: Hashable, prompt: VoicePrompt) -> None:
        self._kept[key] = prompt
        while len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)

    async def _of_voice(self, voice: ClonedVoice) -> VoicePrompt:
        kept = await self._store.codes(voice.voice_id, self._codec, voice.sha256)
        if kept and not self._to_be_heard(voice.transcript, kept):
            return voice.transcript or kept.transcript or "", kept.codes
        samples = await self._samples(await self._store.audio(voice.voice_id), voice.transcript)
        codes = kept.codes if kept else await self._coder.encode(samples)
        heard = await self._heard(samples, voice.language) if not voice.transcript else None
        await self._store_codes(voice.voice_id, VoiceCodes(self._codec, voice.sha256, codes, heard))
        log.info("voice encoded", voice=voice.voice_id, frames=codes.shape[1], recognised=heard is not None)
        return voice.transcript or heard or "", codes

    async def _of_inline(self, given: InlineReference) -> VoicePrompt:
        samples = await self._samples(given.audio, given.text)
        codes = await self._coder.encode(samples)
        return given.text or await self._heard(samples, None) or "", codes

    def _to_be_heard(self, transcript: str | None, kept: VoiceCodes) -> bool:
        """Whether a recogniser is there now that was not when the codes were made."""
        return not transcript and kept.transcript is None and self._recogniser is not None

    async def _samples(self, audio: bytes, transcript: str | None) -> Samples:
        async with self._preparing:
            whole = bool(transcript)
            return await asyncio.to_thread(self._prepare, audio, self._coder.sample_rate, whole=whole)

    async def _heard(self, samples: Samples, language: str | None) -> str | None:
        """What is said; None where nobody could be asked. The clone is worse without, but it is one."""
        if self._recogniser is None:
            return None
        try:
            return await self._recogniser.transcribe(samples, self._coder.sample_rate, language)
        except JuneError as bad:
            log.warning("recording not transcribed", reason=str(bad))
            return None

    async def _store_codes(self, voice_id: str, codes: VoiceCodes) -> None:
        try:
            await self._store.keep_codes(voice_id, codes)
        except StoreUnavailable as bad:
            log.warning("codes of a voice not kept", voice=voice_id, reason=str(bad))
