"""espeak-ng through piper's bridge: the same phonemes as without us, nothing lost, one voice at a time."""

import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from june_tts.engine.espeak import Tidy
from june_tts.engine.phonemes import Espeak

pytestmark = pytest.mark.integration

TEXT = "The river is wide, the window is open; who goes there? It is morning in the garden."


class Bridge:
    """Keeps its tuples, as piper's does."""

    def __init__(self, *, leaks: bool) -> None:
        self.leaks = leaks
        self.voices: list[str] = []

    def initialize(self, data_dir: str) -> None: ...

    def set_voice(self, voice: str) -> None:
        if voice == "klingon":
            raise RuntimeError("no such voice")
        self.voices.append(voice)

    def get_phonemes(self, text: str) -> list[tuple[str, str, bool]]:
        found = [(word, ".", True) for word in text.split()]
        if self.leaks:
            import ctypes

            for clause in found:
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(clause))
        return found


@pytest.mark.parametrize("leaks", [True, False])
def test_what_is_returned_belongs_to_the_caller_alone(leaks: bool) -> None:
    found = Tidy(Bridge(leaks=leaks)).get_phonemes("one two")
    # not a constant, to which the code itself refers
    mine = [(leaks,)]
    assert found == [("one", ".", True), ("two", ".", True)]
    assert [sys.getrefcount(clause) for clause in found] == [sys.getrefcount(clause) for clause in mine] * 2


def test_a_voice_is_chosen_when_it_is_another_one_and_after_a_failure() -> None:
    bridge = Bridge(leaks=False)
    tidy = Tidy(bridge)
    for voice in ("en", "en", "de", "en"):
        tidy.set_voice(voice)
    with pytest.raises(RuntimeError):
        tidy.set_voice("klingon")
    tidy.set_voice("en")
    tidy.initialize("")
    tidy.set_voice("en")
    assert bridge.voices == ["en", "de", "en", "en", "en"]


def test_thousands_of_sentences_leave_no_memory_behind() -> None:
    espeak, process = Espeak(), psutil.Process()
    for _ in range(1000):
        espeak.sentences(TEXT, "en-us")
    before = process.memory_info().rss
    for _ in range(4000):
        espeak.sentences(TEXT, "en-us")
    # 7 MB and more, as the bridge is
    assert process.memory_info().rss - before < 2_500_000


def test_two_languages_at_once_do_not_speak_with_each_others_voice() -> None:
    espeak = Espeak()
    alone = {voice: espeak.sentences(TEXT, voice) for voice in ("en-us", "de")}
    assert alone["en-us"] != alone["de"]
    with ThreadPoolExecutor(2) as threads:
        asked = ["en-us", "de"] * 50
        found = threads.map(lambda voice: espeak.sentences(TEXT, voice), asked)
        assert list(found) == [alone[voice] for voice in asked]
