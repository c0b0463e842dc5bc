"""The Piper engine: the packaged voice joe, and every voice dropped into the voices folder."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

from june_tts.engine.joined import spoken
from june_tts.engine.lanes import Lanes, in_nice_thread
from june_tts.engine.onnx import Run
from june_tts.engine.piper_model import PiperModel
from june_tts.engine.schedule import Ticket
from june_tts.engine.warmup import warm_up
from june_tts.errors import VoiceNotFound
from june_tts.models.embedded import joe
from june_tts.models.files import PiperFiles
from june_tts.models.piper_dir import PiperDir
from june_tts.types import AudioChunk, Capabilities, Piece, Samples, Utterance, Voice

MOST_LOADED = 4
"""Voices kept in memory, about 150 MB each; the one not spoken for longest makes room."""

NARROW_DELAY_SECONDS = 3.0
CALIBRATION = "The first words are always the slowest."
"""Spoken once when a voice is loaded, to find its level; which words does not matter."""


class PiperEngine:
    name = "piper"

    def __init__(self, folder: Path, *, lanes: int, threads: int, ahead_seconds: float) -> None:
        self._folder = PiperDir(folder)
        self._threads = threads
        self._lanes = Lanes(self.name, count=lanes, ahead_seconds=ahead_seconds)
        self._loaded: OrderedDict[Path, PiperModel] = OrderedDict()
        self._loading = asyncio.Lock()
        self._joe: PiperFiles | None = None
        self._background: set[asyncio.Task[None]] = set()

    def capabilities(self) -> Capabilities:
        languages = dict.fromkeys(tag for voice in self.voices() for tag in voice.languages)
        return Capabilities(
            engine=self.name,
            languages=tuple(languages),
            clones=False,
            parameters=frozenset({"temperature"}),
            # The latent of 60 characters takes 30 ms on two cores; the sound starts 15 ms later.
            first_piece_chars=60,
            piece_chars=240,
            # also at a temperature of 0 the model draws how long each sound lasts (`noise_w`)
            repeats="never",
        )

    def voices(self) -> Sequence[Voice]:
        return [voice for files in self._all() for voice in _voices(files)]

    @property
    def active(self) -> int:
        """Streams that are not finished."""
        return self._lanes.streams

    @property
    def running(self) -> int:
        """Model runs under way."""
        return self._lanes.running

    async def start(self) -> None:
        self._joe = joe()
        self._lanes.start()
        await self._model(self._joe)
        await warm_up(self, "joe")

    async def close(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.to_thread(self._lanes.close)

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        files, speaker = self._find(utterance.voice.id)
        model = await self._model(files)
        run = Run()

        def speak(text: str, ticket: Ticket) -> Iterator[Samples | None]:
            return model.speak(
                text,
                run,
                ticket,
                self._lanes.alone,
                speed=utterance.speed,
                temperature=utterance.sampling.temperature,
                speaker=speaker,
            )

        chunks = spoken(
            self._lanes,
            speak,
            pieces,
            sample_rate=files.sample_rate,
            speed=utterance.speed,
            interrupt=run.interrupt,
        )
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def _all(self) -> tuple[PiperFiles, ...]:
        return (*([self._joe] if self._joe else ()), *self._folder.voices())

    def _find(self, voice_id: str) -> tuple[PiperFiles, int]:
        for files in self._all():
            if voice_id == files.id:
                return files, 0
            speaker = voice_id.removeprefix(f"{files.id}:")
            if speaker in files.speakers and speaker != voice_id:
                return files, files.speakers[speaker]
        raise VoiceNotFound(f"the voice {voice_id!r} is no longer in the voices folder", param="voice")

    async def _model(self, files: PiperFiles) -> PiperModel:
        async with self._loading:  # two requests for a new voice load it once
            if files.model not in self._loaded:
                model = await in_nice_thread(lambda: self._load(files))
                self._loaded[files.model] = model
                if self._threads > 1:
                    self._begin(_load_narrow(model))
                while len(self._loaded) > MOST_LOADED:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(files.model)
            return self._loaded[files.model]

    def _load(self, files: PiperFiles) -> PiperModel:
        model = PiperModel(files, threads=self._threads)
        model.calibrate(CALIBRATION)
        return model

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _load_narrow(model: PiperModel) -> None:
    """It matters only once several streams run, so let the other engines load first."""
    await asyncio.sleep(NARROW_DELAY_SECONDS)
    await in_nice_thread(model.load_narrow)


def _voices(files: PiperFiles) -> Iterator[Voice]:
    """The voice, and one more per named speaker: `en_GB-vctk-medium:p225`."""
    yield _voice(files, files.id, files.name)
    for speaker in files.speakers:
        yield _voice(files, f"{files.id}:{speaker}", f"{files.name} ({speaker})")


def _voice(files: PiperFiles, voice_id: str, name: str) -> Voice:
    rate, version = files.sample_rate, files.version
    return Voice(voice_id, name, "builtin", "piper", files.languages, rate, files.license, version=version)
