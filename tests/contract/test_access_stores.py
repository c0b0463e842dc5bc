"""Keys, the audit log and usage: the same on SQLite, PostgreSQL and in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from june_tts.errors import KeyNotFound
from june_tts.ports import AuditStore, KeyStore, UsageStore
from june_tts.store import open_stores
from june_tts.store.access_memory import MemoryAuditStore, MemoryKeyStore, MemoryUsageStore
from june_tts.types import ApiKey, AuditEntry, KeyLimits, Usage

pytestmark = pytest.mark.contract

NOW = datetime(2026, 3, 4, 5, 6, 7, 890, tzinfo=UTC)
LIMITS = KeyLimits(requests_per_minute=60, characters_per_month=0, streams=3)


@dataclass(frozen=True)
class AccessStores:
    keys: KeyStore
    audit: AuditStore
    usage: UsageStore


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AccessStores]:
    if request.param == "memory":
        yield AccessStores(MemoryKeyStore(), MemoryAuditStore(), MemoryUsageStore())
        return
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    opened = await open_stores(url, tmp_path)
    yield AccessStores(opened.keys, opened.audit, opened.usage)
    await opened.voices.close()


def key(key_id: str = "abcdefghijkl") -> ApiKey:
    return ApiKey(key_id, "Ann's bot", "0" * 64, frozenset({"speak", "voices"}), LIMITS, NOW, "cli", NOW)


def entry(subject: str = "anna", at: datetime = NOW) -> AuditEntry:
    return AuditEntry(at, "abcdefghijkl", "voice.add", subject, "r" * 32, "success")


async def test_a_key_comes_back_as_it_was_kept(stores: AccessStores) -> None:
    kept = await stores.keys.add(key())
    assert kept == replace(key(), revision=kept.revision)
    assert list(await stores.keys.since(0)) == [kept]


async def test_a_reader_gets_what_is_new_alone(stores: AccessStores) -> None:
    first = await stores.keys.add(key("a" * 12))
    second = await stores.keys.add(key("b" * 12))
    assert [k.key_id for k in await stores.keys.since(first.revision)] == ["b" * 12]
    revoked = await stores.keys.change("a" * 12, revoked_at=NOW)
    assert list(await stores.keys.since(second.revision)) == [revoked]
    assert list(await stores.keys.since(revoked.revision)) == []


async def test_keys_made_at_once_have_revisions_of_their_own(stores: AccessStores) -> None:
    made = await asyncio.gather(*(stores.keys.add(key(f"{n:012d}")) for n in range(12)))
    assert len({k.revision for k in made}) == 12
    assert len(await stores.keys.since(0)) == 12


async def test_a_change_leaves_the_rest_as_it_was(stores: AccessStores) -> None:
    await stores.keys.add(key())
    revoked = await stores.keys.change(key().key_id, revoked_at=NOW)
    assert (revoked.revoked_at, revoked.limits) == (NOW, LIMITS)
    freed = await stores.keys.change(key().key_id, limits=KeyLimits())
    assert (freed.revoked_at, freed.limits, freed.name) == (NOW, KeyLimits(), "Ann's bot")


async def test_a_key_stays_revoked_since_the_first_time(stores: AccessStores) -> None:
    await stores.keys.add(key())
    await stores.keys.change(key().key_id, revoked_at=NOW)
    again = await stores.keys.change(key().key_id, revoked_at=NOW + timedelta(days=1))
    assert again.revoked_at == NOW


@pytest.mark.parametrize("nobody", ["nobody", "", "a\0b", "\ud800", "é" * 300])
async def test_changing_a_key_that_is_not_there_says_so_and_changes_nothing(
    stores: AccessStores, nobody: str
) -> None:
    before = await stores.keys.add(key())
    with pytest.raises(KeyNotFound):
        await stores.keys.change(nobody, revoked_at=NOW)
    assert list(await stores.keys.since(0)) == [before]


async def test_the_audit_log_is_read_page_by_page_newest_first(stores: AccessStores) -> None:
    for n in range(5):
        await stores.audit.record(entry(f"v{n}"))
    first = await stores.audit.list(None, 2)
    assert [e.subject for e in first] == ["v4", "v3"]
    rest = await stores.audit.list(first[-1].number, 10)
    assert [e.subject for e in rest] == ["v2", "v1", "v0"]
    assert replace(rest[0], number=0) == entry("v2")


async def test_an_entry_is_kept_whatever_id_was_asked_for(stores: AccessStores) -> None:
    await stores.audit.record(entry("x" * 5000))
    assert (await stores.audit.list(None, 1))[0].subject == "x" * 300


async def test_old_entries_are_forgotten_and_no_others(stores: AccessStores) -> None:
    await stores.audit.record(entry("old", NOW - timedelta(days=2)))
    await stores.audit.record(entry("new"))
    assert await stores.audit.prune(NOW - timedelta(days=1)) == 1
    assert [e.subject for e in await stores.audit.list(None, 10)] == ["new"]


async def test_usage_adds_up_by_key_and_day(stores: AccessStores) -> None:
    today, yesterday = date(2026, 3, 4), date(2026, 3, 3)
    await stores.usage.add([Usage("a", today, 1, 10, 0.5), Usage("b", today, 1, 1, 1.0)])
    await stores.usage.add([Usage("a", today, 2, 20, 0.25), Usage("a", yesterday, 1, 5, 0.0)])
    assert list(await stores.usage.since(today)) == [
        Usage("a", today, 3, 30, 0.75),
        Usage("b", today, 1, 1, 1.0),
    ]
    assert len(await stores.usage.since(yesterday)) == 3


async def test_replicas_that_count_at_once_lose_nothing(stores: AccessStores) -> None:
    today = date(2026, 3, 4)
    both = [Usage("a", today, 1), Usage("b", today, 1)]
    await asyncio.gather(*(stores.usage.add(both if n % 2 else both[::-1]) for n in range(10)))
    assert [used.requests for used in await stores.usage.since(today)] == [10, 10]
