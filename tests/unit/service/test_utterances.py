"""Utterances in rooms over fake rooms and a fake engine: order, priority, interruption, one end for each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.fake_rooms import FakeRooms
from tests.fake_server import FakeServer, fake_server

from june_tts.errors import (
    InvalidRequest,
    Overloaded,
    RoomUnavailable,
    UnsupportedParameter,
    UtteranceNotFound,
    VoiceNotFound,
)
from june_tts.service import utterances as module
from june_tts.service.terms import Terms, current_terms, terms
from june_tts.service.utterances import Utterances
from june_tts.types import Line, RoomRequest, Sampling, SpeechRequest

pytestmark = pytest.mark.unit

SLOW = 0.2
"""Seconds that a second of speech takes in these rooms."""


def wanted(text: str, room: str = "lobby", priority: int = 0, *, interrupt: bool = False) -> RoomRequest:
    return RoomRequest(room, SpeechRequest("r", text, "default"), priority, interrupt)


@asynccontextmanager
async def speaking(rooms: FakeRooms, queue: int = 4) -> AsyncIterator[tuple[Utterances, FakeServer]]:
    async with fake_server(rooms=rooms, room_queue=queue) as server:
        assert server.services.utterances
        yield server.services.utterances, server


async def settled(utterances: Utterances, *idents: str) -> list[str]:
    return [(await utterances.ended(ident)).state for ident in idents]


async def test_utterances_of_a_room_play_in_order_and_one_at_a_time() -> None:
    rooms = FakeRooms(0.05)
    async with speaking(rooms) as (utterances, _):
        idents = [(await utterances.submit(wanted(f"Number {n}."))).id for n in range(4)]
        assert [utterances.report(ident).state for ident in idents] == ["queued"] * 4
        await asyncio.sleep(0.01)
        assert [utterances.report(ident).state for ident in idents] == ["speaking", *["queued"] * 3]
        assert (utterances.speaking, utterances.waiting) == (1, 3)
        assert await settled(utterances, *idents) == ["done"] * 4
    assert [one.line.text for one in rooms.played] == [f"Number {n}." for n in range(4)]
    assert all(one.seconds > 0.3 for one in rooms.played)


async def test_rooms_do_not_wait_for_each_other() -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms) as (utterances, _):
        idents = [(await utterances.submit(wanted("Hello there.", room))).id for room in ("a", "b", "c")]
        await asyncio.sleep(0.01)
        assert utterances.speaking == 3
        assert await settled(utterances, *idents) == ["done"] * 3


async def test_the_highest_priority_is_spoken_next_and_interrupts_nothing() -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms, queue=5) as (utterances, _):
        order = [("first", 0), ("low", 0), ("high", 5), ("higher", 7), ("high too", 5)]
        idents = [(await utterances.submit(wanted(text, priority=p))).id for text, p in order]
        assert await settled(utterances, *idents) == ["done"] * 5
    # none of them had begun when the last one came
    assert [one.line.text for one in rooms.played] == ["higher", "high", "high too", "first", "low"]


async def test_an_interruption_ends_what_plays_and_what_waits_unless_its_priority_is_higher() -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms) as (utterances, _):
        playing, waiting, urgent = [
            (await utterances.submit(wanted(text, priority=p))).id
            for text, p in (("A long answer that is under way. " * 3, 3), ("More of it.", 0), ("Fire!", 3))
        ]
        await rooms.sounding.wait()
        over = await utterances.submit(wanted("What was that?", priority=2, interrupt=True))
        assert await settled(utterances, playing, urgent, over.id) == ["done"] * 3
        assert utterances.report(waiting).state == "stopped"
    assert [one.line.text[:4] for one in rooms.played] == ["A lo", "Fire", "What"]


async def test_an_interruption_tells_how_much_was_heard_and_frees_the_engine() -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms) as (utterances, server):
        playing = await utterances.submit(wanted("A long answer that is under way. " * 5))
        await rooms.sounding.wait()
        over = await utterances.submit(wanted("Yes?", interrupt=True))
        cut = await utterances.ended(playing.id)
        assert server.engine.active <= 1
        assert (await utterances.ended(over.id)).state == "done"
        assert server.services.admission.active == 0
    assert cut.state == "stopped" and 0 < cut.heard_seconds < 2
    assert rooms.played[0].cut and cut.heard_seconds == rooms.played[0].seconds


async def test_stopping_a_room_ends_everything_there_and_nothing_elsewhere() -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms) as (utterances, _):
        here = [(await utterances.submit(wanted("A long answer. " * 5))).id for _ in range(3)]
        there = (await utterances.submit(wanted("Elsewhere.", "garden"))).id
        await rooms.sounding.wait()
        stopped = await utterances.stop_room("lobby")
        assert [report.id for report in stopped] == here
        assert {report.state for report in stopped} == {"stopped"}
        assert await settled(utterances, there) == ["done"]
        assert await utterances.stop_room("nowhere") == []


async def test_stopping_one_lets_the_next_one_speak() -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms) as (utterances, _):
        first, second, third = [
            (await utterances.submit(wanted(f"{n}. A long answer. " * 3))).id for n in range(3)
        ]
        await rooms.sounding.wait()
        assert (await utterances.stop(second)).state == "stopped"
        assert (await utterances.stop(first)).state == "stopped"
        assert (await utterances.stop(first)).state == "stopped"
        assert await settled(utterances, third) == ["done"]
    assert len(rooms.played) == 2


async def test_one_that_ended_stays_as_it_ended() -> None:
    async with speaking(FakeRooms()) as (utterances, _):
        ident = (await utterances.submit(wanted("Hello."))).id
        before = await utterances.ended(ident)
        after = await utterances.stop(ident)
    assert before.state == after.state == "done"
    assert before.total_seconds == after.total_seconds


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"voice_id": "nobody"}, VoiceNotFound),
        ({"sampling": Sampling(top_p=0.5)}, UnsupportedParameter),
        ({"text": "…"}, InvalidRequest),
        ({"speed": 9.0}, InvalidRequest),
        ({"language": "fr"}, InvalidRequest),
    ],
)
async def test_what_cannot_be_spoken_is_refused_before_anything_is_interrupted(
    change: dict[str, Any], error: type[Exception]
) -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms) as (utterances, _):
        playing = (await utterances.submit(wanted("A long answer that is under way."))).id
        await asyncio.sleep(0.01)
        bad = wanted("Hello.", interrupt=True)
        with pytest.raises(error):
            await utterances.submit(replace(bad, speech=replace(bad.speech, **change)))
        assert await settled(utterances, playing) == ["done"]
    assert len(rooms.played) == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 257, "two\nlines", "\ud800", "nul\0"])
async def test_a_room_has_a_printable_name(name: str) -> None:
    async with speaking(FakeRooms()) as (utterances, _):
        with pytest.raises(InvalidRequest) as refused:
            await utterances.submit(wanted("Hello.", name))
    assert refused.value.param == "room_name"
    str(refused.value).encode()


async def test_a_full_queue_refuses_one_more_unless_it_makes_room() -> None:
    async with speaking(FakeRooms(SLOW), queue=2) as (utterances, _):
        await utterances.submit(wanted("A long answer that is under way."))
        await asyncio.sleep(0.01)
        for _ in range(2):
            await utterances.submit(wanted("Waiting."))
        with pytest.raises(Overloaded) as refused:
            await utterances.submit(wanted("One too many."))
        assert refused.value.retry_after
        await utterances.submit(wanted("Elsewhere.", "garden"))
        await utterances.submit(wanted("Enough!", interrupt=True))


async def test_a_room_that_cannot_be_joined_fails_the_utterance_and_not_the_one_after_it() -> None:
    rooms = FakeRooms(error=RoomUnavailable("LiveKit cannot be reached"))
    async with speaking(rooms) as (utterances, _):
        failed = await utterances.ended((await utterances.submit(wanted("Hello."))).id)
        rooms.error = None
        assert await settled(utterances, (await utterances.submit(wanted("Hello."))).id) == ["done"]
    assert failed.state == "failed" and failed.error and failed.error.code == "room_unavailable"


async def test_a_fault_of_ours_ends_the_utterance_and_tells_nobody_its_words() -> None:
    async with speaking(FakeRooms(error=ValueError("a secret"))) as (utterances, _):
        failed = await utterances.ended((await utterances.submit(wanted("Hello."))).id)
    assert failed.error and failed.error.code == "internal"
    assert "secret" not in str(failed.error)


async def test_who_gives_up_waiting_ends_nothing() -> None:
    async with speaking(FakeRooms(SLOW)) as (utterances, _):
        ident = (await utterances.submit(wanted("Hello there."))).id
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(utterances.ended(ident), 0.02)
        assert await settled(utterances, ident) == ["done"]


async def test_what_ended_is_known_for_a_while_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    async with speaking(FakeRooms()) as (utterances, _):
        idents = [(await utterances.submit(wanted("Hello."))).id for _ in range(3)]
        await utterances.ended(idents[-1])
        assert utterances.report(idents[1]).state == "done"
        with pytest.raises(UtteranceNotFound):
            utterances.report(idents[0])
        monkeypatch.setattr(module, "KEPT_SECONDS", 0.0)
        with pytest.raises(UtteranceNotFound):
            utterances.report(idents[2])


async def test_closing_lets_what_plays_finish_and_ends_what_waits() -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms) as (utterances, _):
        playing, waiting = [(await utterances.submit(wanted("Hello there."))).id for _ in range(2)]
        await asyncio.sleep(0.01)
        await utterances.close(5)
        assert utterances.report(playing).state == "done"
        ended = utterances.report(waiting)
        assert ended.state == "failed" and ended.error and ended.error.code == "overloaded"


async def test_closing_fails_what_does_not_finish_in_time() -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms) as (utterances, _):
        playing = (await utterances.submit(wanted("A long answer. " * 20))).id
        await asyncio.sleep(0.01)
        await utterances.close(0.05)
        ended = utterances.report(playing)
        assert ended.state == "failed" and ended.error and ended.error.code == "overloaded"


async def test_a_stopping_server_takes_no_more() -> None:
    async with speaking(FakeRooms()) as (utterances, server):
        server.services.admission.draining = True
        with pytest.raises(Overloaded):
            await utterances.submit(wanted("Hello."))


async def test_every_end_is_counted_and_what_was_heard() -> None:
    rooms = FakeRooms(SLOW)
    async with speaking(rooms) as (utterances, server):
        done = await utterances.ended((await utterances.submit(wanted("Hello."))).id)
        rooms.sounding.clear()
        playing = (await utterances.submit(wanted("A long answer. " * 5))).id
        await utterances.submit(wanted("Waiting."))
        await rooms.sounding.wait()
        waiting = server.services.metrics.expose().decode()
        await utterances.stop_room("lobby")
        rooms.error = RoomUnavailable("away")
        await utterances.ended((await utterances.submit(wanted("Hello."))).id)
        counts = server.services.metrics.expose().decode()
        heard = done.heard_seconds + utterances.report(playing).heard_seconds
    assert "tts_room_waiting 1.0" in waiting
    for line in ('{state="done"} 1.0', '{state="stopped"} 2.0', '{state="failed"} 1.0'):
        assert f"tts_room_utterances_total{line}" in counts
    told = next(line for line in counts.splitlines() if line.startswith("tts_room_heard_seconds_total"))
    assert float(told.split()[1]) == pytest.approx(heard)


class SlowEnds(FakeRooms):
    """What is in LiveKit's queue at the end takes its time to play."""

    def __init__(self) -> None:
        super().__init__()
        self.ending = asyncio.Event()
        self.ended = asyncio.Event()

    async def play(self, room: str, line: Line, chunks: Any, heard: Any) -> None:
        await super().play(room, line, chunks, heard)
        self.ending.set()
        await self.ended.wait()


@asynccontextmanager
async def one_ending(rooms: SlowEnds) -> AsyncIterator[tuple[Utterances, FakeServer, list[str]]]:
    """The first of two utterances has been made whole and still sounds."""
    async with speaking(rooms) as (utterances, server):
        idents = [(await utterances.submit(wanted(text))).id for text in ("One.", "Two.")]
        await rooms.ending.wait()
        await asyncio.sleep(0.05)
        yield utterances, server, idents
        rooms.ended.set()


async def test_the_next_one_is_begun_while_the_end_of_the_one_before_still_sounds() -> None:
    rooms = SlowEnds()
    async with one_ending(rooms) as (utterances, server, idents):
        assert [utterances.report(ident).state for ident in idents] == ["speaking", "queued"]
        assert [line.text for line in (one.line for one in rooms.played)] == ["One."]
        assert server.engine.active == 1
        rooms.ended.set()
        assert await settled(utterances, *idents) == ["done"] * 2
    assert [(one.line.text, one.seconds > 0.2) for one in rooms.played] == [("One.", True), ("Two.", True)]
    assert server.engine.active == 0


async def test_one_that_was_begun_and_is_stopped_before_its_turn_costs_nothing_any_more() -> None:
    rooms = SlowEnds()
    async with one_ending(rooms) as (utterances, server, idents):
        assert server.engine.active == 1
        await utterances.stop(idents[1])
        await asyncio.sleep(0.05)
        assert server.engine.active == 0
        rooms.ended.set()
        assert await settled(utterances, *idents) == ["done", "stopped"]


async def test_one_that_was_begun_waits_for_one_that_is_more_urgent() -> None:
    rooms = SlowEnds()
    async with one_ending(rooms) as (utterances, server, idents):
        urgent = (await utterances.submit(wanted("Fire!", priority=9))).id
        rooms.ended.set()
        assert await settled(utterances, *idents, urgent) == ["done"] * 3
    assert [one.line.text for one in rooms.played] == ["One.", "Fire!", "Two."]
    assert all(one.seconds > 0.2 for one in rooms.played)


async def test_a_server_that_stops_drops_what_was_begun_and_never_played() -> None:
    rooms = SlowEnds()
    async with one_ending(rooms) as (utterances, server, idents):
        rooms.ended.set()
        await utterances.close(1.0)
        assert [utterances.report(ident).state for ident in idents] == ["done", "failed"]
        assert server.engine.active == 0


async def test_an_utterance_would_rather_wait_for_the_engine_than_be_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms = FakeRooms(0.05)
    async with speaking(rooms) as (utterances, server):
        asked: list[Terms] = []
        place = server.services.admission.place

        def watched(*given: Any, **more: Any) -> Any:
            asked.append(current_terms())
            return place(*given, **more)

        monkeypatch.setattr(server.services.admission, "place", watched)
        with terms(Terms("a key", "batch")):
            report = await utterances.submit(wanted("Hello there."))
        assert await settled(utterances, report.id) == ["done"]
    assert asked == [Terms("a key", "batch", patient=True)]
