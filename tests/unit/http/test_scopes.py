"""Every route says which scope it asks for, and no way of writing its path gets around that."""

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import BaseRoute, Match, Mount, Route
from tests.fake_server import fake_server

from june_tts.http.routes import elevenlabs_live, fish_live
from june_tts.http.scopes import SCOPES_OF, asked

pytestmark = pytest.mark.unit


async def app_routes() -> list[BaseRoute]:
    async with fake_server() as server:
        inner = [*server.app.state.api_routes, *fish_live.router.routes, *elevenlabs_live.router.routes]
        outer = [route for route in server.app.routes if isinstance(route, Route | Mount)]
    return [*inner, *outer]


def names(route: BaseRoute) -> list[str]:
    if isinstance(route, APIWebSocketRoute):
        return [f"SOCKET {route.path}"]
    if isinstance(route, Mount):
        return [f"GET {route.path or '/'}"]
    assert isinstance(route, Route | APIRoute)
    return [f"{method} {route.path}" for method in sorted(route.methods or ()) if method != "HEAD"]


async def test_the_table_has_every_route_and_no_other() -> None:
    found = [name for route in await app_routes() for name in names(route)]
    assert set(SCOPES_OF) == set(found)


ROUTES: list[BaseRoute] = []


@pytest.fixture(scope="module", autouse=True)
def routes() -> None:
    import asyncio

    ROUTES.extend(asyncio.run(app_routes()))


pieces = st.sampled_from(
    [
        "api",
        "admin",
        "keys",
        "audit",
        "voices",
        "v1",
        "tts",
        "model",
        "audio",
        "speech",
        "",
        "x",
        "\n",
        " ",
        "%2f",
    ]
    + ["clone", "references", "add", "delete", "jobs", "é", ".", "..", "{key_id}"]
)


@given(
    st.sampled_from(["GET", "POST", "DELETE", "PATCH"]),
    st.lists(pieces, max_size=5),
    st.sampled_from(["", "/", "\n", "/\n"]),
)
def test_what_a_route_answers_asks_for_what_the_table_says(method: str, parts: list[str], end: str) -> None:
    path = "/" + "/".join(parts) + end
    for route in ROUTES:
        if isinstance(route, APIRoute):
            scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
            if route.matches(scope)[0] == Match.FULL:
                assert asked(method, path) == SCOPES_OF[f"{method} {route.path}"]
                return


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", "/", "open"),
        ("GET", "/static/main.js", "open"),
        ("GET", "/nothing", "open"),
        ("GET", "/api/nothing", "any"),
        ("PUT", "/api/admin/keys", "any"),
        ("SOCKET", "/v1/tts/live", "speak"),
        ("SOCKET", "/v1/text-to-speech/joe/stream-input", "speak"),
        ("DELETE", "/api/admin/keys/abc\n", "admin"),
        ("DELETE", "/model/\n", "voices"),
        ("GET", "/health/", "open"),
        ("GET", "/api/voices/", "any"),
    ],
)
def test_other_paths_ask_for_a_key_below_the_apis(method: str, path: str, wanted: str) -> None:
    assert asked(method, path) == wanted
