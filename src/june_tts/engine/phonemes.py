"""Text to phonemes with espeak-ng, through the bridge in the optional package piper-tts (GPL-3.0)."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from june_tts.engine.espeak import ESPEAK, tidy
from june_tts.engine.owners import NOBODY, owners
from june_tts.errors import ModelUnavailable
from june_tts.text.tokens import word_spans

INSTALL = "the package piper-tts is not installed: pip install 'june-tts[voices]'"

WORDS_REMEMBERED = 2048
"""Of one voice: how a word sounds by itself, about 300 bytes each."""
BOS, EOS, PAD = "^", "$", "_"

# It warns of every phoneme that a voice lacks, and what the user wrote must not reach the log.
logging.getLogger("piper").setLevel(logging.ERROR)


class Espeak:
    """espeak-ng for any language it has."""

    def __init__(self) -> None:
        try:
            tidy()
            from piper.phonemize_espeak import EspeakPhonemizer
        except ImportError as missing:
            raise ModelUnavailable(INSTALL) from missing
        with ESPEAK:
            self._phonemizer = EspeakPhonemizer()

    def sentences(self, text: str, espeak_voice: str) -> list[str]:
        """IPA with punctuation, one string per sentence; empty for text that has no sound."""
        with ESPEAK:
            found = self._phonemizer.phonemize(espeak_voice, text)
        return ["".join(sentence) for sentence in found if sentence]


@dataclass(frozen=True, slots=True)
class Sentence:
    """Phoneme numbers, and for each the index of its word in the text that was phonemised, or NOBODY; the
    latter is empty where the language's front end does not tell."""

    ids: list[int]
    words: list[int]


class PiperPhonemes:
    """Phoneme numbers as one Piper voice wants them: espeak's, or those of the language's own front end."""

    def __init__(self, config: dict[str, Any], data_dir: Path) -> None:
        try:
            tidy()
            from piper.config import PiperConfig
            from piper.voice import PiperVoice
        except ImportError as missing:
            raise ModelUnavailable(INSTALL) from missing
        # without a session: it phonemises only, the model is run by our own code
        self._voice = PiperVoice(session=None, config=PiperConfig.from_dict(config), download_dir=data_dir)
        self._alone = lru_cache(WORDS_REMEMBERED)(lambda word: list(chain(*self._phonemes(word))))

    def sentences(self, text: str) -> list[Sentence]:
        """One per sentence that espeak sees; the words are those of `word_spans`."""
        found = self._phonemes(text)
        words = [text[start:stop] for start, stop in word_spans(text)]
        apart = chain.from_iterable([*sentence, " "] for sentence in found)
        of_all = iter(owners(list(apart), words, self._alone))
        return [self._sentence(phonemes, list(islice(of_all, len(phonemes) + 1))) for phonemes in found]

    def _phonemes(self, text: str) -> list[list[str]]:
        with ESPEAK:
            # [[…]] would be read as raw phonemes, which a user's text never means
            found = self._voice.phonemize(text.replace("[[", " ").replace("]]", " "))
        return [sentence for sentence in found if sentence]

    def _sentence(self, phonemes: list[str], words: Sequence[int]) -> Sentence:
        ids = self._voice.phonemes_to_ids(phonemes)
        of_ids = _of_ids(phonemes, words, self._voice.config.phoneme_id_map)
        return Sentence(ids, of_ids if len(of_ids) == len(ids) else [])


def _of_ids(phonemes: Sequence[str], words: Sequence[int], ids: Mapping[str, Sequence[int]]) -> list[int]:
    """A phoneme's word is that of its numbers, and of the padding after them."""
    size = {name: len(ids.get(name, ())) for name in (BOS, EOS, PAD)}
    found = [NOBODY] * (size[BOS] + size[PAD])
    for phoneme, word in zip(phonemes, words, strict=False):
        if phoneme in ids:
            found += [word] * (len(ids[phoneme]) + size[PAD])
    return found + [NOBODY] * size[EOS]
