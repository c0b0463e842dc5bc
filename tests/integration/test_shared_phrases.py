"""Phrases in a real Redis: what one replica made another speaks, until their voice is gone."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from prometheus_client import CollectorRegistry
from tests.contract.voices import new_voice
from tests.fake_server import FakeServer, fake_server
from tests.live_server import becomes
from tests.services import RedisServer

from june_tts.cache import Shared, SharedOptions, open_shared
from june_tts.cache.phrases_shared import SharedPhrases
from june_tts.engine.fake import FakeEngine
from june_tts.service.phrase_book import PhraseBook
from june_tts.service.phrase_list import read_list
from june_tts.telemetry.metrics.links import LinkMetrics
from june_tts.types import Phrase

pytestmark = pytest.mark.integration

KEY = hashlib.sha256(b"a phrase").digest()
PHRASE = Phrase(b"\x00sound\xff" * 1000, 1.25)
KEYS = "return redis.call('KEYS', '*')"
URL = "/v1/audio/speech"


@pytest.fixture
async def shared(redis: RedisServer) -> AsyncIterator[Shared]:
    opened = await open_shared(redis.url, SharedOptions(0.5), LinkMetrics(CollectorRegistry()))
    yield opened
    await opened.close()


@pytest.fixture
def phrases(shared: Shared) -> SharedPhrases:
    return SharedPhrases(shared, seconds=60)


async def test_a_phrase_comes_back_as_it_was(phrases: SharedPhrases) -> None:
    assert await phrases.get(KEY, 1 << 20) is None
    assert await phrases.put(KEY, PHRASE, "ada")
    assert await phrases.get(KEY, 1 << 20) == PHRASE


async def test_a_removed_voice_leaves_none_of_its_phrases(phrases: SharedPhrases, shared: Shared) -> None:
    for number in range(2500):
        await phrases.put(hashlib.sha256(str(number).encode()).digest(), Phrase(b"x", 0.1), "ada")
    await phrases.put(KEY, PHRASE, "joe")
    assert await phrases.forget("ada")
    left = await shared.run(KEYS, [], [])
    assert len([key for key in left if key.startswith(b"june:phrase:")]) == 1
    assert await phrases.get(KEY, 1 << 20) == PHRASE


async def test_what_was_made_of_a_removed_voice_is_not_kept_any_more(phrases: SharedPhrases) -> None:
    await phrases.forget("ada")
    assert not await phrases.put(KEY, PHRASE, "ada")
    assert await phrases.get(KEY, 1 << 20) is None


async def test_a_phrase_goes_after_its_time_and_so_does_the_note_of_it(shared: Shared) -> None:
    phrases = SharedPhrases(shared, seconds=0.03)
    await phrases.put(KEY, PHRASE, "ada")
    await asyncio.sleep(0.06)
    assert await phrases.get(KEY, 1 << 20) is None
    assert await shared.run(KEYS, [], []) == []


async def test_notes_of_phrases_that_are_gone_do_not_pile_up(shared: Shared) -> None:
    brief, long = SharedPhrases(shared, seconds=0.02), SharedPhrases(shared, seconds=60)
    for number in range(20):
        await brief.put(hashlib.sha256(str(number).encode()).digest(), PHRASE, "ada")
    await asyncio.sleep(0.05)
    await long.put(KEY, PHRASE, "ada")
    count = "return redis.call('ZCARD', redis.call('KEYS', 'june:phrases:*')[1])"
    assert await shared.run(count, [], []) == 1


async def test_what_one_replica_made_another_answers_with(phrases: SharedPhrases) -> None:
    async with fake_server(shared_phrases=phrases) as one, fake_server(shared_phrases=phrases) as other:
        made = [await speak(one) for _ in range(2)][1]
        await stored(one)
        found = await speak(other)
        again = await speak(other)
    assert found.headers["x-june-cache"] == again.headers["x-june-cache"] == "hit"
    assert found.content == again.content == made.content
    assert other.engine.spoken == []
    count = other.services.metrics.registry.get_sample_value
    assert count("tts_phrase_hits_total", {"level": "redis"}) == 1
    assert count("tts_phrase_hits_total", {"level": "memory"}) == 1
    assert count("tts_phrase_saved_seconds_total", {"level": "redis"}) == pytest.approx(0.72, rel=0.05)


async def test_a_voice_removed_at_one_replica_is_dropped_for_all(
    phrases: SharedPhrases, shared: Shared
) -> None:
    engine = FakeEngine(clones=True)
    async with fake_server(engine, shared_phrases=phrases) as one:
        await one.services.store.add(replace(new_voice("ada"), language="en-US"))
        for _ in range(2):
            await speak(one, "ada")
        await stored(one)
        assert [key for key in await shared.run(KEYS, [], []) if key.startswith(b"june:phrase:")]
        await one.http.delete("/api/voices/ada")
        # before the answer, not some time after it
        assert not [key for key in await shared.run(KEYS, [], []) if key.startswith(b"june:phrase:")]


async def test_redis_is_told_of_a_removal_when_it_is_back(
    phrases: SharedPhrases, shared: Shared, redis: RedisServer
) -> None:
    engine = FakeEngine(clones=True)
    async with fake_server(engine, shared_phrases=phrases) as one:
        await one.services.store.add(replace(new_voice("ada"), language="en-US"))
        for _ in range(2):
            await speak(one, "ada")
        await stored(one)
        redis.pause()
        try:
            assert (await one.http.delete("/api/voices/ada")).status_code == 200
        finally:
            redis.resume()
        await becomes(lambda: shared.available)
        await one.services.phrases.shelf.drop_gone()
        assert not [key for key in await shared.run(KEYS, [], []) if key.startswith(b"june:phrase:")]


async def test_a_redis_that_does_not_answer_delays_nobody_and_its_absence_is_no_error(
    phrases: SharedPhrases, redis: RedisServer
) -> None:
    async with fake_server(shared_phrases=phrases) as one:
        redis.pause()
        try:
            replies = [await speak(one) for _ in range(4)]
        finally:
            redis.resume()
    assert [reply.status_code for reply in replies] == [200] * 4
    assert [reply.headers.get("x-june-cache") for reply in replies] == [None, None, "hit", "hit"]


async def test_a_listed_phrase_that_another_replica_made_is_not_made_again(phrases: SharedPhrases) -> None:
    lines = read_list("Hello there.")
    for spoken in (1, 0):
        async with fake_server(FakeEngine(repeats="never"), shared_phrases=phrases) as server:
            book = PhraseBook(server.services.phrases, lines)
            book.start()
            await becomes(lambda book=book: book.pinned == 4)
            assert len(server.engine.spoken) == spoken
            await book.close()
            await stored(server)


async def speak(server: FakeServer, voice: str = "fake") -> httpx.Response:
    body = {"input": "Hello there.", "voice": voice, "response_format": "wav"}
    return await server.http.post(URL, json=body)


async def stored(server: FakeServer) -> None:
    """What is on its way to Redis is there."""
    await asyncio.wait_for(server.services.phrases.shelf.written(), 5)


async def test_what_comes_from_redis_after_its_voice_was_removed_is_not_put_into_memory() -> None:
    class Slow:
        """Answers when it is told to."""

        def __init__(self) -> None:
            self.asked, self.answer = asyncio.Event(), asyncio.Event()

        async def get(self, key: bytes, expected_bytes: int) -> Phrase | None:
            self.asked.set()
            await self.answer.wait()
            return PHRASE

        async def put(self, key: bytes, phrase: Phrase, voice_id: str) -> bool:
            return True

        async def forget(self, voice_id: str) -> bool:
            return True

    slow = Slow()
    async with fake_server(FakeEngine(clones=True), shared_phrases=slow) as one:
        await one.services.store.add(replace(new_voice("ada"), language="en-US"))
        asking = asyncio.create_task(speak(one, "ada"))
        await slow.asked.wait()
        await one.http.delete("/api/voices/ada")
        slow.answer.set()
        await asking
        assert one.services.metrics.registry.get_sample_value("tts_phrase_entries") == 0
