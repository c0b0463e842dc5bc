"""The cache in front of a library that counts what it is asked, can be away, slow, and changed by others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from tests.contract.voices import new_voice, recording, sha256
from tests.fake_shared import FakeShared, Hub
from tests.live_server import becomes

from june_tts.cache.voices import CHECK_SECONDS, FRESH_SECONDS, CachedVoices, VoiceCacheRules
from june_tts.errors import StoreUnavailable, VoiceNotFound
from june_tts.store import MemoryVoiceStore
from june_tts.telemetry.metrics.voices import VoiceCacheMetrics
from june_tts.types import ClonedVoice, VoiceCard, VoiceCodes

pytestmark = pytest.mark.unit

QUICK = VoiceCacheRules(patience_seconds=0.05, ping_seconds=0.01)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Library(MemoryVoiceStore):
    """One library for all replicas; closing a replica leaves it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.confirming = asyncio.Event()
        self.confirming.set()

    async def get(self, voice_id: str) -> ClonedVoice:
        found = await self._answer("get", lambda: super(Library, self).get(voice_id))
        assert isinstance(found, ClonedVoice)
        return found

    async def audio(self, voice_id: str) -> bytes:
        found = await self._answer("audio", lambda: super(Library, self).audio(voice_id))
        assert isinstance(found, bytes)
        return found

    async def codes(self, voice_id: str, codec: str, sha256: str) -> VoiceCodes | None:
        self._there("codes")
        return await super().codes(voice_id, codec, sha256)

    async def list(self) -> list[ClonedVoice]:
        self._there("list")
        return [*await super().list()]

    async def change(self, voice_id: str, name: str | None, card: VoiceCard) -> ClonedVoice:
        self._there("change")
        done = await super().change(voice_id, name, card)
        await self.confirming.wait()
        return done

    async def ping(self) -> None:
        self._there("ping")
        await self.gate.wait()

    async def close(self) -> None:
        """It goes on."""

    async def _answer(self, what: str, find: object) -> object:
        self._there(what)
        assert callable(find)
        found = await find()
        # found before and told after: the worst that a slow library can do
        await self.gate.wait()
        return found

    def _there(self, what: str) -> None:
        self.asked[what] += 1
        if self.away:
            raise StoreUnavailable


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def library() -> Library:
    library = Library()
    await library.add(new_voice("ada"))
    return library


@pytest.fixture
def hub(clock: Clock) -> Hub:
    return Hub(clock)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def alone(library: Library, clock: Clock, registry: CollectorRegistry) -> AsyncIterator[CachedVoices]:
    """A replica without Redis."""
    voices = CachedVoices(library, QUICK, VoiceCacheMetrics(registry), clock=clock)
    yield voices
    await voices.close()


@pytest.fixture
async def voices(
    library: Library, clock: Clock, hub: Hub, registry: CollectorRegistry
) -> AsyncIterator[CachedVoices]:
    """A replica with Redis."""
    voices = CachedVoices(library, QUICK, VoiceCacheMetrics(registry), FakeShared(hub), "one", clock)
    yield voices
    await voices.close()


@pytest.fixture
async def other(library: Library, clock: Clock, hub: Hub) -> AsyncIterator[CachedVoices]:
    """Another one with the same Redis."""
    voices = CachedVoices(
        library, QUICK, VoiceCacheMetrics(CollectorRegistry()), FakeShared(hub), "one", clock
    )
    yield voices
    await voices.close()


async def test_a_hundred_requests_for_a_cold_voice_load_it_once(
    voices: CachedVoices, library: Library, registry: CollectorRegistry
) -> None:
    heard = await asyncio.gather(*(voices.audio("ada") for _ in range(100)))
    assert set(heard) == {recording("ada")}
    assert library.asked == {"get": 1, "audio": 1}
    assert registry.get_sample_value("tts_voice_cache_joins_total") == 198
    memory = {"level": "memory", "outcome": "hit"}
    await voices.audio("ada")
    assert registry.get_sample_value("tts_voice_cache_reads_total", memory) == 2
    assert registry.get_sample_value("tts_voice_cache_bytes") == voices._kept.bytes > len(recording("ada"))


async def test_a_load_outlives_the_one_who_began_it(alone: CachedVoices, library: Library) -> None:
    library.gate.clear()
    first = asyncio.create_task(alone.audio("ada"))
    await becomes(lambda: library.asked["get"])
    second = asyncio.create_task(alone.audio("ada"))
    await asyncio.sleep(0)
    first.cancel()
    library.gate.set()
    assert await second == recording("ada")
    assert library.asked == {"get": 1, "audio": 1}


async def test_without_redis_the_library_is_asked_again_after_half_a_second(
    alone: CachedVoices, library: Library, clock: Clock
) -> None:
    await alone.get("ada")
    clock.now += FRESH_SECONDS - 0.01
    await alone.get("ada")
    assert library.asked["get"] == 1
    await library.change("ada", "Eve", VoiceCard())
    clock.now += 0.01
    assert (await asyncio.gather(*(alone.get("ada") for _ in range(10))))[9].name == "Eve"
    assert library.asked["get"] == 2


async def test_with_redis_it_is_not_asked_and_yet_known_at_once(
    voices: CachedVoices, other: CachedVoices, library: Library, clock: Clock, registry: CollectorRegistry
) -> None:
    await voices.get("ada")
    clock.now += CHECK_SECONDS - 0.01
    await voices.get("ada")
    assert library.asked["get"] == 1
    await other.change("ada", "Eve", VoiceCard())
    assert (await voices.get("ada")).name == "Eve"
    await other.remove("ada")
    with pytest.raises(VoiceNotFound):
        await voices.get("ada")
    assert registry.get_sample_value("tts_voice_cache_news_total") == 2


async def test_who_tells_nobody_is_found_out_within_seconds_all_the_same(
    voices: CachedVoices, library: Library, clock: Clock
) -> None:
    await voices.get("ada")
    await library.change("ada", "Eve", VoiceCard())
    clock.now += CHECK_SECONDS
    await voices.get("ada")  # as it is known, and asked about behind that
    await becomes(lambda: library.asked["get"] == 2)
    await asyncio.sleep(0)
    assert (await voices.get("ada")).name == "Eve"


async def test_while_redis_is_away_the_library_is_asked_again(
    voices: CachedVoices, library: Library, clock: Clock, hub: Hub
) -> None:
    await voices.get("ada")
    hub.down()
    await library.change("ada", "Eve", VoiceCard())
    clock.now += FRESH_SECONDS
    assert (await voices.get("ada")).name == "Eve"
    await library.change("ada", "Zoe", VoiceCard())
    clock.now += FRESH_SECONDS
    hub.up()  # what was published in between has not come
    assert (await voices.get("ada")).name == "Zoe"


async def test_a_voice_that_was_just_added_elsewhere_is_there(
    voices: CachedVoices, other: CachedVoices
) -> None:
    with pytest.raises(VoiceNotFound):
        await voices.get("bob")
    await other.add(new_voice("bob"))
    assert await voices.audio("bob") == recording("bob")


async def test_a_change_during_a_load_does_not_leave_the_old_value_behind(
    voices: CachedVoices, other: CachedVoices, library: Library
) -> None:
    library.gate.clear()
    loading = asyncio.create_task(voices.audio("ada"))
    await becomes(lambda: library.asked["get"] == 1)
    changing = asyncio.create_task(other.change("ada", "Eve", VoiceCard()))
    await becomes(changing.done)
    library.gate.set()
    await loading
    assert (await voices.get("ada")).name == "Eve"


async def test_what_is_being_loaded_for_redis_is_not_kept_there_after_a_change(
    voices: CachedVoices, other: CachedVoices, library: Library, hub: Hub
) -> None:
    library.gate.clear()
    loading = asyncio.create_task(voices.get("ada"))
    await becomes(lambda: library.asked["get"] == 1)
    await other.remove("ada")
    library.gate.set()
    assert (await loading).voice_id == "ada"  # it was there when it was asked for
    await asyncio.sleep(0.01)
    assert not any(hub.hashes.values())


async def test_a_removed_voice_leaves_memory_redis_and_whoever_made_something_of_it(
    voices: CachedVoices, other: CachedVoices, hub: Hub
) -> None:
    gone: list[str] = []
    voices.on_change(gone.append)
    await voices.audio("ada")
    await becomes(lambda: any(hub.hashes.values()))
    await other.remove("ada")
    assert gone == ["ada"]
    assert not any(hub.hashes.values())
    assert voices._kept.bytes == 0


async def test_a_cold_replica_has_recordings_and_codes_out_of_redis(
    voices: CachedVoices, other: CachedVoices, library: Library, hub: Hub, registry: CollectorRegistry
) -> None:
    codes = VoiceCodes("codec", sha256(recording("ada")), np.arange(20, dtype=np.int32).reshape(10, 2), "Hm.")
    await library.keep_codes("ada", codes)
    await other.audio("ada")
    await other.codes("ada", "codec", codes.sha256)
    await becomes(lambda: len(next(iter(hub.hashes.values()), ())) == 3)
    library.asked.clear()
    assert await voices.audio("ada") == recording("ada")
    found = await voices.codes("ada", "codec", codes.sha256)
    assert found and found.transcript == "Hm." and np.array_equal(found.codes, codes.codes)
    # what may change is asked of the library; what is named by its hash is not
    assert library.asked == {"get": 1}
    redis = {"level": "redis", "outcome": "hit"}
    assert registry.get_sample_value("tts_voice_cache_reads_total", redis) == 2


async def test_what_redis_has_wrong_is_not_spoken(
    voices: CachedVoices, other: CachedVoices, hub: Hub
) -> None:
    await other.audio("ada")
    await becomes(lambda: len(next(iter(hub.hashes.values()), ())) == 2)
    for fields in hub.hashes.values():
        fields.update(dict.fromkeys(fields, b"\x00 not what it was"))
    assert await voices.audio("ada") == recording("ada")


async def test_known_voices_speak_while_the_library_is_away_and_changes_do_not_go_through(
    alone: CachedVoices, library: Library, clock: Clock, registry: CollectorRegistry
) -> None:
    await alone.audio("ada")
    await alone.list()
    library.away = True
    clock.now += 3000
    with capture_logs() as lines:
        for _ in range(5):
            assert await alone.audio("ada") == recording("ada")
        assert [voice.voice_id for voice in await alone.list()] == ["ada"]
        with pytest.raises(StoreUnavailable):
            await alone.change("ada", "Eve", VoiceCard())
        with pytest.raises(StoreUnavailable):
            await alone.get("bob")
        library.away = False
        await becomes(lambda: len(lines) == 2)
    assert [line["event"].split(":")[0] for line in lines] == ["voice library away", "voice library back"]
    assert registry.get_sample_value("tts_voice_cache_stale_total") == 6
    await library.change("ada", "Eve", VoiceCard())
    assert (await alone.get("ada")).name == "Eve"


async def test_a_voice_that_only_redis_knows_speaks_while_the_library_is_away(
    voices: CachedVoices, other: CachedVoices, library: Library, hub: Hub
) -> None:
    await other.audio("ada")
    await becomes(lambda: len(next(iter(hub.hashes.values()), ())) == 2)
    library.away = True
    assert await voices.audio("ada") == recording("ada")
    assert (await voices.get("ada")).transcript == "Guten Tag."


async def test_a_slow_library_is_waited_for_once_and_then_by_nobody(
    alone: CachedVoices, library: Library, clock: Clock
) -> None:
    await alone.get("ada")
    clock.now += 1
    library.gate.clear()
    library.asked.clear()
    await asyncio.gather(*(alone.get("ada") for _ in range(50)))
    assert library.asked["get"] == 1
    with pytest.raises(StopIteration) as ended:
        alone.get("ada").send(None)  # to its end, without a wait
    assert ended.value.value.voice_id == "ada"
    library.gate.set()


async def test_a_client_that_hangs_up_does_not_stop_the_others_from_being_told(
    voices: CachedVoices, other: CachedVoices, library: Library
) -> None:
    await voices.get("ada")
    library.confirming.clear()
    changing = asyncio.create_task(other.change("ada", "Eve", VoiceCard()))
    await becomes(lambda: library.asked["change"])
    changing.cancel()
    await asyncio.wait([changing])
    library.confirming.set()
    await other.close()
    assert (await voices.get("ada")).name == "Eve"


async def test_what_redis_could_not_be_told_is_told_when_it_is_back(
    voices: CachedVoices, other: CachedVoices, clock: Clock, hub: Hub, registry: CollectorRegistry
) -> None:
    hub.down()
    await other.change("ada", "Eve", VoiceCard())
    hub.up()
    await becomes(lambda: registry.get_sample_value("tts_voice_cache_news_total") == 1)


async def test_two_libraries_beside_one_redis_do_not_mix_their_voices(
    voices: CachedVoices, library: Library, clock: Clock, hub: Hub
) -> None:
    elsewhere = Library()
    await elsewhere.add(replace(new_voice("ada"), audio=b"another person", name="Another"))
    registry = CollectorRegistry()
    apart = CachedVoices(elsewhere, QUICK, VoiceCacheMetrics(registry), FakeShared(hub), "two", clock)
    await voices.audio("ada")
    await voices.change("ada", "Eve", VoiceCard())
    assert registry.get_sample_value("tts_voice_cache_news_total") == 0
    assert await apart.audio("ada") == b"another person"
    elsewhere.away = True
    await apart.close()


async def test_closing_ends_what_is_being_loaded(library: Library, clock: Clock) -> None:
    rules = replace(QUICK, patience_seconds=60)
    voices = CachedVoices(library, rules, VoiceCacheMetrics(CollectorRegistry()), clock=clock)
    library.gate.clear()
    loading = asyncio.create_task(voices.get("ada"))
    await becomes(lambda: library.asked["get"])
    await voices._flights.close(0.01)
    with pytest.raises(StoreUnavailable, match="stopping"):
        await loading
    with pytest.raises(StoreUnavailable, match="stopping"):
        await voices.get("bob")
    await voices.close()
