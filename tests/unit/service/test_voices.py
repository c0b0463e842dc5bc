"""The voice library over the memory store, with a fake engine and a fake judge."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from june_tts.audio.wav import stream_header
from june_tts.engine.fake import FakeEngine
from june_tts.errors import (
    CannotClone,
    EngineFailed,
    InvalidRecording,
    InvalidRequest,
    JuneError,
    Overloaded,
    StoreUnavailable,
    VoiceExists,
    VoiceNotFound,
    VoiceReadOnly,
)
from june_tts.service.voices import TRANSCRIPT_ADVICE, VoiceLibrary
from june_tts.store import MemoryVoiceStore
from june_tts.types import ClonedVoice, NewVoice, Picture, RecordingReport, VoiceCard

pytestmark = pytest.mark.unit

REPORT = RecordingReport("wav", 22_050, 1, 11.5, 10.2, -1.5, -20.0, 40.0, 0.0, ("10 to 30 s is best",))


@dataclass(frozen=True)
class Heard:
    report: RecordingReport = REPORT


class CloningEngine(FakeEngine):
    name = "cloner"

    def __init__(self) -> None:
        super().__init__(clones=True, voices=("mia", "joe"))


class Unreachable(MemoryVoiceStore):
    async def get(self, voice_id: str) -> ClonedVoice:
        raise StoreUnavailable

    async def add(self, voice: NewVoice) -> ClonedVoice:
        raise StoreUnavailable


class Judge:
    """Hears nothing wrong; counts how many recordings it is judging at a time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.threads: set[int] = set()
        self.judged: list[bytes] = []
        self.most = 0
        self._now = 0
        self._seconds = seconds
        self._lock = threading.Lock()

    def __call__(self, audio: bytes) -> Heard:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.threads.add(threading.get_ident())
            self.judged.append(audio)
        time.sleep(self._seconds)
        with self._lock:
            self._now -= 1
        if audio == b"noise":
            raise InvalidRecording("no speech was found")
        return Heard()


Build = Callable[..., VoiceLibrary]


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    """Builds libraries and closes them."""
    built: list[VoiceLibrary] = []

    def library(**changed: object) -> VoiceLibrary:
        given: dict[str, object] = {
            "store": MemoryVoiceStore(),
            "engines": [FakeEngine(voices=("joe", "amy"))],
            "judge": Judge(),
            "default_voice": "joe",
            "aliases": {"alloy": "amy", "nova": "default", "mine": "ada"},
        }
        built.append(VoiceLibrary(**(given | changed)))  # type: ignore[arg-type]  # any mix of them
        return built[-1]

    yield library
    for one in built:
        one.close()


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        *((nothing, "joe") for nothing in ("default", "", None)),
        *(("joe", "joe"), ("amy", "amy"), ("alloy", "amy"), ("nova", "joe")),
    ],
)
async def test_names_lead_to_built_in_voices(build: Build, asked: str | None, spoken: str) -> None:
    voice = await build().resolve(asked)
    assert (voice.id, voice.kind, voice.engine) == (spoken, "builtin", "fake")


async def test_a_cloned_voice_is_found_by_its_id_and_by_an_alias(build: Build) -> None:
    library = build()
    kept = await library.clone("ada", "Ada", b"speech", language="pt_BR")
    voice = await library.resolve("ada")
    assert (voice.id, voice.name, voice.kind, voice.engine) == ("ada", "Ada", "cloned", None)
    assert voice.languages == ("pt-BR",)
    assert voice.created_at == kept.created_at
    assert await library.resolve("mine") == voice
    assert await library.get("mine") == await library.get("ada") == kept
    assert await library.audio("mine") == b"speech"


async def test_a_cloned_voice_can_be_the_default(build: Build) -> None:
    library = build(default_voice="ada")
    await library.clone("ada", "Ada", b"speech")
    assert (await library.resolve("default")).id == (await library.resolve("nova")).id == "ada"


async def test_the_default_may_be_an_alias(build: Build) -> None:
    assert (await build(default_voice="alloy").resolve(None)).id == "amy"


async def test_aliases_that_point_at_each_other_end(build: Build) -> None:
    library = build(aliases={"a": "b", "b": "a", "default": "default"}, default_voice="default")
    for name in ("a", "b", "default"):
        with pytest.raises(VoiceNotFound):
            await library.resolve(name)


@pytest.mark.parametrize("voice_id", ["Joe", "JOE", " joe", "nobody", "../joe", "\ud800", "x" * 100_000])
async def test_an_unknown_voice_is_named_in_few_words(build: Build, voice_id: str) -> None:
    with pytest.raises(VoiceNotFound) as refused:
        await build().resolve(voice_id)
    message = str(refused.value)
    assert repr(voice_id[:80]) in message
    assert len(message.encode()) < 200


async def test_built_in_voices_speak_while_the_store_is_away(build: Build) -> None:
    library = build(store=Unreachable())
    assert (await library.resolve("alloy")).id == "amy"
    with pytest.raises(StoreUnavailable):
        await library.resolve("ada")


async def test_the_catalogue_has_every_voice_once(build: Build) -> None:
    store = MemoryVoiceStore()
    # a row of an adopted table may have any id
    for voice_id in ("zoe", "joe", "ada"):
        await store.add(NewVoice(voice_id, "Cloned", b"speech", None, None, REPORT))
    library = build(store=store, engines=[FakeEngine(voices=("joe", "amy")), CloningEngine()])
    voices = await library.catalogue()
    assert [voice.id for voice in voices] == ["joe", "amy", "mia", "zoe", "ada"]
    assert [voice.engine for voice in voices] == ["fake", "fake", "cloner", None, None]
    for voice in voices:
        assert await library.resolve(voice.id) == voice


async def test_each_voice_gets_an_engine_that_can_speak_it(build: Build) -> None:
    first, second = FakeEngine(voices=("joe",)), CloningEngine()
    library = build(engines=[first, second])
    await library.clone("ada", "Ada", b"speech")
    assert library.engine_for(await library.resolve("joe")) is first
    assert library.engine_for(await library.resolve("mia")) is second
    assert library.engine_for(await library.resolve("ada")) is second


async def test_without_a_cloning_engine_the_error_says_which_would_do(build: Build) -> None:
    library = build(cloning_engines_hint=("fish", "remote"))
    await library.clone("ada", "Ada", b"speech")
    voice = await library.resolve("ada")
    with pytest.raises(CannotClone, match=r"'ada'.*\(fake\).*\(fish, remote\)") as refused:
        library.engine_for(voice)
    assert refused.value.param == "voice_id"
    with pytest.raises(CannotClone, match="use a built-in voice"):
        build().engine_for(voice)


async def test_a_voice_whose_engine_is_gone_is_an_engine_fault(build: Build) -> None:
    voice = await build().resolve("joe")
    with pytest.raises(EngineFailed, match="gone.*'joe'"):
        build().engine_for(replace(voice, engine="gone"))


async def test_a_clone_keeps_everything_it_was_given(build: Build) -> None:
    library = build()
    kept = await library.clone(
        "Ada-1.x_y", "  Ada Lovelace ", b"speech", " One.\nTwo.\t", "de", consent="Ada"
    )
    assert (kept.voice_id, kept.name, kept.transcript) == ("Ada-1.x_y", "Ada Lovelace", "One.\nTwo.")
    assert (kept.language, kept.report, kept.consent) == ("de", REPORT, "Ada")
    assert await library.get("Ada-1.x_y") == kept
    assert await library.audio("Ada-1.x_y") == b"speech"


async def test_fields_left_blank_in_a_form_mean_unknown(build: Build) -> None:
    kept = await build().clone("ada", "Ada", b"speech", " ", "", consent=" ")
    assert (kept.transcript, kept.language, kept.consent) == (None, None, None)


@pytest.mark.parametrize(
    ("transcript", "transcribes", "advised"),
    [(None, False, True), ("  ", False, True), ("Hello.", False, False), (None, True, False)],
)
async def test_a_transcript_is_advised_where_nobody_could_write_one(
    build: Build, transcript: str | None, transcribes: bool, advised: bool
) -> None:
    store = MemoryVoiceStore()
    library = build(store=store, transcribes=transcribes)
    for kept in (await library.clone("ada", "Ada", b"speech", transcript), await library.get("ada")):
        assert kept.report is not None
        assert kept.report.advice == (*REPORT.advice, *([TRANSCRIPT_ADVICE] if advised else []))
    # a recogniser may be there tomorrow, so what is kept does not say so
    assert (await store.get("ada")).report == REPORT


BAD_IDS = [
    *("", ".", "../etc", "a/b", "a b", "a\\b", "a\n", "-a", "_a"),
    *("jörg", "a\x00", "\ud800", "a" * 101, "a" * 300),
]


@pytest.mark.parametrize("voice_id", BAD_IDS, ids=range(len(BAD_IDS)))
async def test_an_id_that_could_be_a_path_or_is_too_long_is_refused(build: Build, voice_id: str) -> None:
    await _refused(build, "voice_id", voice_id=voice_id)


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\nb", "a\x1b[2J", "\udc00", "x" * 256])
async def test_a_name_that_cannot_be_shown_is_refused(build: Build, name: str) -> None:
    await _refused(build, "name", name=name)


@pytest.mark.parametrize("language", ["english please", "e", "en-", "1x", "en\n-US", "x" * 36, "дэ"])
async def test_a_language_that_is_no_tag_is_refused(build: Build, language: str) -> None:
    await _refused(build, "language", language=language)


@pytest.mark.parametrize("field", ["transcript", "consent"])
@pytest.mark.parametrize("text", ["secret\x00", "secret\ud800", "secret" * 1_000])
async def test_texts_that_cannot_be_kept_are_refused_and_not_repeated(
    build: Build, field: str, text: str
) -> None:
    assert "secret" not in await _refused(build, field, **{field: text})


async def _refused(build: Build, param: str, **changed: str) -> str:
    """The message of the refusal; nothing was judged and nothing is left."""
    judge = Judge()
    library = build(judge=judge)
    given = {"voice_id": "ada", "name": "Ada", "audio": b"speech"} | changed
    with pytest.raises(InvalidRequest) as refused:
        await library.clone(**given)  # type: ignore[arg-type]  # by the names of its arguments
    assert refused.value.code == "invalid_request"
    assert refused.value.param == param
    assert str(refused.value).startswith(param)
    assert len(str(refused.value).encode()) < 300
    assert judge.judged == []
    assert [voice.kind for voice in await library.catalogue()] == ["builtin", "builtin"]
    return str(refused.value)


@pytest.mark.parametrize("voice_id", ["default", "joe", "amy", "alloy", "nova", "mine", "taken"])
async def test_a_taken_id_is_refused_before_anything_is_judged(build: Build, voice_id: str) -> None:
    judge = Judge()
    library = build(judge=judge)
    await library.clone("taken", "Taken", b"speech")
    with pytest.raises(VoiceExists, match=voice_id):
        await library.clone(voice_id, "Ada", b"other")
    assert judge.judged == [b"speech"]
    assert await library.audio("taken") == b"speech"


async def test_of_two_clones_at_once_with_one_id_one_wins(build: Build) -> None:
    library = build(judge=Judge(0.02))
    results = await asyncio.gather(
        library.clone("ada", "First", b"1"), library.clone("ada", "Second", b"2"), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["ClonedVoice", "VoiceExists"]


async def test_a_refused_recording_leaves_nothing(build: Build) -> None:
    library = build()
    with pytest.raises(InvalidRecording, match="no speech"):
        await library.clone("ada", "Ada", b"noise")
    with pytest.raises(VoiceNotFound):
        await library.get("ada")


async def test_at_most_two_recordings_are_judged_at_a_time_and_never_on_the_event_loop(build: Build) -> None:
    judge = Judge(0.02)
    library = build(judge=judge)
    await asyncio.gather(*(library.clone(f"v{n}", "V", b"speech") for n in range(8)))
    assert judge.most == 2
    assert threading.get_ident() not in judge.threads


async def test_clients_that_hang_up_do_not_let_more_recordings_in(build: Build) -> None:
    judge = Judge(0.05)
    library = build(judge=judge)
    for n in range(6):
        cloning = asyncio.create_task(library.clone(f"v{n}", "V", b"speech"))
        await asyncio.sleep(0.005)
        cloning.cancel()
    await library.clone("last", "Last", b"speech")
    assert judge.most == 2


async def test_a_crowd_of_recordings_is_refused_rather_than_kept_in_memory(build: Build) -> None:
    library = build(judge=Judge(0.01))
    results = await asyncio.gather(
        *(library.clone(f"v{n}", "V", b"speech") for n in range(20)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, Overloaded)]
    assert len(refused) == 4
    assert refused[0].retry_after
    await library.clone("later", "Later", b"speech")


async def test_a_store_that_is_away_is_reported(build: Build) -> None:
    with pytest.raises(StoreUnavailable):
        await build(store=Unreachable()).clone("ada", "Ada", b"speech")


async def test_a_removed_voice_is_gone_at_once(build: Build) -> None:
    library = build()
    await library.clone("ada", "Ada", b"speech")
    await library.resolve("ada")
    await library.remove("ada")
    for ask in (library.resolve, library.get, library.audio, library.remove):
        with pytest.raises(VoiceNotFound):
            await ask("ada")


@pytest.mark.parametrize("voice_id", ["joe", "alloy", "default"])
async def test_what_is_not_cloned_cannot_be_removed(build: Build, voice_id: str) -> None:
    with pytest.raises(VoiceReadOnly, match=voice_id) as refused:
        await build().remove(voice_id)
    assert isinstance(refused.value, JuneError)
    assert refused.value.param == "voice_id"


async def test_what_is_told_of_a_voice_is_trimmed_and_kept(build: Build) -> None:
    library = build()
    card = VoiceCard(" Reads.\n", (" calm ", "calm", "", "deep"), "unlist", Picture("image/png", b"x"))
    kept = await library.clone("ada", "Ada", b"speech", card=card)
    assert (kept.description, kept.tags, kept.visibility) == ("Reads.", ("calm", "deep"), "unlist")
    changed = await library.change("ada", " Ada L. ", VoiceCard(tags=(" new ",)))
    assert (changed.name, changed.tags, changed.description) == ("Ada L.", ("new",), "Reads.")
    assert changed.report is not None and TRANSCRIPT_ADVICE in changed.report.advice
    assert await library.cover("mine") == await library.cover("ada") == Picture("image/png", b"x")
    assert [voice.voice_id for voice in await library.cloned()] == ["ada"]
    assert [voice.id for voice in library.built_in()] == ["joe", "amy"]


@pytest.mark.parametrize("voice_id", ["joe", "alloy", "mine", "default"])
async def test_built_in_voices_and_other_names_are_not_changed(build: Build, voice_id: str) -> None:
    library = build()
    await library.clone("ada", "Ada", b"speech")
    with pytest.raises(VoiceReadOnly, match="only cloned voices can be changed"):
        await library.change(voice_id, "Mine", VoiceCard())
    assert (await library.get("ada")).name == "Ada"


@pytest.mark.parametrize(
    ("name", "card", "field"),
    [
        ("", VoiceCard(), "name"),
        (None, VoiceCard(description="x" * 5001), "description"),
        (None, VoiceCard(description="\x00"), "description"),
        (None, VoiceCard(tags=("x" * 65,)), "tags"),
        (None, VoiceCard(tags=("\x07",)), "tags"),
        (None, VoiceCard(tags=tuple(map(str, range(33)))), "tags"),
    ],
)
async def test_what_cannot_be_told_of_a_voice_is_refused(
    build: Build, name: str | None, card: VoiceCard, field: str
) -> None:
    library = build()
    before = await library.clone("ada", "Ada", b"speech")
    with pytest.raises(InvalidRequest, match=field):
        await library.change("ada", name, card)
    assert await library.get("ada") == before


async def test_several_recordings_are_judged_as_the_one_that_is_kept(build: Build) -> None:
    judge = Judge()
    library = build(judge=judge)
    rate, second = 16_000, np.zeros(16_000, np.float32)
    wav = stream_header(rate) + second.astype("<i2").tobytes()
    await library.clone("ada", "Ada", [wav, wav])
    assert judge.judged == [await library.audio("ada")]
    assert len(judge.judged[0]) > 2 * 2 * rate
