"""What was said before is found in turns that are being written; no other text is held up or cut short."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
from tests.fake_server import FakeServer, fake_server
from tests.live_server import becomes
from tests.phrase_chunks import assert_same

from june_tts.engine.fake import FakeEngine
from june_tts.errors import StoreUnavailable, VoiceNotFound
from june_tts.service import live
from june_tts.service.phrase_book import PhraseBook
from june_tts.service.phrase_list import read_list
from june_tts.types import AudioChunk, Flush, Piece, SpeechRequest, Utterance, Voice, Written

pytestmark = pytest.mark.unit

REQUEST = SpeechRequest("turn", "", "fake")
SHORT = "One moment, please."
LONG = "Thanks for calling Acme. How can I help you?"
"""Its first sentence is spoken before the second has ended."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that comes at once comes later where tests share the machine."""
    monkeypatch.setattr(live, "SETTLE_SECONDS", 5.0)


async def written(*parts: Written | float) -> AsyncIterator[Written]:
    """Numbers are pauses, in seconds."""
    for part in parts:
        if isinstance(part, float):
            await asyncio.sleep(part)
        else:
            yield part


async def said(
    server: FakeServer, *parts: Written | float, request: SpeechRequest = REQUEST
) -> list[AudioChunk]:
    async with aclosing(server.services.parts.speak(request, written(*parts))) as chunks:
        return [chunk async for chunk in chunks]


def spoken(server: FakeServer) -> list[str]:
    return [text for _, text in server.engine.spoken]


def seconds(chunks: list[AudioChunk]) -> float:
    return sum(chunk.samples.size / chunk.sample_rate for chunk in chunks)


def count(server: FakeServer, name: str) -> float:
    registry = server.services.metrics.registry
    return registry.get_sample_value(f"tts_phrase_{name}_total", {"level": "memory"}) or 0


@pytest.mark.parametrize(
    "parts",
    [
        (SHORT,),
        (" ", SHORT + " ", Flush()),
        ("One mom", "ent, ple", "ase.", Flush()),
        (SHORT, 0.005, Flush()),
    ],
)
async def test_from_its_third_time_on_it_comes_from_memory_with_its_words(
    parts: tuple[Written | float, ...],
) -> None:
    async with fake_server() as server:
        times = [await said(server, *parts) for _ in range(4)]
        assert spoken(server) == [SHORT] * 2
        assert count(server, "hits") == 2
        assert server.services.recorder.totals.requests == 4
    assert_same(times)


async def test_of_several_sentences_it_is_known_by_its_second_time() -> None:
    async with fake_server() as server:
        assert await said(server, LONG, 0.005, Flush())
        assert spoken(server) == ["Thanks for calling Acme.", "How can I help you?"], "not waited for"
        await said(server, LONG, 0.005, Flush())
        assert count(server, "hits") == 0
        before = len(spoken(server))
        found = await said(server, LONG, 0.005, Flush())
        assert len(spoken(server)) == before
        assert count(server, "hits") == 1
        assert seconds(found) > 2


async def test_it_takes_no_place() -> None:
    async with fake_server(max_streams=1) as server:
        for _ in range(2):
            await said(server, SHORT)
        async with server.services.admission.place("fake", 1):
            assert await said(server, SHORT)


async def test_a_text_that_only_begins_like_one_is_spoken_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with fake_server() as server:
        for _ in range(3):
            await said(server, LONG, Flush())
        before = len(spoken(server))
        # once within the wait for a flush, once after it
        await said(server, LONG, 0.005, " It is a pleasure.", Flush())
        monkeypatch.setattr(live, "SETTLE_SECONDS", 0.01)
        await said(server, LONG, 0.1, " Or what is it?", Flush())
    rest = " ".join(spoken(server)[before:])
    assert rest == f"{LONG} It is a pleasure. {LONG} Or what is it?"


async def test_only_what_is_expected_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SETTLE_SECONDS", 60.0)
    async with fake_server() as server:
        async with aclosing(server.services.parts.speak(REQUEST, written(LONG, 60.0, Flush()))) as chunks:
            async with asyncio.timeout(5):
                await anext(chunks)
        assert spoken(server)[:1] == ["Thanks for calling Acme."]


async def test_after_it_the_turn_goes_on_and_the_times_of_its_words_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "REST_SECONDS", 0.01)
    async with fake_server() as server:
        for _ in range(2):
            await said(server, SHORT)
        alone = seconds(await said(server, SHORT))
        turn = await said(server, SHORT, Flush(), "And now the weather.", Flush(), SHORT, Flush())
        assert spoken(server)[2:] == ["And now the weather.", SHORT]
    words = [word for chunk in turn for word in chunk.words]
    assert "".join(word.text for word in words).startswith("Onemoment,please.Andnow")
    assert [word.start for word in words] == sorted(word.start for word in words)
    assert words[3].start >= alone - 0.01
    assert words[-1].end <= seconds(turn) + 0.01


@pytest.mark.parametrize(
    "parts",
    [
        # its first cut is two pieces
        ("It costs $1,234,567.89, or $7,654,321.98 in all. And so on", " it goes."),
        (
            "One. Two. Three. Four. Five. Six. Seven. Eight. Nine.",
            " Ten. And so on,",
            " for ever and",
            " ever.",
        ),
        (f"{LONG} {LONG}", Flush(), LONG, " ", Flush(), "No."),
    ],
)
async def test_what_was_never_said_before_is_cut_as_it_would_be_without_phrases(
    parts: tuple[Written, ...],
) -> None:
    async with fake_server() as server:
        async with aclosing(server.services.synthesizer.speak(REQUEST, written(*parts))) as chunks:
            assert [chunk async for chunk in chunks]
        without = spoken(server)
    async with fake_server() as server:
        await said(server, *parts)
        assert spoken(server) == without


async def test_what_was_written_after_a_flush_is_another_text() -> None:
    async with fake_server() as server:
        await said(server, LONG, 0.005, Flush(), " It is a pleasure.")
        await said(server, f"{LONG} It is a pleasure.", 0.005, Flush())
        assert server.services.metrics.registry.get_sample_value("tts_phrase_stored_total") == 0


async def test_each_character_is_counted_once() -> None:
    async with fake_server() as server:
        for _ in range(3):
            await said(server, SHORT, Flush(), "And now the weather.", Flush(), SHORT)
        written = 3 * len(f"{SHORT}And now the weather.{SHORT}")
        assert server.services.recorder.totals.characters == written


async def test_what_is_kept_in_the_middle_of_a_turn_is_ahead_of_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "REST_SECONDS", 0.01)
    async with fake_server(FakeEngine(step_seconds=0.001)) as server:
        await said(server, SHORT)
        ranks = []
        turn = written("Hi.", Flush(), 0.5, SHORT, Flush())
        async with aclosing(server.services.parts.speak(REQUEST, turn)) as chunks:
            async for _ in chunks:
                ranks.append(
                    server.services.metrics.registry.get_sample_value("tts_playing", {"priority": "ongoing"})
                )
        assert (ranks[0], ranks[-1]) == (0, 1)
        assert server.services.metrics.registry.get_sample_value("tts_phrase_stored_total") == 1


async def test_it_is_found_after_a_rest_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REST_SECONDS", 0.01)
    async with fake_server() as server:
        for _ in range(2):
            await said(server, SHORT)
        spoken_for = 0.06 * len("Hello.")
        turn = await said(server, "Hello.", Flush(), spoken_for + 0.2, SHORT, Flush())
        assert spoken(server)[2:] == ["Hello."]
    assert seconds(turn) == pytest.approx(0.06 * len("Hello." + SHORT), rel=0.02)


async def test_a_listed_phrase_is_there_the_first_time_also_where_it_is_drawn() -> None:
    async with fake_server(FakeEngine(repeats="never")) as server:
        book = PhraseBook(server.services.phrases, read_list(f"{SHORT}\n{LONG}"))
        book.start()
        await becomes(lambda: book.pinned == 8)
        before = len(spoken(server))
        assert await said(server, SHORT, Flush())
        assert await said(server, LONG, 0.005, Flush())
        assert len(spoken(server)) == before
        await book.close()


async def test_what_would_be_drawn_anew_is_not_kept() -> None:
    async with fake_server(FakeEngine(repeats="never")) as server:
        for parts in [(SHORT,), (LONG, 0.005, Flush())]:
            lengths = []
            for _ in range(4):
                before = len(spoken(server))
                await said(server, *parts)
                lengths.append(len(spoken(server)) - before)
            assert lengths == [lengths[0]] * 4
        assert server.services.metrics.registry.get_sample_value("tts_phrase_stored_total") == 0


async def test_another_speed_is_another_phrase() -> None:
    async with fake_server() as server:
        lengths = [
            seconds(await said(server, SHORT, request=replace(REQUEST, speed=speed)))
            for speed in (1.0, 1.0, 1.0, 2.0, 2.0, 2.0)
        ]
    assert lengths == pytest.approx([lengths[0]] * 3 + [lengths[0] / 2] * 3, rel=0.01)
    assert count(server, "hits") == 2


async def test_a_turn_asks_the_library_for_its_voice_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away does not end a turn that has begun, whatever is kept of it."""
    monkeypatch.setattr(live, "REST_SECONDS", 0.01)
    async with fake_server() as server:
        for _ in range(2):
            await said(server, SHORT)
        library = server.services.library
        resolve, asked = library.resolve, 0

        async def once(voice_id: str | None) -> object:
            nonlocal asked
            asked += 1
            if asked > 1:
                raise StoreUnavailable("the voice library is away")
            return await resolve(voice_id)

        monkeypatch.setattr(library, "resolve", once)
        rest = 0.06 * len(SHORT) + 0.2
        # found, then spoken and remembered, then kept
        turn = await said(server, SHORT, Flush(), rest, "Hi there.", Flush(), rest, "Hi there.", Flush())
    assert seconds(turn) == pytest.approx(0.06 * len(SHORT + 2 * "Hi there."), rel=0.02)


@pytest.mark.parametrize("gone", [True, False])
async def test_nothing_is_kept_of_a_voice_that_was_removed_in_the_middle_of_a_turn(
    monkeypatch: pytest.MonkeyPatch, *, gone: bool
) -> None:
    monkeypatch.setattr(live, "REST_SECONDS", 0.01)
    async with fake_server() as server:
        await said(server, SHORT)

        async def turn() -> AsyncIterator[Written]:
            yield "Hi."
            yield Flush()
            await asyncio.sleep(0.06 * len("Hi.") + 0.2)
            await server.services.phrases.shelf.forget("fake")
            if gone:

                async def resolve(voice_id: str | None) -> Voice:
                    raise VoiceNotFound("no such voice", param="voice")

                monkeypatch.setattr(server.services.library, "resolve", resolve)
            yield SHORT

        async with aclosing(server.services.parts.speak(REQUEST, turn())) as chunks:
            made = seconds([chunk async for chunk in chunks])
        stored = server.services.metrics.registry.get_sample_value("tts_phrase_stored_total")
    assert made == pytest.approx(0.06 * len("Hi." + SHORT), rel=0.02), "the turn goes on"
    assert stored == (0 if gone else 1)


class Silent(FakeEngine):
    """No text makes a sound."""

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        async for piece in pieces:
            self.spoken.append((utterance, piece.text))
        for nothing in list[AudioChunk]():
            yield nothing


async def test_what_makes_no_sound_is_no_error_however_often_it_is_said() -> None:
    async with fake_server(Silent()) as server:
        for _ in range(3):
            assert await said(server, SHORT, Flush(), "And more.", Flush()) == []
    assert server.services.admission.active == 0


async def test_leaving_while_it_is_being_kept_stops_the_work_and_keeps_nothing() -> None:
    async with fake_server(FakeEngine(step_seconds=0.01)) as server:
        await said(server, SHORT)
        for _ in range(2):
            async with aclosing(server.services.parts.speak(REQUEST, written(SHORT, Flush()))) as chunks:
                await anext(chunks)
            assert (server.engine.active, server.services.admission.active) == (0, 0)
        assert server.services.metrics.registry.get_sample_value("tts_phrase_entries") == 0
