"""Headers that say how urgent a request is and until when it is worth anything."""

import asyncio
import time

import httpx
import pytest
from tests.fake_server import FakeServer, fake_server
from tests.live_server import becomes

from june_tts.errors import DeadlineMissed
from june_tts.http.terms import RequestTerms
from june_tts.service.admission import AdmissionRules
from june_tts.service.terms import Terms, current_terms
from june_tts.types import Caller

pytestmark = pytest.mark.unit


async def seen(headers: dict[str, str], *, deadline_ms: int = 0, kind: str = "http") -> Terms:
    """The terms that a request with these headers is served on."""
    found: list[Terms] = []

    async def app(scope: object, receive: object, send: object) -> None:
        found.append(current_terms())

    scope = {
        "type": kind,
        "path": "/",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "state": {"caller": Caller("key-1", "somebody", frozenset())},
    }
    await RequestTerms(app, deadline_ms=lambda: deadline_ms)(scope, None, None)  # type: ignore[arg-type]
    return found[0]


async def test_a_request_is_interactive_its_callers_and_without_a_deadline_unless_it_says_more() -> None:
    assert await seen({}) == Terms("key-1", "interactive", None)


async def test_a_class_and_a_deadline_are_taken_from_the_headers() -> None:
    began = time.monotonic()
    found = await seen({"X-Priority": "Batch", "X-Request-Deadline-Ms": "1500"}, deadline_ms=10)
    assert found.priority == "batch"
    assert found.deadline is not None and 1.5 <= found.deadline - began < 2.5


async def test_the_setting_is_the_deadline_of_requests_that_name_none_but_not_of_sockets() -> None:
    began = time.monotonic()
    found = await seen({}, deadline_ms=800)
    assert found.deadline is not None and 0.8 <= found.deadline - began < 1.8
    assert (await seen({"X-Request-Deadline-Ms": "9"}, deadline_ms=800, kind="websocket")).deadline is None


async def speak(server: FakeServer, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await server.http.post(
        "/v1/audio/speech", json={"input": "Hello.", "voice": "alloy"}, headers=names
    )


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("X_Priority", "urgent", "interactive, normal, batch"),
        ("X_Request_Deadline_Ms", "soon", "whole milliseconds"),
        ("X_Request_Deadline_Ms", "0", "from 1 to 3,600,000"),
        ("X_Request_Deadline_Ms", "3600001", "from 1 to 3,600,000"),
        ("X_Request_Deadline_Ms", "1.5", "whole milliseconds"),
    ],
)
async def test_a_header_that_cannot_be_read_is_refused_by_name(
    header: str, value: str, expected: str
) -> None:
    async with fake_server() as server:
        reply = await speak(server, **{header: value})
    error = reply.json()["error"]
    assert reply.status_code == 400 and error["param"] == header.replace("_", "-")
    assert value in error["message"] and expected in error["message"]


async def test_a_deadline_that_cannot_be_made_is_answered_with_503_and_a_time_to_come_back() -> None:
    async with fake_server(rules=AdmissionRules(1, 10)) as server:
        async with server.services.admission.place("fake", 1):
            reply = await speak(server, X_Request_Deadline_Ms="20")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, DeadlineMissed.code)
    assert int(reply.headers["retry-after"]) >= 1


async def test_a_batch_request_waits_for_an_interactive_one() -> None:
    async with fake_server(rules=AdmissionRules(1, 10)) as server, asyncio.TaskGroup() as tasks:
        admission = server.services.admission
        async with admission.place("fake", 1):
            tasks.create_task(speak(server, X_Priority="batch"))
            await becomes(lambda: admission.waiting == 1)
            tasks.create_task(speak(server))
            await becomes(lambda: admission.waiting == 2)
            metrics = (await server.http.get("/metrics")).text
            assert 'tts_queued{priority="batch"} 1.0' in metrics
            assert 'tts_queued{priority="interactive"} 1.0' in metrics
