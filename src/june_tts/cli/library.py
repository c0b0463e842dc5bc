"""The voice library for the command line: the same rules as the server's, without loading a model."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from june_tts.audio.judge import judge
from june_tts.bootstrap import CLONING_ENGINES, database_url
from june_tts.bootstrap.sharing import shared_of
from june_tts.bootstrap.voices import cached_voices
from june_tts.engine.fake import FakeEngine
from june_tts.errors import EngineFailed, ModelUnavailable
from june_tts.models.embedded import joe
from june_tts.models.files import PiperFiles
from june_tts.models.kokoro import installed_voices, kokoro_languages, kokoro_name
from june_tts.models.piper_dir import PiperDir
from june_tts.service.audit import Audit
from june_tts.service.voices import VoiceLibrary
from june_tts.settings import Settings
from june_tts.store import open_stores
from june_tts.telemetry.metrics import Metrics
from june_tts.types import AudioChunk, Capabilities, Piece, Utterance, Voice


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[VoiceLibrary]:
    """The library, closed on leaving.

    Raises:
        StoreUnavailable: it cannot be opened.
        SettingsError: REDIS_URL cannot be read.
    """
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        # where there is a Redis, the servers are told of what changes here
        shared = await shared_of(settings, metrics, stack)
        stores = await open_stores(database_url(settings), settings.data_dir)
        library = VoiceLibrary(
            cached_voices(settings, stores, shared, metrics, stack),
            _shelves(settings),
            judge,
            settings.default_voice,
            settings.aliases,
            CLONING_ENGINES,
            transcribes=settings.asr_model is not None,
            audit=Audit(stores.audit),
            require_consent=settings.require_consent,
        )
        stack.callback(library.close)
        yield library


class _Shelf:
    """The built-in voices of an engine that is not running; it lists them and cannot speak."""

    def __init__(self, name: str, voices: Sequence[Voice]) -> None:
        self.name = name
        self._voices = voices
        self.active = 0
        self.running = 0

    def capabilities(self) -> Capabilities:
        languages = dict.fromkeys(tag for voice in self._voices for tag in voice.languages)
        return Capabilities(self.name, tuple(languages), False, frozenset(), 0, 0)

    def voices(self) -> Sequence[Voice]:
        return self._voices

    async def start(self) -> None:
        raise EngineFailed(f"the engine {self.name} is only listed here")

    async def close(self) -> None:
        return

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        raise EngineFailed(f"the engine {self.name} is only listed here")
        yield  # makes this a generator, as the port wants it


def _shelves(settings: Settings) -> list[_Shelf]:
    sources: dict[str, Callable[[Settings], list[Voice]]] = {
        "piper": _piper,
        "kokoro": _kokoro,
        "fake": _fake,
    }
    return [_Shelf(name, sources[name](settings)) for name in settings.engines]


def _piper(settings: Settings) -> list[Voice]:
    found = list(PiperDir(settings.piper_dir).voices())
    try:
        found.insert(0, joe())
    except ModelUnavailable:
        pass  # not installed, so not a voice; `doctor` tells how to get it
    return [voice for files in found for voice in _piper_voices(files)]


def _piper_voices(files: PiperFiles) -> list[Voice]:
    names = {files.id: files.name}
    names |= {f"{files.id}:{speaker}": f"{files.name} ({speaker})" for speaker in files.speakers}
    return [
        Voice(voice_id, name, "builtin", "piper", files.languages, files.sample_rate, files.license)
        for voice_id, name in names.items()
    ]


def _kokoro(settings: Settings) -> list[Voice]:
    try:
        ids = installed_voices(settings.models_dir)
    except ModelUnavailable:
        return []
    return [
        Voice(
            voice_id,
            kokoro_name(voice_id),
            "builtin",
            "kokoro",
            kokoro_languages(voice_id),
            24_000,
            "Apache-2.0",
        )
        for voice_id in ids
        if kokoro_languages(voice_id)
    ]


def _fake(_: Settings) -> list[Voice]:
    return list(FakeEngine().voices())
