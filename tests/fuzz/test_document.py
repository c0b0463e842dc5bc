"""The OpenAPI document against the server: whatever it promises or forbids is tried by schemathesis."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import CheckFunction
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import allow_header_conformance, positive_data_acceptance
from tests.fake_rooms import FakeRooms
from tests.fake_server import FakeServer, fake_server

Case = schemathesis.Case[Any]

pytestmark = pytest.mark.fuzz

EXAMPLES = 100
"""Per operation; all of them take about a minute on two busy cores."""

_stack = AsyncExitStack()


async def _opened() -> FakeServer:
    return await _stack.enter_async_context(fake_server(rooms=FakeRooms()))


# at import and not in a fixture: the operations are the tests' parameters
_app = asyncio.run(_opened()).app
schema = schemathesis.openapi.from_dict(_app.openapi())
schema.app = _app


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    asyncio.run(_stack.aclose())


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_reply_is_one_that_the_document_describes(case: Case) -> None:
    reply = case.call()
    # Which rates a format can have, and what a recording must be, no JSON schema can say.
    not_asked: list[CheckFunction] = [positive_data_acceptance, not_a_server_error]
    if case.path == "/api/voices/clone":
        not_asked.append(allow_header_conformance)  # `clone` may be a voice's id as well: GET and DELETE fit
    case.validate_response(reply, excluded_checks=not_asked)
    if reply.status_code >= 500:
        assert reply.status_code == 503 and reply.json()["error"]["param"] == "room_name", reply.text


def test_every_route_is_in_the_document() -> None:
    documented = {(method.upper(), path) for path, item in _app.openapi()["paths"].items() for method in item}
    served = {(method, route.path) for route in _app.state.api_routes for method in route.methods}
    assert documented == served and len(served) >= 16
