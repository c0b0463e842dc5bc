"""One loaded Kokoro model: text to audio, one model run per stretch of text."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np

from june_tts.engine.kokoro_durations import timed
from june_tts.engine.kokoro_phonemes import kokoro_phonemes, runs
from june_tts.engine.marks import Marks
from june_tts.engine.onnx import Run, open_session
from june_tts.engine.owners import NOBODY, owners
from june_tts.engine.phonemes import WORDS_REMEMBERED, Espeak
from june_tts.engine.schedule import Ticket
from june_tts.errors import ModelUnavailable
from june_tts.models.files import KokoroFiles
from june_tts.text.tokens import word_spans
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
        self._alone = lru_cache(WORDS_REMEMBERED)(
            lambda language, word: "".join(self._phonemes(word, language))
        )
        try:
            model, self._timed = timed(files.model)
        except Exception as bad:
            raise ModelUnavailable(f"{files.model.name}: not a usable Kokoro model ({bad})") from bad
        self._session = open_session(model, threads=threads, name=files.model.name)
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
        self, text: str, voice_id: str, run: Run, ticket: Ticket, *, language: str, speed: float = 1.0
    ) -> Iterator[Samples | None]:
        """Audio of a piece, a sentence at a time."""
        style = self._styles[voice_id]
        marks = Marks(text)
        for sentence, words in self._sentences(text, language):
            for places in runs(sentence, self.files.vocab):
                feeds = {
                    self._text_input: np.array(
                        [[0, *(self.files.vocab[sentence[at]] for at in places), 0]], dtype=np.int64
                    ),
                    # the style depends on the length of the text: row n - 1 is for n phonemes
                    "style": style[min(len(places), len(style)) - 1][None],
                    "speed": np.array([speed], dtype=np.int32 if self._whole_speed else np.float32),
                }
                audio, *frames = (output.ravel() for output in run(self._session, feeds))
                if self._timed and frames[0].size == len(places) + 2:
                    of_ids = [NOBODY, *(words[at] for at in places), NOBODY]
                    ticket.marks += marks.of(of_ids, _lengths(frames[0], audio.size))
                yield audio

    def _sentences(self, text: str, language: str) -> Iterator[tuple[str, list[int]]]:
        """Phonemes of each sentence, and for each of them the index of its word in the text, or NOBODY."""
        found = self._phonemes(text, language)
        words = [text[start:stop] for start, stop in word_spans(text)]
        of_all = iter(owners(" ".join([*found, ""]), words, lambda word: self._alone(language, word)))
        return ((sentence, list(islice(of_all, len(sentence) + 1))) for sentence in found)

    def _phonemes(self, text: str, language: str) -> list[str]:
        found = self._espeak.sentences(text, ESPEAK_VOICES[language])
        return [kokoro_phonemes(sentence, language) for sentence in found]


def _lengths(frames: Samples, samples: int) -> Samples:
    """Of each phoneme, in samples.

    It sounds half a frame (12 ms) before its place among the durations: measured on words behind a pause, see
    docs/decisions/word-times.md. The padding in front has a frame or more to give.
    """
    each = np.float32(samples / frames.sum())
    lengths: Samples = frames * each
    lengths[0] -= each / 2
    lengths[-1] += each / 2
    return lengths
