"""piper-tts' bridge to espeak-ng, without what it leaks."""

import ctypes
import functools
import sys
import threading
from collections.abc import Sequence
from typing import Any

ESPEAK = threading.Lock()
"""espeak-ng has one voice for the whole process: whoever chooses one and speaks holds this."""


class Tidy:
    """Stands before the bridge's functions.

    As of piper-tts 1.8.0 `set_voice` loads a voice anew that is chosen already, and 1.3 KB are lost; and
    `get_phonemes` keeps a reference to the tuple of each clause for ever. A server lost 35 MB in an hour.
    """

    def __init__(self, bridge: Any) -> None:
        self._initialize = bridge.initialize
        self._set_voice = bridge.set_voice
        self._get_phonemes = bridge.get_phonemes
        self._voice: str | None = None

    def initialize(self, data_dir: str) -> None:
        self._voice = None
        self._initialize(data_dir)

    def set_voice(self, voice: str) -> None:
        if voice == self._voice:
            return
        self._voice = None
        self._set_voice(voice)
        self._voice = voice

    def get_phonemes(self, text: str) -> list[tuple[str, str, bool]]:
        found: list[tuple[str, str, bool]] = self._get_phonemes(text)
        # as many as a tuple has that nobody else knows: how many that is differs between Pythons
        usual = _references([(text,)])[0]
        for clause, references in enumerate(_references(found)):
            if references > usual:
                ctypes.pythonapi.Py_DecRef(ctypes.py_object(found[clause]))
        return found


def _references(items: Sequence[object]) -> list[int]:
    return [sys.getrefcount(item) for item in items]


@functools.cache
def tidy() -> None:
    """Put it before the bridge, for all who use that in this process. Raises: ImportError."""
    from piper import espeakbridge

    before = Tidy(espeakbridge)
    espeakbridge.initialize = before.initialize
    espeakbridge.set_voice = before.set_voice
    espeakbridge.get_phonemes = before.get_phonemes
