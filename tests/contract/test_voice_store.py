"""What every voice store promises, memory, SQLite and PostgreSQL alike."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.contract.voices import REPORT, new_voice, recording, sha256

from june_tts.errors import VoiceExists, VoiceNotFound
from june_tts.ports import VoiceStore
from june_tts.types import NewVoice

pytestmark = pytest.mark.contract

NO_SUCH_IDS = ["", "nobody", "Ada", "ada ", "a" * 101, "a" * 1_000_000, "nul\x00", "\ud800", "../x", "%", "'"]


async def test_an_added_voice_comes_back_as_it_went_in(store: VoiceStore) -> None:
    before = datetime.now(UTC)
    added = await store.add(new_voice("ada"))
    assert added == await store.get("ada")
    assert (added.voice_id, added.name, added.transcript, added.language) == (
        "ada",
        "Ada",
        "Guten Tag.",
        "de",
    )
    assert (added.report, added.consent) == (REPORT, "Ada herself")
    assert added.sha256 == sha256(recording("ada"))
    assert added.audio_bytes == len(recording("ada"))
    assert before <= added.created_at <= datetime.now(UTC)
    assert added.updated_at == added.created_at
    assert added.created_at.utcoffset() == timedelta(0)


async def test_what_was_not_given_stays_unknown(store: VoiceStore) -> None:
    await store.add(NewVoice("ada", "Ada", b"x", None, None, REPORT))
    kept = await store.get("ada")
    assert (kept.transcript, kept.language, kept.consent) == (None, None, None)


async def test_five_megabytes_come_back_byte_for_byte(store: VoiceStore) -> None:
    big = new_voice("big", size=5_000_000)
    added = await store.add(big)
    audio = await store.audio("big")
    assert type(audio) is bytes
    assert audio == big.audio
    assert added.sha256 == sha256(audio)


@pytest.mark.parametrize(
    "name", ["Žofie", "小林さん", "Астронавт 🚀", "x" * 255, "'; DROP TABLE tts_voices;"]
)
async def test_names_keep_every_character(store: VoiceStore, name: str) -> None:
    await store.add(new_voice("ada", name))
    assert (await store.get("ada")).name == name


async def test_ids_keep_case_and_every_character(store: VoiceStore) -> None:
    ids = ["ada", "ADA", "my voice", "jörg", "x" * 100, "%", "ada_", "adas"]
    for voice_id in ids:
        await store.add(new_voice(voice_id, size=10))
    for voice_id in ids:
        assert await store.audio(voice_id) == recording(voice_id, 10)


async def test_the_list_is_oldest_first(store: VoiceStore) -> None:
    for voice_id in ("zoe", "ada", "mia"):
        await store.add(new_voice(voice_id))
    await store.remove("ada")
    await store.add(new_voice("ada"))
    listed = await store.list()
    assert [voice.voice_id for voice in listed] == ["zoe", "mia", "ada"]
    assert listed[0] == await store.get("zoe")


async def test_an_empty_library_lists_nothing(store: VoiceStore) -> None:
    assert list(await store.list()) == []


@pytest.mark.parametrize("voice_id", NO_SUCH_IDS, ids=range(len(NO_SUCH_IDS)))
async def test_an_unknown_id_is_named_in_few_words(store: VoiceStore, voice_id: str) -> None:
    await store.add(new_voice("ada"))
    for ask in (store.get, store.audio, store.remove):
        with pytest.raises(VoiceNotFound) as refused:
            await ask(voice_id)
        assert refused.value.param == "voice_id"
        assert len(str(refused.value)) < 150
        str(refused.value).encode()
    assert len(await store.list()) == 1


async def test_a_removed_voice_is_gone_and_its_id_free(store: VoiceStore) -> None:
    await store.add(new_voice("ada"))
    await store.remove("ada")
    with pytest.raises(VoiceNotFound):
        await store.audio("ada")
    with pytest.raises(VoiceNotFound):
        await store.remove("ada")
    await store.add(new_voice("ada", "Another"))
    assert (await store.get("ada")).name == "Another"


async def test_a_taken_id_is_refused_and_the_first_voice_stays(store: VoiceStore) -> None:
    first = await store.add(new_voice("ada", "First"))
    with pytest.raises(VoiceExists, match="'ada'"):
        await store.add(new_voice("ada", "Second", size=3))
    assert await store.get("ada") == first
    assert await store.audio("ada") == recording("ada")


async def test_of_twenty_adds_at_once_exactly_one_wins(store: VoiceStore) -> None:
    voices = [new_voice("ada", f"number {n}", size=100_000 + n) for n in range(20)]
    results = await asyncio.gather(*(store.add(voice) for voice in voices), return_exceptions=True)
    won = [n for n, result in enumerate(results) if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(result, VoiceExists) for n, result in enumerate(results) if n not in won)
    assert (await store.get("ada")).name == f"number {won[0]}"
    assert await store.audio("ada") == voices[won[0]].audio


async def test_twenty_different_voices_at_once_all_stay(store: VoiceStore) -> None:
    await asyncio.gather(*(store.add(new_voice(f"v{n}")) for n in range(20)))
    assert {voice.voice_id for voice in await store.list()} == {f"v{n}" for n in range(20)}


async def test_readers_are_served_while_others_write(store: VoiceStore) -> None:
    await store.add(new_voice("ada"))
    writes = (store.add(new_voice(f"v{n}", size=1_000_000)) for n in range(8))
    reads = (store.audio("ada") for _ in range(20))
    results = await asyncio.gather(*writes, *reads)
    assert results[8:] == [recording("ada")] * 20


async def test_a_cancelled_add_leaves_a_whole_voice_or_none(store: VoiceStore) -> None:
    for n in range(10):
        adding = asyncio.create_task(store.add(new_voice(f"v{n}", size=500_000)))
        await asyncio.sleep(n / 1000)
        adding.cancel()
        await asyncio.wait([adding])
    for voice in await store.list():
        assert (
            sha256(await store.audio(voice.voice_id))
            == voice.sha256
            == sha256(recording(voice.voice_id, 500_000))
        )
    await store.add(new_voice("after"))
    assert (await store.get("after")).name == "Ada"


async def test_ping_returns_when_the_library_answers(store: VoiceStore) -> None:
    await store.ping()


async def test_closing_twice_is_harmless(store: VoiceStore) -> None:
    await store.add(new_voice("ada"))
    await store.close()
    await store.close()
