"""Prompts of cloned voices over the memory store, with a fake codec and a fake recogniser."""

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.live_server import becomes

from june_tts.errors import EngineFailed, InvalidRecording, StoreUnavailable, VoiceNotFound
from june_tts.service.voice_prompts import VoicePrompts
from june_tts.store import MemoryVoiceStore
from june_tts.types import InlineReference, NewVoice, RecordingReport, Samples, VoiceCodes

pytestmark = pytest.mark.unit

REPORT = RecordingReport("wav", 22_050, 1, 11.5, 10.2, -1.5, -20.0, 40.0, 0.0, ())


class Coder:
    """Codes that tell the recording they were made of."""

    sample_rate = 44_100

    def __init__(self, fingerprint: str = "dac", seconds: float = 0.0) -> None:
        self.fingerprint = fingerprint
        self.encoded: list[int] = []
        self.failing = False
        self._seconds = seconds

    async def encode(self, samples: Samples) -> NDArray[np.int32]:
        self.encoded.append(samples.size)
        await asyncio.sleep(self._seconds)
        if self.failing:
            raise EngineFailed("the codec is away")
        return np.full((10, 4), samples.size, np.int32)


class Recogniser:
    def __init__(self, words: str = "what was heard") -> None:
        self.languages: list[str | None] = []
        self.failing = False
        self._words = words

    async def transcribe(self, samples: Samples, sample_rate: int, language: str | None) -> str:
        self.languages.append(language)
        if self.failing:
            raise EngineFailed("the recogniser is away")
        return self._words


class Prepared:
    """Takes each byte for a sample."""

    def __init__(self) -> None:
        self.whole: list[bool] = []

    def __call__(self, data: bytes, sample_rate: int, *, whole: bool) -> Samples:
        assert sample_rate == Coder.sample_rate
        self.whole.append(whole)
        if data == b"damaged":
            raise InvalidRecording("file: it is damaged")
        return np.zeros(len(data), np.float32)


class Forgetful(MemoryVoiceStore):
    """Its disk is full."""

    async def keep_codes(self, voice_id: str, codes: VoiceCodes) -> None:
        raise StoreUnavailable


async def shelf(
    *voices: str, transcript: str | None = None, store: MemoryVoiceStore | None = None
) -> MemoryVoiceStore:
    store = store or MemoryVoiceStore()
    for voice_id in voices:
        await store.add(NewVoice(voice_id, "Ada", voice_id.encode(), transcript, "de", REPORT))
    return store


def prompts(
    store: MemoryVoiceStore,
    coder: Coder,
    recogniser: Recogniser | None = None,
    prepare: Callable[..., Samples] | None = None,
    most_kept: int = 9,
) -> VoicePrompts:
    return VoicePrompts(store, coder, recogniser, prepare=prepare or Prepared(), most_kept=most_kept)


async def test_a_voice_with_a_transcript_is_encoded_whole_and_nothing_is_recognised() -> None:
    coder, recogniser, prepared = Coder(), Recogniser(), Prepared()
    transcript, codes = await prompts(
        await shelf("ada", transcript="Guten Tag."), coder, recogniser, prepared
    ).prompt("ada")
    assert transcript == "Guten Tag."
    np.testing.assert_array_equal(codes, np.full((10, 4), 3))
    assert (prepared.whole, recogniser.languages) == ([True], [])


async def test_a_voice_without_one_is_cut_and_recognised_in_its_language() -> None:
    recogniser, prepared = Recogniser(), Prepared()
    made = prompts(await shelf("ada"), Coder(), recogniser, prepared)
    assert (await made.prompt("ada"))[0] == "what was heard"
    assert (prepared.whole, recogniser.languages) == ([False], ["de"])


async def test_without_a_recogniser_the_words_are_unknown() -> None:
    assert (await prompts(await shelf("ada"), Coder()).prompt("ada"))[0] == ""


async def test_a_recogniser_that_fails_costs_the_words_and_not_the_voice() -> None:
    recogniser = Recogniser()
    recogniser.failing = True
    store = await shelf("ada")
    assert (await prompts(store, Coder(), recogniser).prompt("ada"))[0] == ""
    recogniser.failing = False
    assert (await prompts(store, Coder(), recogniser).prompt("ada"))[0] == "what was heard"


async def test_a_hundred_at_once_encode_a_cold_voice_once() -> None:
    coder = Coder(seconds=0.02)
    made = prompts(await shelf("ada", "mia"), coder)
    found = await asyncio.gather(*(made.prompt(voice) for voice in ["ada", "mia"] * 50))
    assert len(coder.encoded) == 2
    assert len({id(codes) for _, codes in found}) == 2


async def test_another_process_finds_the_codes_in_the_store() -> None:
    store, again = await shelf("ada"), Coder()
    await prompts(store, Coder(), Recogniser()).prompt("ada")
    later, recogniser = prompts(store, again, Recogniser("other words")), Recogniser()
    assert (await later.prompt("ada"))[0] == "what was heard"
    assert (again.encoded, recogniser.languages) == ([], [])


async def test_a_recogniser_that_comes_later_adds_the_words_without_encoding_again() -> None:
    store, again = await shelf("ada"), Coder()
    await prompts(store, Coder()).prompt("ada")
    assert (await prompts(store, again, Recogniser()).prompt("ada"))[0] == "what was heard"
    assert again.encoded == []
    assert (await prompts(store, again).prompt("ada"))[0] == "what was heard"


async def test_a_recording_in_which_nothing_is_understood_is_listened_to_once() -> None:
    store, recogniser = await shelf("ada"), Recogniser("")
    for _ in range(2):
        assert (await prompts(store, Coder(), recogniser).prompt("ada"))[0] == ""
    assert len(recogniser.languages) == 1


async def test_another_codec_encodes_anew() -> None:
    store = await shelf("ada")
    await prompts(store, Coder("one")).prompt("ada")
    other = Coder("two")
    await prompts(store, other).prompt("ada")
    assert len(other.encoded) == 1


async def test_a_voice_that_was_replaced_is_encoded_anew() -> None:
    store, coder = await shelf("ada"), Coder()
    made = prompts(store, coder)
    await made.prompt("ada")
    await store.remove("ada")
    with pytest.raises(VoiceNotFound):
        await made.prompt("ada")
    await store.add(NewVoice("ada", "Ada", b"another", None, None, REPORT))
    assert (await made.prompt("ada"))[1][0, 0] == len(b"another")
    assert coder.encoded == [3, 7]


async def test_a_listener_who_leaves_does_not_stop_it_for_the_others() -> None:
    coder = Coder(seconds=0.02)
    made = prompts(await shelf("ada"), coder)
    first, second = (asyncio.create_task(made.prompt("ada")) for _ in range(2))
    await asyncio.sleep(0.005)
    first.cancel()
    assert (await second)[1].shape == (10, 4)
    assert len(coder.encoded) == 1


async def test_a_failure_reaches_everyone_who_waits_and_is_not_kept() -> None:
    coder = Coder(seconds=0.01)
    coder.failing = True
    made = prompts(await shelf("ada"), coder)
    results = await asyncio.gather(*(made.prompt("ada") for _ in range(5)), return_exceptions=True)
    assert {type(result) for result in results} == {EngineFailed}
    assert len(coder.encoded) == 1
    coder.failing = False
    assert (await made.prompt("ada"))[1].shape == (10, 4)


async def test_a_store_that_cannot_keep_codes_costs_only_time() -> None:
    made = prompts(await shelf("ada", store=Forgetful()), Coder())
    assert (await made.prompt("ada"))[1].shape == (10, 4)


async def test_codes_cannot_be_changed_by_who_got_them() -> None:
    _, codes = await prompts(await shelf("ada"), Coder()).prompt("ada")
    with pytest.raises(ValueError, match="read-only"):
        codes[0, 0] = 1


async def test_those_not_asked_for_longest_leave_memory() -> None:
    asked: list[str] = []

    class Counting(MemoryVoiceStore):
        async def codes(self, voice_id: str, codec: str, sha256: str) -> VoiceCodes | None:
            asked.append(voice_id)
            return None

    made = prompts(await shelf("ada", "mia", "zoe", store=Counting()), Coder(), most_kept=2)
    for voice in ("ada", "mia", "ada", "zoe", "ada", "mia"):
        await made.prompt(voice)
    assert asked == ["ada", "mia", "zoe", "mia"]


async def test_a_recording_that_cannot_be_read_is_refused() -> None:
    made = prompts(await shelf(), Coder())
    with pytest.raises(InvalidRecording):
        await made.inline(InlineReference(b"damaged", ""))


async def test_a_recording_that_comes_with_each_request_is_encoded_once() -> None:
    coder, recogniser = Coder(), Recogniser()
    made = prompts(await shelf(), coder, recogniser)
    given: Sequence[InlineReference] = [
        InlineReference(b"four", "words"),
        InlineReference(b"four", "words"),
        InlineReference(b"four", ""),
    ]
    found = [(await made.inline(one))[0] for one in given]
    assert found == ["words", "words", "what was heard"]
    assert len(coder.encoded) == 2


async def test_two_who_bring_the_same_recording_wait_for_one_encoding() -> None:
    coder = Coder(seconds=0.1)
    made = prompts(await shelf(), coder)
    first, second = (asyncio.create_task(made.inline(InlineReference(b"four", ""))) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    assert (await second)[1].shape == (10, 4)
    assert len(coder.encoded) == 1


async def test_recordings_that_were_brought_longest_ago_are_given_up_first() -> None:
    coder = Coder()
    made = prompts(await shelf(), coder, most_kept=2)
    for audio in (b"1", b"22", b"1", b"333", b"1", b"22"):
        await made.inline(InlineReference(audio, "words"))
    assert coder.encoded == [1, 2, 3, 2]


async def test_closing_tells_those_who_wait_and_those_who_come() -> None:
    made = prompts(await shelf("ada"), Coder(seconds=30))
    waiting = asyncio.create_task(made.prompt("ada"))
    await asyncio.sleep(0.01)
    await made.close()
    with pytest.raises(EngineFailed, match="stopping"):
        await waiting
    with pytest.raises(EngineFailed, match="stopping"):
        await made.prompt("ada")


class Counting(MemoryVoiceStore):
    """Tells which codes it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def codes(self, voice_id: str, codec: str, sha256: str) -> VoiceCodes | None:
        self.asked.append(voice_id)
        return await super().codes(voice_id, codec, sha256)


async def test_a_voice_that_is_forgotten_leaves_memory_and_the_others_stay() -> None:
    store = Counting()
    voices = prompts(await shelf("ada", "bob", transcript="Hello.", store=store), Coder())
    for name in ("ada", "bob"):
        await voices.prompt(name)
    voices.forget("ada")
    for name in ("ada", "bob"):
        await voices.prompt(name)
    assert store.asked == ["ada", "bob", "ada"]


async def test_what_is_being_made_of_a_forgotten_voice_reaches_who_waits_and_is_not_kept() -> None:
    store, coder = Counting(), Coder(seconds=0.02)
    voices = prompts(await shelf("ada", transcript="Hello.", store=store), coder)
    making = asyncio.create_task(voices.prompt("ada"))
    await becomes(lambda: coder.encoded)
    voices.forget("ada")
    await making
    await voices.prompt("ada")
    assert store.asked == ["ada", "ada"]
