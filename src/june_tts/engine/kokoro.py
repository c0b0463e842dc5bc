"""The Kokoro engine: the packaged int8 model with five voices, or the full release once it is pulled."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

from june_tts.engine.joined import spoken
from june_tts.engine.kokoro_model import KokoroModel
from june_tts.engine.lanes import Lanes, in_nice_thread
from june_tts.engine.onnx import Run
from june_tts.engine.schedule import Ticket
from june_tts.engine.warmup import warm_up
from june_tts.errors import EngineFailed
from june_tts.models.fingerprint import fingerprint
from june_tts.models.kokoro import kokoro_files, kokoro_languages, kokoro_name, kokoro_voice_ids
from june_tts.types import AudioChunk, Capabilities, Piece, Samples, Utterance, Voice


class KokoroEngine:
    name = "kokoro"

    def __init__(self, models_dir: Path, *, lanes: int, threads: int, ahead_seconds: float) -> None:
        self._models_dir = models_dir
        self._threads = threads
        self._lanes = Lanes(self.name, count=lanes, ahead_seconds=ahead_seconds)
        self._model: KokoroModel | None = None
        self._voices: tuple[Voice, ...] = ()
        self._fingerprint = ""

    def capabilities(self) -> Capabilities:
        languages = dict.fromkeys(tag for voice in self._voices for tag in voice.languages)
        return Capabilities(
            engine=self.name,
            languages=tuple(languages),
            clones=False,
            parameters=frozenset(),
            # The whole piece must be made before its first sample is known: half a second on two cores.
            first_piece_chars=40,
            piece_chars=160,
            repeats="always",
            fingerprint=self._fingerprint,
        )

    def voices(self) -> Sequence[Voice]:
        return self._voices

    @property
    def active(self) -> int:
        """Streams that are not finished."""
        return self._lanes.streams

    @property
    def running(self) -> int:
        """Model runs under way."""
        return self._lanes.running

    async def start(self) -> None:
        files = (await asyncio.to_thread(kokoro_files, self._models_dir))[0]
        self._fingerprint = await asyncio.to_thread(
            lambda: f"{fingerprint(files.model)} {fingerprint(files.voices)}"
        )
        self._model = await in_nice_thread(lambda: KokoroModel(files, threads=self._threads))
        self._voices = tuple(
            Voice(
                voice_id,
                kokoro_name(voice_id),
                "builtin",
                self.name,
                kokoro_languages(voice_id),
                files.sample_rate,
                files.license,
            )
            for voice_id in kokoro_voice_ids(files)
            if kokoro_languages(voice_id)
        )
        self._lanes.start()
        await warm_up(self, self._voices[0].id)

    async def close(self) -> None:
        await asyncio.to_thread(self._lanes.close)

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        if self._model is None:
            raise EngineFailed("the engine kokoro is not started")
        model, run = self._model, Run()

        def speak(text: str, ticket: Ticket) -> Iterator[Samples | None]:
            return model.speak(
                text, utterance.voice.id, run, ticket, language=utterance.language, speed=utterance.speed
            )

        chunks = spoken(
            self._lanes,
            speak,
            pieces,
            sample_rate=model.files.sample_rate,
            speed=utterance.speed,
            interrupt=run.interrupt,
        )
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
