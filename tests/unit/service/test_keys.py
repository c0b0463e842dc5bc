"""Keys in memory: what they know, what they cost, and how they come to know what changed."""

from datetime import UTC, datetime, timedelta

import pytest

from june_tts.errors import InvalidRequest, StoreUnavailable, Unauthorized
from june_tts.ports import KeyStore
from june_tts.service.audit import Audit
from june_tts.service.key_desk import KeyDesk
from june_tts.service.key_text import digest, new_key, read, written
from june_tts.service.keys import KeyRing, SettingsKey
from june_tts.store.access_memory import MemoryAuditStore, MemoryKeyStore
from june_tts.telemetry.metrics import Metrics
from june_tts.types import ApiKey, KeyLimits

pytestmark = pytest.mark.unit


class CountedStore(MemoryKeyStore):
    """Counts what it is asked, and may be away."""

    away = False
    asked = 0

    async def since(self, revision: int) -> list[ApiKey]:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("the database is away")
        return list(await super().since(revision))


def ring_of(store: KeyStore | None, **given: str) -> KeyRing:
    keys = tuple(SettingsKey(name, name.upper(), secret) for name, secret in given.items())
    return KeyRing(store, keys, Metrics().access)


def desk_of(store: KeyStore, ring: KeyRing) -> KeyDesk:
    return KeyDesk(store, Audit(MemoryAuditStore()), ring.look)


def test_a_key_is_read_back_into_its_parts_and_nothing_else_is() -> None:
    ident, secret = new_key()
    assert read(written(ident, secret)) == (ident, secret)
    assert len({new_key() for _ in range(100)}) == 100
    for wrong in (
        "",
        "june__",
        secret,
        f"june_{ident}_{secret}\n",
        f"june_{ident.upper()}_{secret}",
        "june_é_é",
    ):
        assert read(wrong) is None


async def test_what_is_kept_of_a_key_is_a_hash_that_is_not_shown() -> None:
    store = MemoryKeyStore()
    made = await desk_of(store, ring_of(store)).make("Ann", ["speak"], KeyLimits())
    secret = made.text.split("_")[2]
    (kept,) = await store.since(0)
    assert kept.sha256 == digest(secret)
    assert secret not in repr(made)
    assert kept.sha256 not in repr(made)


async def test_wrong_keys_ask_the_store_nothing_and_are_not_remembered() -> None:
    store = CountedStore()
    ring = ring_of(store)
    await desk_of(store, ring).make("Ann", ["speak"], KeyLimits())
    asked, size = store.asked, len(ring._keys)
    for _ in range(1000):
        with pytest.raises(Unauthorized):
            ring.find(written(*new_key()))
    assert (store.asked, len(ring._keys)) == (asked, size)


async def test_while_the_store_is_away_known_keys_go_on_working_and_changes_come_later() -> None:
    store = CountedStore()
    ring, other = ring_of(store), ring_of(store)
    made = await desk_of(store, ring).make("Ann", ["speak"], KeyLimits())
    store.away = True
    await ring.look()
    await ring.look()
    assert ring.find(made.text).name == "Ann"
    store.away = False
    await desk_of(store, other).revoke(made.key.key_id)
    assert ring.find(made.text)
    await ring.look()
    with pytest.raises(Unauthorized, match="revoked"):
        ring.find(made.text)
    with pytest.raises(Unauthorized, match="revoked"):
        ring.limits(made.key.key_id)


async def test_the_first_good_key_of_those_sent_counts() -> None:
    ring = ring_of(None, settings="sesame", service="mountain")
    assert ring.find("", "sesame").key_id == "settings"
    assert ring.find("wrong", "mountain").key_id == "service"
    with pytest.raises(Unauthorized, match="wrong"):
        ring.find("wrong", "")
    with pytest.raises(Unauthorized, match="missing"):
        ring.find("", "")


def test_new_settings_have_new_keys_and_none_at_all_opens_nothing() -> None:
    ring = ring_of(None, settings="sesame")
    assert ring.asks
    ring.give(())
    assert ring.asks
    with pytest.raises(Unauthorized):
        ring.find("sesame")


async def test_a_restored_database_is_read_anew_when_it_is_doubted() -> None:
    old = CountedStore()
    ring = ring_of(old)
    desk = desk_of(old, ring)
    before = await desk.make("before", ["speak"], KeyLimits())
    late = await desk.make("late", ["speak"], KeyLimits())
    restored = MemoryKeyStore()
    await restored.add(before.key)
    old._keys, old._revision = restored._keys, restored._revision
    await ring.look()
    assert ring.find(late.text)
    ring.doubt()
    old.away = True
    await ring.look()
    assert ring.find(late.text)
    old.away = False
    await ring.look()
    assert ring.find(before.text)
    with pytest.raises(Unauthorized):
        ring.find(late.text)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["speak", "everything"]}, "scopes"),
        ({"limits": KeyLimits(streams=-1)}, "streams"),
        ({"limits": KeyLimits(characters_per_day=10**13)}, "characters_per_day"),
        ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, "expires_at"),
        ({"expires_at": datetime(2100, 1, 1)}, "expires_at"),  # noqa: DTZ001 - without a zone it is refused
    ],
)
async def test_what_a_key_cannot_be_is_refused_by_field(change: dict[str, object], param: str) -> None:
    store = MemoryKeyStore()
    usual: dict[str, object] = {"name": "Ann", "scopes": ["speak"], "limits": KeyLimits()}
    with pytest.raises(InvalidRequest) as refused:
        await desk_of(store, ring_of(store)).make(**usual | change)  # type: ignore[arg-type]  # drawn above
    assert refused.value.param == param
    assert list(await store.since(0)) == []


async def test_limits_that_are_not_given_stay() -> None:
    store = MemoryKeyStore()
    desk = desk_of(store, ring_of(store))
    made = await desk.make("Ann", ["speak"], KeyLimits(requests_per_minute=5, streams=2))
    changed = await desk.limit(made.key.key_id, KeyLimits(streams=0))
    assert changed.limits == KeyLimits(requests_per_minute=5, streams=0)
