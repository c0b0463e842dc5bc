"""Text to phonemes with espeak-ng, through the bridge in the optional package piper-tts (GPL-3.0)."""

import logging
import threading
from pathlib import Path
from typing import Any

from june_tts.errors import ModelUnavailable

INSTALL = "the package piper-tts is not installed: pip install 'june-tts[voices]'"

# It warns of every phoneme that a voice lacks, and what the user wrote must not reach the log.
logging.getLogger("piper").setLevel(logging.ERROR)


class Espeak:
    """espeak-ng for any language it has. Its state is global to the process, so one lock guards all calls."""

    _lock = threading.Lock()

    def __init__(self) -> None:
        try:
            from piper.phonemize_espeak import EspeakPhonemizer
        except ImportError as missing:
            raise ModelUnavailable(INSTALL) from missing
        self._phonemizer = EspeakPhonemizer()

    def sentences(self, text: str, espeak_voice: str) -> list[str]:
        """IPA with punctuation, one string per sentence; empty for text that has no sound."""
        with self._lock:
            found = self._phonemizer.phonemize(espeak_voice, text)
        return ["".join(sentence) for sentence in found if sentence]


class PiperPhonemes:
    """Phoneme numbers as one Piper voice wants them: espeak's, or those of the language's own front end."""

    _lock = threading.Lock()

    def __init__(self, config: dict[str, Any], data_dir: Path) -> None:
        try:
            from piper.config import PiperConfig
            from piper.voice import PiperVoice
        except ImportError as missing:
            raise ModelUnavailable(INSTALL) from missing
        # without a session: it phonemises only, the model is run by our own code
        self._voice = PiperVoice(session=None, config=PiperConfig.from_dict(config), download_dir=data_dir)

    def sentences(self, text: str) -> list[list[int]]:
        """Phoneme numbers, one list per sentence."""
        with self._lock:
            # [[…]] would be read as raw phonemes, which a user's text never means
            found = self._voice.phonemize(text.replace("[[", " ").replace("]]", " "))
        return [self._voice.phonemes_to_ids(sentence) for sentence in found if sentence]
