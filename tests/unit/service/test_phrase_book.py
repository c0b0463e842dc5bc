"""The phrases of a list are at hand: from the start, after a voice has changed, with another list."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.contract.voices import new_voice
from tests.fake_server import FakeServer, fake_server
from tests.live_server import becomes

from june_tts.engine.fake import FakeEngine
from june_tts.errors import EngineFailed
from june_tts.service.phrase_book import PhraseBook
from june_tts.service.phrase_list import read_list
from june_tts.types import Capabilities

pytestmark = pytest.mark.unit

URL = "/v1/audio/speech"


@asynccontextmanager
async def book(server: FakeServer, lines: str, look_seconds: float = 60.0) -> AsyncIterator[PhraseBook]:
    opened = PhraseBook(server.services.phrases, read_list(lines), look_seconds=look_seconds)
    server.services.library.on_removed(server.services.phrases.shelf.forget)
    opened.start()
    yield opened
    await opened.close()


async def from_memory(server: FakeServer, text: str, **fields: Any) -> bool:
    body = {"input": text, "voice": "fake", "response_format": "wav", **fields}
    reply = await server.http.post(URL, json=body)
    assert reply.status_code == 200, reply.text
    return "x-june-cache" in reply.headers


async def test_listed_phrases_come_from_memory_the_first_time_also_where_they_are_drawn() -> None:
    async with fake_server(FakeEngine(repeats="never")) as server, book(server, "Hello.\nGood bye.") as given:
        await becomes(lambda: given.pinned == 8)
        for text in ("Hello.", "Good bye."):
            for format in ("mp3", "wav", "pcm"):
                assert await from_memory(server, text, response_format=format)
        assert await from_memory(server, "Hello.", response_format="mp3", stream_format="sse")
        assert not await from_memory(server, "Something else.")


async def test_each_line_is_spoken_once_for_all_its_formats_and_with_the_least_priority() -> None:
    async with fake_server() as server:
        seen = server.services.metrics.registry
        async with book(server, "Hello.") as given:
            await becomes(lambda: given.pinned == 4)
        assert [text for _, text in server.engine.spoken] == ["Hello."]
        labels = {"priority": "batch"}
        waits = seen.get_sample_value("tts_queue_wait_seconds_count", labels)
        assert waits == 1


async def test_another_list_takes_the_place_of_the_one_before() -> None:
    async with fake_server(FakeEngine(repeats="never")) as server, book(server, "Hello.") as given:
        await becomes(lambda: given.pinned == 4)
        given.reload(read_list("Good bye."))
        await becomes(lambda: given.pinned == 4 and len(server.engine.spoken) == 2)
        assert await from_memory(server, "Good bye.")


async def test_a_voice_that_has_changed_is_spoken_anew() -> None:
    line = '{"text": "Hello.", "voice": "ada", "format": "wav", "language": "de"}'
    async with fake_server(FakeEngine(clones=True)) as server, book(server, line) as given:
        with capture_logs() as logs:
            await becomes(lambda: any(one["event"] == "a listed phrase is not ready" for one in logs))
        store = server.services.store
        await store.add(new_voice("ada"))
        given.changed("ada")
        await becomes(lambda: given.pinned == 1)
        await store.remove("ada")
        await store.add(replace(new_voice("ada"), audio=b"other"))
        given.changed("ada")
        assert not given.pinned or len(server.engine.spoken) == 1
        await becomes(lambda: given.pinned == 1 and len(server.engine.spoken) == 2)
        assert await from_memory(server, "Hello.", voice="ada", language="de")


async def test_a_line_that_fails_is_told_once_and_tried_again() -> None:
    class Moody(FakeEngine):
        well = False

        def synthesize(self, utterance: Any, pieces: Any) -> Any:
            if not self.well:
                raise EngineFailed("not today")
            return super().synthesize(utterance, pieces)

    engine = Moody()
    with capture_logs() as logs:
        async with fake_server(engine) as server, book(server, "Hello.", look_seconds=0.01) as given:
            await becomes(lambda: sum(one["event"] == "utterance ended" for one in logs) > 3)
            engine.well = True
            await becomes(lambda: given.pinned == 4)
    told = [one for one in logs if one["event"] == "a listed phrase is not ready"]
    assert [(one["line"], one["reason"]) for one in told] == [(1, "not today")]
    assert "Hello." not in str(logs)


async def test_what_has_no_room_is_told_and_the_rest_is_kept() -> None:
    lines = '{"text": "Hi.", "format": "mp3"}\n{"text": "So many words there.", "format": "wav"}'
    with capture_logs() as logs:
        async with fake_server(phrase_bytes=20_000) as server, book(server, lines) as given:
            await becomes(lambda: any(one["event"] == "a listed phrase is not ready" for one in logs))
            await becomes(lambda: given.pinned == 1)
    assert [one["line"] for one in logs if one["event"] == "a listed phrase is not ready"] == [2]


async def test_voices_that_are_not_listed_cost_no_look_at_the_list() -> None:
    looks = 0

    class Counted(FakeEngine):
        def capabilities(self) -> Capabilities:
            nonlocal looks
            looks += 1
            return super().capabilities()

    async with fake_server(Counted()) as server, book(server, "Hello.") as given:
        await becomes(lambda: given.pinned == 4)
        before = looks
        for number in range(100):
            given.changed(f"nobody-{number}")
            await asyncio.sleep(0)
        assert looks == before
        given.changed("fake")
        await becomes(lambda: looks > before)
