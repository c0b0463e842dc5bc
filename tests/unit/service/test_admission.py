"""Waiting for a place, on a real event loop: woken, refused, cancelled, never forgotten."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from tests.fake_server import fake_server
from tests.live_server import becomes

from june_tts.engine.fake import FakeEngine
from june_tts.errors import DeadlineMissed, JuneError, Overloaded
from june_tts.service import admission as waiting
from june_tts.service.admission import Admission, AdmissionRules
from june_tts.service.admission_stream import LOST_SECONDS
from june_tts.service.terms import Priority, Terms, current_terms, terms
from june_tts.telemetry.metrics import Metrics
from june_tts.types import Flush, SpeechRequest, Written

pytestmark = pytest.mark.unit

LONG = {"interactive": 30.0, "normal": 30.0, "batch": 30.0}


class Entrance:
    def __init__(
        self,
        streams: int = 1,
        queue: int = 100,
        wait: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.metrics = Metrics()
        self.codes: list[str] = []
        waits: dict[Priority, float] = {"interactive": wait, "normal": wait, "batch": wait}
        rules = AdmissionRules(streams, queue, waits)
        self.admission = Admission(rules, self.metrics.admission, self.codes.append, clock)
        self.order: list[str] = []

    async def visit(self, name: str, given: Terms | None = None) -> None:
        with terms(given or Terms()):
            async with self.admission.place("joe", 100):
                self.order.append(name)

    def shown(self, line: str) -> bool:
        return line in self.metrics.expose().decode().splitlines()


@asynccontextmanager
async def full(entrance: Entrance) -> AsyncIterator[asyncio.TaskGroup]:
    """With every place taken until the block ends."""
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as held:
        for _ in range(entrance.admission._gate._rules.streams):
            await held.enter_async_context(entrance.admission.place("joe", 1))
        yield tasks
        await asyncio.sleep(0)  # what the block started has come to the queue


async def test_who_waits_is_woken_in_the_order_of_the_classes() -> None:
    entrance = Entrance()
    async with full(entrance) as tasks:
        tasks.create_task(entrance.visit("batch", Terms(priority="batch")))
        tasks.create_task(entrance.visit("normal", Terms(priority="normal")))
        tasks.create_task(entrance.visit("interactive"))
    assert entrance.order == ["interactive", "normal", "batch"]
    assert entrance.admission.active == entrance.admission.waiting == 0


async def test_one_callers_many_do_not_delay_anothers_one() -> None:
    entrance = Entrance()
    async with full(entrance) as tasks:
        for number in range(50):
            tasks.create_task(entrance.visit(f"many {number}", Terms("many")))
        tasks.create_task(entrance.visit("one", Terms("one")))
    assert entrance.order.index("one") <= 2 and len(entrance.order) == 51


async def test_who_is_cancelled_leaves_the_queue_at_once() -> None:
    entrance = Entrance()
    async with full(entrance) as tasks:
        gone = tasks.create_task(entrance.visit("gone"))
        tasks.create_task(entrance.visit("stays"))
        await asyncio.sleep(0)
        assert entrance.admission.waiting == 2
        gone.cancel()
        await asyncio.wait({gone})
        assert entrance.admission.waiting == 1
    assert entrance.order == ["stays"]


async def test_a_place_given_to_one_who_is_cancelled_in_the_same_moment_goes_to_the_next() -> None:
    entrance = Entrance()
    async with asyncio.TaskGroup() as tasks:
        async with entrance.admission.place("joe", 1):
            gone = tasks.create_task(entrance.visit("gone"))
            tasks.create_task(entrance.visit("next"))
            await asyncio.sleep(0)
        # its turn has come, and it has not run yet
        gone.cancel()
    assert entrance.order == ["next"] and entrance.admission.active == 0


async def test_who_has_waited_as_long_as_it_may_is_refused_with_a_time_to_come_back() -> None:
    entrance = Entrance(wait=0.02)
    async with full(entrance):
        with pytest.raises(Overloaded) as refused:
            await entrance.visit("late")
        assert refused.value.retry_after and entrance.admission.waiting == 0
    assert entrance.codes == ["overloaded"]
    assert entrance.shown('tts_admission_refused_total{priority="interactive",reason="waited"} 1.0')


async def test_who_cannot_make_its_deadline_leaves_the_queue_when_that_is_known() -> None:
    entrance = Entrance()
    async with full(entrance):
        began = time.monotonic()
        with pytest.raises(DeadlineMissed) as refused:
            await entrance.visit("late", Terms(deadline=began + 0.03))
        assert refused.value.retry_after and time.monotonic() - began < 5
    assert entrance.codes == ["deadline_missed"]
    assert entrance.shown('tts_admission_refused_total{priority="interactive",reason="deadline"} 1.0')


async def test_a_server_that_stops_sends_away_who_waits() -> None:
    entrance = Entrance()
    async with full(entrance) as tasks:
        waiting = asyncio.create_task(entrance.visit("waiting"))
        await asyncio.sleep(0)
        entrance.admission.draining = True
        with pytest.raises(Overloaded, match="stopping"):
            await waiting
        with pytest.raises(Overloaded, match="stopping"):
            await entrance.visit("new")
        entrance.admission.draining = False
        tasks.create_task(entrance.visit("after"))
    assert entrance.order == ["after"] and entrance.admission.draining_since is None


async def test_what_waits_and_plays_is_on_the_metrics_by_class() -> None:
    entrance = Entrance()
    async with full(entrance) as tasks:
        tasks.create_task(entrance.visit("batch", Terms(priority="batch")))
        await asyncio.sleep(0)
        assert entrance.shown('tts_playing{priority="interactive"} 1.0')
        assert entrance.shown('tts_queued{priority="batch"} 1.0')
        assert entrance.shown('tts_stream_limit{engine="joe"} 1.0')
    assert entrance.shown('tts_queued{priority="batch"} 0.0')
    assert entrance.shown('tts_queue_wait_seconds_count{priority="batch"} 1.0')


async def test_who_waits_is_woken_where_time_alone_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.001)
    now = [0.0]
    entrance = Entrance(streams=2, clock=lambda: now[0])
    async with asyncio.TaskGroup() as tasks, entrance.admission.place("joe", 1) as place:
        place.asks()
        place.hears(0.1)
        place.asks()
        now[0] = 0.2
        second = tasks.create_task(entrance.visit("second"))
        await asyncio.sleep(0.01)
        assert entrance.admission.waiting == 1, "a listener hears silence"
        now[0] = 1.0 + LOST_SECONDS
        await asyncio.wait_for(second, 5)


async def test_an_error_while_it_is_held_gives_the_place_back() -> None:
    entrance = Entrance()
    with pytest.raises(ZeroDivisionError):
        async with entrance.admission.place("joe", 1):
            raise ZeroDivisionError
    await entrance.visit("next")
    assert entrance.order == ["next"]


async def test_thousands_who_come_and_go_leave_nothing_behind() -> None:
    entrance = Entrance(streams=3, queue=20, wait=0.01)
    chance = iter(range(10_000_000))

    async def visitor() -> None:
        number = next(chance)
        given = Terms(f"caller {number % 7}", ("interactive", "normal", "batch")[number % 3])
        try:
            async with asyncio.timeout(0.004 if number % 5 == 0 else 5):
                with terms(given):
                    async with entrance.admission.place(("joe", "kokoro")[number % 2], number % 300) as place:
                        place.asks()
                        await asyncio.sleep(0.0001 * (number % 4))
                        place.hears(0.1)
        except (JuneError, TimeoutError):
            pass

    for _ in range(10):
        await asyncio.gather(*(visitor() for _ in range(150)))
    assert (entrance.admission.active, entrance.admission.waiting) == (0, 0)
    assert not entrance.admission._waiting


async def test_terms_go_with_the_tasks_of_a_request_and_end_with_it() -> None:
    async def seen() -> Terms:
        return current_terms()

    given = Terms("key", "batch", 1.0)
    with terms(given):
        assert await asyncio.create_task(seen()) == given
    assert await seen() == Terms()


REQUEST = SpeechRequest("one", "Hello there.", "fake")


async def test_a_request_waits_for_its_place_and_is_spoken_then() -> None:
    rules = AdmissionRules(1, 10, LONG)  # type: ignore[arg-type]
    async with fake_server(rules=rules) as server, asyncio.TaskGroup() as tasks:
        async with server.services.admission.place("fake", 1):
            reply = tasks.create_task(
                server.http.post("/v1/audio/speech", json={"input": "Hello.", "voice": "alloy"})
            )
            await becomes(lambda: server.services.admission.waiting == 1)
            assert server.engine.spoken == []
        assert (await reply).status_code == 200


async def test_a_request_whose_caller_is_gone_costs_nothing() -> None:
    rules = AdmissionRules(1, 10, LONG)  # type: ignore[arg-type]
    async with fake_server(rules=rules) as server:
        async with server.services.admission.place("fake", 1):
            chunks = server.services.synthesizer.stream(REQUEST)
            waiting = asyncio.ensure_future(anext(chunks))
            await asyncio.sleep(0)
            assert server.services.admission.waiting == 1
            waiting.cancel()
            await asyncio.wait({waiting})
            assert server.services.admission.waiting == 0
        assert server.engine.spoken == [] and server.services.recorder.totals.requests == 0


async def words(*parts: Written) -> AsyncIterator[Written]:
    for part in parts:
        yield part


async def test_a_turn_that_goes_on_takes_its_next_place_before_others() -> None:
    rules = AdmissionRules(1, 10, LONG)  # type: ignore[arg-type]
    async with fake_server(FakeEngine(), rules=rules) as server, asyncio.TaskGroup() as tasks:
        admission, rested = server.services.admission, asyncio.Event()

        async def writing() -> AsyncIterator[Written]:
            yield "Hi."
            yield Flush()
            await rested.wait()
            yield "Once more."

        async def turn() -> None:
            async for _ in server.services.synthesizer.speak(REQUEST, writing()):
                pass

        async def other() -> None:
            async for _ in server.services.synthesizer.stream(REQUEST):
                pass

        tasks.create_task(turn())
        await becomes(lambda: bool(server.engine.spoken) and not admission.active)
        async with admission.place("fake", 1):
            tasks.create_task(other())
            await becomes(lambda: admission.waiting == 1)
            rested.set()
            await becomes(lambda: admission.waiting == 2)
    assert [text for _, text in server.engine.spoken] == ["Hi.", "Once more.", "Hello there."]
