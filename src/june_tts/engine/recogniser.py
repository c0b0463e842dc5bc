"""Writes down what a recording says, with Whisper (the extra `asr`), in a thread of its own."""

import asyncio
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from june_tts.audio.resample import Resampler
from june_tts.engine.lanes import be_nice
from june_tts.errors import EngineFailed, ModelUnavailable
from june_tts.types import Samples

RATE = 16_000
"""Hz, of Whisper's ear."""
_MOST_CHARS = 5_000
_THREADS = 2
"""Cores it may take: it works beside streams that play."""
_FILES = ("config.json", "model.bin")


class WhisperRecogniser:
    """One recording at a time. The model loads with the first one. `close` it after the last call."""

    def __init__(self, model: Path) -> None:
        """
        Args:
            model: folder of a Whisper model in CTranslate2's format.

        Raises:
            ModelUnavailable: faster-whisper is not installed, or the folder holds no such model.
        """
        if importlib.util.find_spec("faster_whisper") is None:
            raise ModelUnavailable(
                "JUNE_ASR_MODEL needs faster-whisper, which is not installed: pip install 'june-tts[asr]'"
            )
        if missing := [name for name in _FILES if not (model / name).is_file()]:
            raise ModelUnavailable(
                f"JUNE_ASR_MODEL={model}: it has no {', '.join(missing)}: expected the folder of a Whisper "
                "model in CTranslate2's format"
            )
        self._folder = model
        self._model: Any = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recogniser", initializer=be_nice)

    async def transcribe(self, samples: Samples, sample_rate: int, language: str | None) -> str:
        """The words in a recording, "" where none was understood. About a tenth of its duration.

        Cancelling does not stop the work, only the waiting for it.

        Args:
            samples: mono.
            language: BCP 47; found out where None or unknown to the model.

        Raises:
            EngineFailed: the model cannot be loaded or run.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._transcribe, samples, sample_rate, language)

    def close(self) -> None:
        """Recognise nothing more; what is under way is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _transcribe(self, samples: Samples, sample_rate: int, language: str | None) -> str:
        resampler = Resampler(sample_rate, RATE)
        heard = np.concatenate([resampler.feed(samples), resampler.finish()])
        try:
            return self._words(heard, language)
        except (RuntimeError, ValueError, OSError) as bad:
            raise EngineFailed(f"the recogniser failed ({type(bad).__name__})") from bad

    def _words(self, heard: Samples, language: str | None) -> str:
        model = self._loaded()
        spoken = (language or "").partition("-")[0].lower()
        segments, _ = model.transcribe(
            heard,
            language=spoken if spoken in model.supported_languages else None,
            beam_size=5,
            # one bad guess must not lead the rest astray
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments).strip()[:_MOST_CHARS]

    def _loaded(self) -> Any:
        """The import alone takes a second, so it waits until a voice needs it."""
        if self._model is None:
            from faster_whisper import WhisperModel

            self._model = WhisperModel(
                str(self._folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=_THREADS,
                local_files_only=True,
            )
        return self._model


def open_recogniser(model: Path | None) -> WhisperRecogniser | None:
    """None where no model is set: a transcript then has to be given. Raises: ModelUnavailable."""
    return None if model is None else WhisperRecogniser(model)
