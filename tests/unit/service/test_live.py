"""Text that is still being written, spoken as one turn: pieces, passages, places, and what is refused."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing

import numpy as np
import pytest
from tests.fake_server import MAX_CHARS, FakeServer, fake_server

from june_tts.engine.fake import SAMPLE_RATE, FakeEngine
from june_tts.errors import Overloaded, TextTooLong, UnsupportedParameter, VoiceNotFound
from june_tts.service import live
from june_tts.service.live import Hearing
from june_tts.types import AudioChunk, Flush, Piece, Sampling, SpeechRequest, Utterance, WordTime, Written

pytestmark = pytest.mark.unit

REQUEST = SpeechRequest("turn", "", "fake")
TENTH = np.zeros(SAMPLE_RATE // 10, np.float32)


class Writer:
    """Writes when it is told to; knows how much of it was read."""

    def __init__(self, *written: Written) -> None:
        self._queue: asyncio.Queue[Written | None] = asyncio.Queue()
        self.read = 0
        for one in written:
            self.write(one)

    def write(self, written: Written | None) -> None:
        """None: nothing more comes."""
        self._queue.put_nowait(written)

    async def __aiter__(self) -> AsyncIterator[Written]:
        while (written := await self._queue.get()) is not None:
            self.read += 1
            yield written


def finished(*written: Written) -> Writer:
    writer = Writer(*written)
    writer.write(None)
    return writer


def spoken(server: FakeServer) -> list[str]:
    return [text for _, text in server.engine.spoken]


async def speak(server: FakeServer, writer: Writer, request: SpeechRequest = REQUEST) -> float:
    """The seconds of audio of a turn."""
    made = 0
    async with aclosing(server.services.synthesizer.speak(request, writer)) as chunks:
        async for chunk in chunks:
            made += chunk.samples.size
    return made / SAMPLE_RATE


async def until(what: Sequence[str], server: FakeServer) -> None:
    async with asyncio.timeout(5):
        while True:
            if spoken(server) == what:
                return
            await asyncio.sleep(0.005)


async def test_a_turn_is_spoken_as_it_is_written() -> None:
    async with fake_server() as server:
        writer = Writer("If you look clo", "sely at it, ")
        async with asyncio.TaskGroup() as tasks:
            turn = tasks.create_task(speak(server, writer))
            await asyncio.sleep(0.02)
            assert spoken(server) == []
            writer.write("you will see.")
            await until(["If you look closely at it,"], server)
            writer.write(None)
        assert spoken(server)[1:] == ["you will see."]
        assert turn.result() > 2


async def test_nothing_is_read_that_nobody_has_asked_for() -> None:
    sentences = [f"This is the sentence number {number} of many. " for number in range(100)]
    async with fake_server() as server:
        writer = finished(*sentences)
        async with aclosing(server.services.synthesizer.speak(REQUEST, writer)) as chunks:
            await anext(chunks)
            assert writer.read < 5


async def test_a_flush_speaks_what_is_there() -> None:
    async with fake_server() as server:
        await speak(server, finished("Half a", Flush(), " sentence"))
    assert spoken(server) == ["Half a.", "sentence."]


@pytest.mark.parametrize("written", [(), ("",), (" ", "\n"), (Flush(),), ("\U0001f600", Flush(), "...")])
async def test_words_without_a_sound_are_no_error_and_take_no_place(written: tuple[Written, ...]) -> None:
    async with fake_server(max_streams=1) as server:
        async with server.services.admission.place("fake", 1):
            assert await speak(server, finished(*written)) == 0
        assert server.services.recorder.totals.requests == 0


async def test_a_turn_that_rests_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REST_SECONDS", 0.01)
    async with fake_server(max_streams=1) as server, asyncio.TaskGroup() as tasks:
        writer = Writer("Hi.", Flush())
        tasks.create_task(speak(server, writer))
        await until(["Hi."], server)
        async with asyncio.timeout(5):
            while True:
                if not server.services.admission.active:
                    break
                await asyncio.sleep(0.005)
        writer.write("If you look closely at it, you will see.")
        writer.write(None)
    assert spoken(server)[1:] == ["If you look closely at it,", "you will see."]
    assert server.services.recorder.totals.requests == 2


async def test_what_was_not_flushed_is_waited_for_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REST_SECONDS", 0.01)
    async with fake_server() as server, asyncio.TaskGroup() as tasks:
        writer = Writer("If you look closely at it, you")
        tasks.create_task(speak(server, writer))
        await until(["If you look closely at it,"], server)
        await asyncio.sleep(0.1)
        assert server.services.admission.active == 1
        writer.write(None)


async def test_a_passage_that_finds_no_place_is_refused() -> None:
    async with fake_server(max_streams=1) as server:
        async with server.services.admission.place("fake", 1):
            with pytest.raises(Overloaded):
                await speak(server, finished("Hello there."))
        assert server.services.recorder.totals.refused == 1


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (SpeechRequest("turn", "", "nobody"), VoiceNotFound),
        (SpeechRequest("turn", "", "fake", sampling=Sampling(top_p=0.5)), UnsupportedParameter),
    ],
)
async def test_a_bad_request_is_refused_before_a_word_is_read(
    request_: SpeechRequest, error: type[Exception]
) -> None:
    async with fake_server() as server:
        writer = finished("Hello there.")
        with pytest.raises(error):
            await speak(server, writer, request_)
        assert writer.read == 0


async def test_a_turn_may_not_become_longer_than_a_text() -> None:
    async with fake_server() as server:
        with pytest.raises(TextTooLong):
            await speak(server, finished(*["Ten letter" for _ in range(MAX_CHARS // 10 + 1)]))
        assert server.services.admission.active == 0


async def test_closing_it_stops_the_work_and_leaves_the_writer_alone() -> None:
    async with fake_server() as server:
        writer = Writer("If you look closely at it, you")
        chunks = server.services.synthesizer.speak(REQUEST, writer)
        await anext(chunks)
        await chunks.aclose()
        assert (server.engine.active, server.services.admission.active) == (0, 0)
        assert server.services.recorder.totals.cancelled == 1


async def test_a_writer_that_fails_ends_the_turn() -> None:
    async def writer() -> AsyncGenerator[Written, None]:
        yield "If you look closely at it, you"
        raise ValueError("the writer broke")

    async with fake_server() as server:
        with pytest.raises(ValueError, match="broke"):
            async for _ in server.services.synthesizer.speak(REQUEST, writer()):
                pass


class TimedEngine(FakeEngine):
    """Says of each piece that it was one word."""

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        async for piece in pieces:
            yield AudioChunk(TENTH, SAMPLE_RATE, (WordTime(piece.text, 0.0, 0.1),))


async def test_times_of_words_go_on_after_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REST_SECONDS", 0.01)
    async with fake_server(TimedEngine()) as server:
        writer = Writer("One.", Flush())
        found: list[WordTime] = []
        async for chunk in server.services.synthesizer.speak(REQUEST, writer):
            found += chunk.words
            if len(found) == 1:
                asyncio.get_running_loop().call_later(0.3, writer.write, "Two.")
                asyncio.get_running_loop().call_later(0.3, writer.write, None)
        assert [(word.text, round(word.start, 2)) for word in found] == [("One.", 0.0), ("Two.", 0.1)]


def test_what_is_left_to_be_heard_runs_out_with_the_clock() -> None:
    now = 100.0
    hearing = Hearing(lambda: now)
    chunk = AudioChunk(TENTH, SAMPLE_RATE)
    hearing.add(chunk)
    hearing.add(chunk)
    assert hearing.left == pytest.approx(0.2)
    now = 200.0
    assert hearing.left == 0
    hearing.add(chunk)
    assert hearing.left == pytest.approx(0.1)
    assert hearing.made == pytest.approx(0.3)
