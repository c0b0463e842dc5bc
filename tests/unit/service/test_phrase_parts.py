"""What is said in rooms again and again: found where it was made before, whole, with its words' times."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np
import pytest
from tests.fake_rooms import FakeRooms
from tests.fake_server import FakeServer, fake_server
from tests.live_server import becomes
from tests.phrase_chunks import assert_same

from june_tts.engine.fake import FakeEngine
from june_tts.service.phrase_book import PhraseBook
from june_tts.service.phrase_list import read_list
from june_tts.service.phrase_parts import PARTS, unpacked
from june_tts.types import AudioChunk, RoomRequest, SpeechRequest, WordTime

pytestmark = pytest.mark.unit

TEXT = "Hello there."


async def said(server: FakeServer, text: str = TEXT, room: str = "lobby") -> None:
    utterances = server.services.utterances
    assert utterances
    report = await utterances.submit(RoomRequest(room, SpeechRequest("r", text, "fake")))
    assert (await utterances.ended(report.id)).state == "done"


async def test_chunks_come_back_as_they_were_to_sixteen_bits() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 3000).astype(np.float32)
    words = (WordTime("Grüße,", 0.0, 0.25), WordTime("all!", 0.25, 0.5))
    made = [
        AudioChunk(samples, 22_050, words),
        AudioChunk(samples[:0], 22_050),
        AudioChunk(samples[:7], 22_050),
    ]

    async def each() -> AsyncGenerator[AudioChunk, None]:
        for chunk in made:
            yield chunk

    found = [*unpacked(b"".join([part async for part in PARTS.encode(each())]))]
    assert {chunk.sample_rate for chunk in found} == {22_050}
    assert [chunk.words for chunk in found] == [words, (), ()]
    for one, other in zip(found, made, strict=True):
        np.testing.assert_allclose(one.samples, other.samples, atol=0.6 / 32768)


async def test_from_its_third_time_on_a_room_hears_it_from_memory_with_its_words() -> None:
    async with fake_server() as server:
        times: list[list[AudioChunk]] = []
        for _ in range(4):
            async with aclosing(server.services.parts.stream(SpeechRequest("r", TEXT, "fake"))) as chunks:
                times.append([chunk async for chunk in chunks])
        assert len(server.engine.spoken) == 2
        hits = server.services.metrics.registry.get_sample_value("tts_phrase_hits_total", {"level": "memory"})
    assert hits == 2
    assert_same(times)


async def test_utterances_are_found_there_and_take_no_place_then() -> None:
    rooms = FakeRooms()
    async with fake_server(rooms=rooms, max_streams=1) as server:
        await said(server)
        await said(server)
        async with server.services.admission.place("fake", 1):
            await said(server)
        assert len(server.engine.spoken) == 2
    assert len({played.seconds for played in rooms.played}) == 1


async def test_one_that_is_interrupted_leaves_nothing_behind() -> None:
    rooms = FakeRooms(0.2)
    async with fake_server(rooms=rooms) as server:
        utterances = server.services.utterances
        assert utterances
        for _ in range(3):
            rooms.sounding.clear()
            report = await utterances.submit(
                RoomRequest("lobby", SpeechRequest("r", 20 * f"{TEXT} ", "fake"))
            )
            await rooms.sounding.wait()
            await utterances.stop(report.id)
        registry = server.services.metrics.registry
        assert registry.get_sample_value("tts_phrase_stored_total") == 0
        assert registry.get_sample_value("tts_phrase_entries") == 0


async def test_a_listed_phrase_is_there_the_first_time_also_where_it_is_drawn() -> None:
    async with fake_server(FakeEngine(repeats="never"), rooms=FakeRooms()) as server:
        book = PhraseBook(server.services.phrases, read_list("Hello."))
        book.start()
        await becomes(lambda: book.pinned == 4)
        before = len(server.engine.spoken)
        await said(server, "Hello.")
        assert len(server.engine.spoken) == before
        await book.close()
