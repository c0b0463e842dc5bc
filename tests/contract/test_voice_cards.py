"""What every voice store promises of descriptions, tags, visibility and pictures."""

import asyncio
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.contract.test_migrations import OldService, old
from tests.contract.voices import OpenStore, new_voice, recording

from june_tts.errors import VoiceNotFound
from june_tts.ports import VoiceStore
from june_tts.types import NewVoice, Picture, VoiceCard, VoiceCodes

pytestmark = pytest.mark.contract
__all__ = ["old"]

PICTURE = Picture("image/png", b"\x89PNG\x00 and so on")
CARD = VoiceCard(
    "Reads aloud, „schön“.\n2nd line", ("calm", "日本語", 'a "quote", a comma'), "public", PICTURE
)


def carded(voice_id: str, card: VoiceCard = CARD) -> NewVoice:
    return replace(new_voice(voice_id), card=card)


async def test_a_card_comes_back_as_it_went_in(store: VoiceStore) -> None:
    added = await store.add(carded("ada"))
    assert added == await store.get("ada") == (await store.list())[0]
    assert (added.description, added.tags, added.visibility) == (CARD.description, CARD.tags, "public")
    assert added.cover_type == "image/png"
    assert await store.cover("ada") == PICTURE


async def test_a_voice_without_a_card_is_private_and_has_no_picture(store: VoiceStore) -> None:
    added = await store.add(new_voice("ada"))
    assert (added.description, added.tags, added.visibility, added.cover_type) == (None, (), "private", None)
    assert added == await store.get("ada")
    assert await store.cover("ada") is None


async def test_what_is_changed_stays_and_the_rest_is_left_alone(store: VoiceStore) -> None:
    before = await store.add(carded("ada"))
    after = await store.change("ada", "Ada L.", VoiceCard(visibility="unlist"))
    assert after == await store.get("ada") == (await store.list())[0]
    assert after.updated_at > before.updated_at
    assert after == replace(before, name="Ada L.", visibility="unlist", updated_at=after.updated_at)
    assert await store.cover("ada") == PICTURE
    assert await store.audio("ada") == recording("ada")


@pytest.mark.parametrize(
    ("card", "field", "value"),
    [
        (VoiceCard(description="New."), "description", "New."),
        (VoiceCard(description=""), "description", None),
        (VoiceCard(tags=("one",)), "tags", ("one",)),
        (VoiceCard(tags=()), "tags", ()),
        (VoiceCard(visibility="private"), "visibility", "private"),
        (VoiceCard(cover=Picture("image/gif", b"GIF")), "cover_type", "image/gif"),
    ],
)
async def test_each_field_can_be_changed_alone(
    store: VoiceStore, card: VoiceCard, field: str, value: Any
) -> None:
    before = await store.add(carded("ada"))
    after = await store.change("ada", None, card)
    assert getattr(after, field) == value
    assert after == replace(before, **{field: value}, updated_at=after.updated_at)
    assert await store.get("ada") == after


async def test_a_picture_is_replaced_by_the_next_one(store: VoiceStore) -> None:
    await store.add(carded("ada"))
    big = Picture("image/jpeg", os.urandom(2_000_000))
    await store.change("ada", None, VoiceCard(cover=big))
    assert await store.cover("ada") == big


async def test_a_voice_that_is_not_there_is_not_changed(store: VoiceStore) -> None:
    await store.add(carded("ada"))
    for voice_id in ("nobody", "", "nul\x00", "a" * 1000, "\ud800"):
        with pytest.raises(VoiceNotFound):
            await store.change(voice_id, "x", CARD)
        with pytest.raises(VoiceNotFound):
            await store.cover(voice_id)
    assert (await store.get("ada")).name == "Ada"


async def test_a_picture_goes_with_its_voice(store: VoiceStore) -> None:
    await store.add(carded("ada"))
    await store.remove("ada")
    with pytest.raises(VoiceNotFound):
        await store.cover("ada")
    await store.add(new_voice("ada"))
    assert await store.cover("ada") is None


async def test_changes_at_once_to_different_fields_all_stay(store: VoiceStore) -> None:
    await store.add(carded("ada"))
    await asyncio.gather(
        store.change("ada", "New", VoiceCard()),
        store.change("ada", None, VoiceCard(description="Changed.")),
        store.change("ada", None, VoiceCard(tags=("other",))),
        store.change("ada", None, VoiceCard(visibility="private")),
    )
    after = await store.get("ada")
    assert (after.name, after.description, after.tags) == ("New", "Changed.", ("other",))
    assert after.visibility == "private"


async def test_codes_stay_valid_when_only_the_card_changes(store: VoiceStore) -> None:
    added = await store.add(new_voice("ada"))
    codes = VoiceCodes("codec", added.sha256, np.ones((2, 3), np.int32), None)
    await store.keep_codes("ada", codes)
    await store.change("ada", "New", CARD)
    assert await store.codes("ada", "codec", added.sha256) is not None


async def test_a_card_outlives_the_process(reopen: OpenStore) -> None:
    first = await reopen()
    await first.add(carded("ada"))
    changed = await first.change("ada", "Ada L.", VoiceCard(tags=("kept",)))
    second = await reopen()
    assert await second.get("ada") == changed
    assert await second.cover("ada") == PICTURE


LATER_TABLES = (
    *("tts_keys", "tts_usage", "tts_audit", "tts_key_revision"),
    *("tts_job_pieces", "tts_job_audio", "tts_jobs", "tts_voice_uses", "tts_library"),
)
BEFORE_CARDS = (
    "UPDATE june_tts_schema SET version_num = '0003'",
    *(f"DROP TABLE IF EXISTS {name}" for name in LATER_TABLES),
    *(f"ALTER TABLE tts_voices DROP COLUMN {name}" for name in ("consent_by", "consent_at")),
    *(f"ALTER TABLE tts_voices DROP COLUMN {name}" for name in ("description", "tags", "visibility")),
    *(f"ALTER TABLE tts_voices DROP COLUMN {name}" for name in ("cover_type", "cover_image")),
)
OLD_INDEX = """CREATE INDEX tts_voices_described ON tts_voices (voice_id, id, name, created_at, updated_at,
    sha256, audio_bytes, transcript, language, consent, report)"""


async def test_a_library_from_before_cards_keeps_its_voices(
    old: OldService, reopen: OpenStore, database_url: str | None
) -> None:
    added = await (await reopen()).add(new_voice("ada"))
    if database_url is None:
        await old.run("DROP INDEX tts_voices_described")
    for statement in BEFORE_CARDS:
        await old.run(statement)
    if database_url is None:
        await old.run(OLD_INDEX)
    store = await reopen()
    # nobody had written down who consented when
    assert await store.get("ada") == replace(added, consent_at=None)
    changed = await store.change("ada", None, CARD)
    assert (changed.visibility, await store.cover("ada")) == ("public", PICTURE)


async def test_a_voice_that_the_earlier_service_inserted_can_have_a_card(
    old: OldService, reopen: OpenStore
) -> None:
    store = await reopen()
    await old.insert("late", None)
    changed = await store.change("late", "Late", CARD)
    assert (changed.name, changed.tags) == ("Late", CARD.tags)
    assert await store.cover("late") == PICTURE
