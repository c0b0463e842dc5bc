"""One loaded Kokoro model: text to audio, one model run per stretch of text."""

from collections.abc import Iterator

import numpy as np

from june_tts.engine.kokoro_phonemes import kokoro_phonemes, tokens
from june_tts.engine.onnx import Run, open_session
from june_tts.engine.phonemes import Espeak
from june_tts.errors import ModelUnavailable
from june_tts.models.files import KokoroFiles
from june_tts.types import Samples

ESPEAK_VOICES = {
    "en-US": "en-us",
    "en-GB": "en-gb-x-rp",
    "es": "es",
    "fr-FR": "fr",
    "hi": "hi",
    "it": "it",
    "pt-BR": "pt-br",
}


class KokoroModel:
    """Safe to speak from several threads at once."""

    def __init__(self, files: KokoroFiles, *, threads: int) -> None:
        """Load; takes a second.

        Raises:
            ModelUnavailable: the files are damaged.
        """
        self.files = files
        self._espeak = Espeak()
        self._session = open_session(files.model, threads=threads, name=files.model.name)
        try:
            with np.load(files.voices, allow_pickle=False) as found:
                self._styles = {name: found[name].reshape(-1, 256) for name in found.files}
            inputs = {i.name: i.type for i in self._session.get_inputs()}
            # exports differ: newer ones say input_ids, and some take the speed as a whole number
            self._text_input = "tokens" if "tokens" in inputs else "input_ids"
            self._whole_speed = "int" in inputs["speed"]
        except Exception as bad:
            raise ModelUnavailable(f"{files.model.name}: not a usable Kokoro model ({bad})") from bad

    def speak(
        self, text: str, voice_id: str, run: Run, *, language: str, speed: float = 1.0
    ) -> Iterator[Samples | None]:
        """Audio of a piece, a sentence at a time."""
        style = self._styles[voice_id]
        for sentence in self._espeak.sentences(text, ESPEAK_VOICES[language]):
            for ids in tokens(kokoro_phonemes(sentence, language), self.files.vocab):
                feeds = {
                    self._text_input: np.array([[0, *ids, 0]], dtype=np.int64),
                    # the style depends on the length of the text: row n - 1 is for n phonemes
                    "style": style[min(len(ids), len(style)) - 1][None],
                    "speed": np.array([speed], dtype=np.int32 if self._whole_speed else np.float32),
                }
                yield run(self._session, feeds)[0].ravel()
