"""Kokoro is fed its own alphabet, in runs that fit its context."""

import pytest

from june_tts.engine.kokoro_phonemes import MOST_TOKENS, kokoro_phonemes, runs
from june_tts.engine.phonemes import Espeak
from june_tts.models.embedded import kokoro_vocab

pytestmark = pytest.mark.integration


def test_english_phonemes_are_kokoros_own() -> None:
    ipa = Espeak().sentences("I say, choose the boat now, boy.", "en-us")[0]
    phonemes = kokoro_phonemes(ipa, "en-US")
    assert set("IAʧOWY") <= set(phonemes)
    assert all(phoneme in kokoro_vocab() for phoneme in phonemes)


def test_an_unstressed_i_is_not_swallowed_and_a_linking_r_is_one() -> None:
    ipa = Espeak().sentences("I spoke to Doctor Adams.", "en-us")[0]
    phonemes = kokoro_phonemes(ipa, "en-US")
    assert phonemes.startswith("ˌI spˈOk")
    assert "ɹɹ" not in phonemes
    assert kokoro_phonemes("aɪ", "es") == "aɪ"


def test_text_longer_than_the_context_is_cut_at_a_border() -> None:
    vocab = kokoro_vocab()
    text = "ab, " * 400
    found = runs(text, vocab)
    assert all(len(run) <= MOST_TOKENS for run in found)
    assert "".join(text[at] for run in found for at in run).replace(" ", "") == "ab," * 400
