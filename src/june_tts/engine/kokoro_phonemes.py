"""espeak's IPA to the phonemes Kokoro was trained on.

Kokoro's alphabet is that of the misaki phonemiser: one letter for a diphthong or an affricate. Fed with plain
IPA it still speaks, less clearly. The correspondences are facts of misaki's espeak fall-back.
"""

import re
from collections.abc import Mapping

MOST_TOKENS = 508
"""The model's context is 512 positions; two are padding, and a style row exists for 510 lengths."""

_ENGLISH = {
    "aɪ": "I", "aʊ": "W", "eɪ": "A", "ɔɪ": "Y", "dʒ": "ʤ", "tʃ": "ʧ", "ɚ": "əɹ", "ɐ": "ə", "r": "ɹ",
    "x": "k", "ç": "k", "ɬ": "l", "e": "A",
    "\u0329": "", "\u0303": "",
}  # fmt: skip
_AMERICAN = {"oʊ": "O", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ʔ": "t", "ɾ": "T", "o": "ɔ", "ː": ""}
_BRITISH = {"əʊ": "Q", "eə": "ɛː", "iə": "ɪə"}
_BARE_DIPHTHONG = re.compile(r"(?<!\S)([AIOWY])(?![^\s.,;:!?])")
"""A diphthong that is a whole word. Without a stress mark Kokoro swallows it: "I spoke" becomes "spoke"."""
_QUOTES = {"«": '"', "»": '"', "„": '"'}


def kokoro_phonemes(ipa: str, language: str) -> str:
    """Phonemes of one sentence in Kokoro's alphabet; other languages keep espeak's IPA."""
    table = dict(_QUOTES)
    if language.startswith("en"):
        table |= _BRITISH if language == "en-GB" else _AMERICAN
        table |= _ENGLISH
    # longest first, so that "eɪ" is not read as "e" and "ɪ"
    for found in sorted(table, key=len, reverse=True):
        ipa = ipa.replace(found, table[found])
    if language.startswith("en"):
        # espeak gives an unstressed "I" no stress at all, and writes a linking r twice; misaki does neither
        ipa = _BARE_DIPHTHONG.sub("ˌ\\1", ipa.replace("ɹɹ", "ɹ"))
    return ipa


def runs(phonemes: str, vocab: Mapping[str, int]) -> list[list[int]]:
    """Places of the phonemes in runs that fit the model's context; those it does not know are left out."""
    known = [at for at, phoneme in enumerate(phonemes) if phoneme in vocab]
    found = []
    while known:
        text = "".join(phonemes[at] for at in known)
        cut = len(text) if len(text) <= MOST_TOKENS else _cut(text[:MOST_TOKENS])
        blanks = len(text[:cut]) - len(text[:cut].lstrip())
        found.append(known[blanks : len(text[:cut].rstrip())])
        known = known[cut:]
    return [run for run in found if run]


def _cut(text: str) -> int:
    for borders in (".!?", ",;:", " "):
        at = max(text.rfind(border) for border in borders)
        if at > len(text) // 2:
            return at + 1
    return len(text)
