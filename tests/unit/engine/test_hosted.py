"""Engines of another process, over a real socket: what goes through is what would have been said at home."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest
from tests.hosts import CALLER, SOON, TEXTS, pair, pieces, spoken, utterance
from tests.waiting import becomes

from june_tts.bootstrap.hosted_admission import admit_at
from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.engine.fake import FakeCodec, FakeEngine
from june_tts.engine.host_frames import packed
from june_tts.engine.host_messages import AllWritten, Spans, Speak, Written
from june_tts.engine.hosting import EngineHost
from june_tts.errors import EngineFailed, TextTooLong, UnsupportedParameter
from june_tts.fish.wire import Frame, Unpacker, pack
from june_tts.ports import SpeaksInCodes, Supervised, TellsProgress
from june_tts.telemetry.noted import MOST_NOTED, Noted, Notes
from june_tts.telemetry.tracing import Span, Unrecorded, as_current, current
from june_tts.types import (
    AudioChunk,
    EngineCounts,
    EngineHealth,
    InlineReference,
    Piece,
    Utterance,
)

pytestmark = pytest.mark.unit


async def test_what_is_heard_is_what_the_engine_says_with_its_words_times() -> None:
    async with pair() as two:
        said = utterance(two.engine, speed=1.5)
        home = await spoken(two.engine, said, pieces(*TEXTS))
        away = await spoken(two.hosted, said, pieces(*TEXTS))
        assert [chunk.words for chunk in away] == [chunk.words for chunk in home]
        assert any(chunk.words for chunk in away)
        assert all(np.array_equal(a.samples, b.samples) for a, b in zip(away, home, strict=True))
        assert {chunk.sample_rate for chunk in away} == {24_000}
        assert two.engine.spoken[2:] == two.engine.spoken[:2]
        assert two.hosted.capabilities() == two.engine.capabilities()
        assert two.hosted.voices() == two.engine.voices()


async def test_recordings_to_speak_like_arrive_whole() -> None:
    async with pair() as two:
        given = (
            InlineReference(b"\x00\xffone", "first"),
            InlineReference(b"", ""),
            InlineReference(b"3", "ß"),
        )
        await spoken(two.hosted, utterance(two.engine, references=given), pieces("Yes."))
        assert two.engine.spoken[0][0].references == given


async def test_text_is_read_no_further_than_without_a_host() -> None:
    read: list[str] = []

    async def endless() -> AsyncGenerator[Piece, None]:
        while True:
            read.append("x")
            yield Piece("Ten chars.")

    async with pair() as two:
        async with aclosing(two.hosted.synthesize(utterance(two.engine), endless())) as chunks:
            for _ in range(20):
                await anext(chunks)
            # nobody takes anything any more: the host sends two chunks on credit, and reads text for these
            await asyncio.sleep(0.05)
            before = len(two.engine.spoken)
            await asyncio.sleep(0.05)
            assert len(two.engine.spoken) == before and len(read) <= before + 1


class Traced(FakeEngine):
    """Its work is a span that never ends by itself, within one of two."""

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        current().set(told="of all")
        outer = current().child("outer", at=1.0, kind="client", number=3)
        outer.child("inner", at=2.0).end(at=3.0)
        outer.event("heard", at=2.5)
        async for chunk in super().synthesize(utterance, pieces):
            yield chunk
        outer.fail("odd")
        outer.end(at=4.0)


@pytest.mark.parametrize("cut_off", [False, True])
async def test_spans_of_the_host_are_recorded_in_the_worker(cut_off: bool) -> None:
    mine = Notes(CALLER)
    async with pair(Traced(step_seconds=0.001)) as two:
        said = two.hosted.synthesize(utterance(two.engine), pieces("a" * 500))
        with as_current(mine.span):
            async with aclosing(said) as chunks:
                async for _ in chunks:
                    if cut_off:
                        break
        await becomes(lambda: len(mine.all()) == 3)
        await becomes(lambda: two.engine.active == 0)
    root, outer, inner = mine.all()
    assert root.attributes == {"told": "of all"}
    assert (outer.name, outer.parent, outer.kind, outer.began) == ("outer", 0, "client", 1.0)
    assert (outer.attributes, outer.events) == ({"number": 3}, (("heard", 2.5),))
    assert (inner.name, inner.parent, inner.began, inner.ended) == ("inner", 1, 2.0, 3.0)
    # cut off, it had no end of its own
    assert (outer.failed, outer.ended == 4.0) == (("", False) if cut_off else ("odd", True))


async def test_calls_that_the_host_never_tells_of_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("june_tts.engine.host_link.MOST_RECORDED", 3)
    async with pair() as two:
        for _ in range(10):
            call = await two.link.begin(lambda id: Speak(id, "fake", utterance(two.engine), (), CALLER, True))
            two.link.record(call, Notes(CALLER).span)
            two.link.finish(call)  # in the same breath: its task is cancelled before it begins
        assert len(two.link._spans) == 3


async def test_nothing_is_noted_where_nobody_records_it() -> None:
    seen: list[Span] = []

    class Looks(FakeEngine):
        async def synthesize(
            self, utterance: Utterance, pieces: AsyncIterable[Piece]
        ) -> AsyncGenerator[AudioChunk, None]:
            seen.append(current())
            async for chunk in super().synthesize(utterance, pieces):
                yield chunk

    async with pair(Looks()) as two:
        with as_current(Unrecorded(CALLER)):
            await spoken(two.hosted, utterance(two.engine), pieces("Yes."))
        await spoken(two.hosted, utterance(two.engine), pieces("Yes."))
    assert [(span.recording, span.context) for span in seen] == [(False, CALLER), (False, None)]


def test_more_spans_than_there_may_be_are_left_out() -> None:
    notes = Notes(CALLER)
    for _ in range(2 * MOST_NOTED):
        notes.span.child("a name of a usual length", kind="client", positions=12345, stop="limit").end()
    assert len(notes.all()) == MOST_NOTED
    assert packed(Spans(1, notes.all()))


def test_spans_that_are_no_tree_are_no_message() -> None:
    one = Noted("one", 1, 0.0, 0.0)
    with pytest.raises(ValueError, match="within"):
        Spans(1, (one, one))


async def test_an_engine_that_knows_of_its_progress_says_so_through_the_host() -> None:
    class Tells(FakeEngine):
        idle_since: float | None = None

    async with pair(Tells()) as two:
        hosted: object = two.hosted
        assert isinstance(hosted, TellsProgress) and hosted.idle_since is None
        two.engine.idle_since = 7.0  # type: ignore[attr-defined]  # of the class above
        await becomes(lambda: hosted.idle_since == 7.0)
    async with pair() as two:
        assert not isinstance(two.hosted, TellsProgress)


async def test_a_host_that_says_nothing_any_more_makes_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tells(FakeEngine):
        idle_since: float | None = None

    monkeypatch.setattr("june_tts.engine.host_link.SILENT_SECONDS", 1.5)
    async with pair(Tells()) as two:
        hosted: object = two.hosted
        assert isinstance(hosted, TellsProgress)
        heard = two.link.heard
        await becomes(lambda: two.link.heard > heard)
        assert hosted.idle_since is None
        monkeypatch.setattr("june_tts.engine.host_session.Session.send", lambda *_: None)
        await becomes(lambda: hosted.idle_since is not None)
        assert hosted.idle_since == two.link.heard


async def test_closing_ends_the_work_in_the_host() -> None:
    async with pair(FakeEngine(step_seconds=0.001)) as two:
        async with aclosing(two.hosted.synthesize(utterance(two.engine), pieces("a" * 5000))) as chunks:
            await anext(chunks)
            assert two.engine.active == 1
        await becomes(lambda: two.engine.active == 0)
        await becomes(lambda: two.hosted.active == 0)


async def test_words_still_being_written_are_spoken_as_they_come() -> None:
    said: asyncio.Queue[Piece] = asyncio.Queue()

    async def written() -> AsyncGenerator[Piece, None]:
        while True:
            yield await said.get()

    async with pair() as two, aclosing(two.hosted.synthesize(utterance(two.engine), written())) as chunks:
        for text in ("a", "b", "c"):
            said.put_nowait(Piece(text))
            assert (await asyncio.wait_for(anext(chunks), 5)).samples.size == 1440


async def test_an_error_of_the_engine_keeps_its_class_and_fields() -> None:
    class Refusing(FakeEngine):
        async def synthesize(
            self, utterance: Utterance, pieces: AsyncIterable[Piece]
        ) -> AsyncGenerator[AudioChunk, None]:
            raise UnsupportedParameter("no tempo here", param="speed", retry_after=3.0)
            yield

    async with pair(Refusing()) as two:
        with pytest.raises(UnsupportedParameter, match="no tempo here") as refused:
            await spoken(two.hosted, utterance(two.engine), pieces("Yes."))
        assert (refused.value.param, refused.value.retry_after) == ("speed", 3.0)
    async with pair(FakeEngine(fail_at=2)) as two:
        with pytest.raises(EngineFailed, match="told to fail"):
            await spoken(two.hosted, utterance(two.engine), pieces("A longer text."))


async def test_what_the_writer_of_the_text_raises_comes_back_as_it_was_after_what_was_spoken() -> None:
    mine = TextTooLong("mine")

    async def failing() -> AsyncGenerator[Piece, None]:
        yield Piece("Yes.")
        raise mine

    async with pair() as two:
        heard = []
        with pytest.raises(TextTooLong) as raised:
            async with aclosing(two.hosted.synthesize(utterance(two.engine), failing())) as chunks:
                async for chunk in chunks:
                    heard.append(chunk)
        assert raised.value is mine and len(heard) == 3


async def test_a_host_that_ends_fails_its_streams_and_the_next_request_finds_the_new_one() -> None:
    async with pair(FakeEngine(step_seconds=0.01)) as two:
        async with aclosing(two.hosted.synthesize(utterance(two.engine), pieces("a" * 500))) as chunks:
            await anext(chunks)
            await two.host.close()
            os.unlink(two.path)
            with pytest.raises(EngineFailed, match="its process ended"):
                async for _ in chunks:
                    pass
        assert two.hosted.health.status == "restarting"
        asking = asyncio.create_task(spoken(two.hosted, utterance(two.engine), pieces("Back again.")))
        again = EngineHost([two.engine], admit_at(two.admission), MemoryLedger())
        await again.start(two.path)
        assert await asyncio.wait_for(asking, 5)
        assert (two.hosted.health.status, two.hosted.health.restarts) == ("ready", 1)
        await again.close()


async def test_a_host_that_stays_away_is_an_error_that_can_be_tried_again() -> None:
    async with pair(patience=replace(SOON, wait=0.05)) as two:
        await two.host.close()
        await becomes(lambda: not two.link.connected)
        with pytest.raises(EngineFailed, match="started again") as away:
            await spoken(two.hosted, utterance(two.engine), pieces("Yes."))
        assert away.value.retryable and away.value.retry_after


async def test_a_worker_that_ends_leaves_no_stream_behind() -> None:
    async with pair(FakeEngine(step_seconds=0.01)) as two:
        chunks = two.hosted.synthesize(utterance(two.engine), pieces("a" * 500))
        await anext(chunks)
        await two.link.close()
        await becomes(lambda: two.engine.active == 0)
        with pytest.raises(EngineFailed):
            async for _ in chunks:
                pass


async def test_a_message_that_cannot_be_read_ends_its_own_stream_alone() -> None:
    async with pair(FakeEngine(step_seconds=0.001)) as two:
        reader, writer = await asyncio.open_unix_connection(two.path)
        for number in (1, 2):
            writer.write(packed(Speak(number, "fake", utterance(two.engine)), np.zeros(0, np.uint8)))
        writer.write(pack(Frame("Written", {"id": 1, "piece": "no piece"})))
        writer.write(packed(Written(2, Piece("Y"))) + packed(AllWritten(2)))
        unpacker = Unpacker()
        ends: dict[int, str] = {}
        while len(ends) < 2:
            for frame in unpacker.feed(await asyncio.wait_for(reader.read(65_536), 5)):
                if frame.kind in ("Done", "Failed"):
                    ends[frame.fields["id"]] = frame.kind
        assert ends == {1: "Failed", 2: "Done"}
        writer.close()
        await writer.wait_closed()


async def test_engines_that_speak_in_codes_do_so_through_the_host() -> None:
    class Coded(FakeEngine):
        codec = FakeCodec()

    async with pair(Coded()) as two:
        assert isinstance(two.hosted, SpeaksInCodes) and isinstance(two.hosted, Supervised)
        samples = np.linspace(-1, 1, 5000, dtype=np.float32)
        codes = await two.hosted.codec.encode(samples)
        assert np.array_equal(codes, await FakeCodec().encode(samples))
        assert np.array_equal(await two.hosted.codec.decode(codes), await FakeCodec().decode(codes))
    async with pair() as two:
        assert not isinstance(two.hosted, SpeaksInCodes)


async def test_health_and_counts_of_the_engines_own_process_are_told() -> None:
    class Beside(FakeEngine):
        health = EngineHealth("ready", 5.0, 2, "cuda")
        counts = EngineCounts(frames=7)

    async with pair(Beside()) as two:
        assert (two.hosted.health.device, two.hosted.counts.frames) == ("cuda", 7)
        Beside.counts = EngineCounts(frames=8)
        await becomes(lambda: two.hosted.counts.frames == 8)
