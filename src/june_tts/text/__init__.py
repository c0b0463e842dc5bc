"""Text to speakable pieces: normalise and split. Pure functions."""

from june_tts.text.characters import check_text
from june_tts.text.growing import Growing
from june_tts.text.passages import Passage, passage
from june_tts.text.speech import normalize, speakable, verbatim
from june_tts.text.tidy import has_speech

__all__ = [
    "Growing",
    "Passage",
    "check_text",
    "has_speech",
    "normalize",
    "passage",
    "speakable",
    "verbatim",
]
