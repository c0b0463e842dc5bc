"""docs/reference/endpoints.md against the server: routes, fields and their defaults, replies."""

import json
import re
from typing import Any

import httpx
import pytest
from fastapi.routing import APIWebSocketRoute
from tests.docs.markdown import REFERENCE, code, codes, read, sections, table
from tests.fake_rooms import FakeRooms
from tests.fake_server import FakeServer, fake_server

from june_tts.http.elevenlabs_frames import Frame, LiveQuery
from june_tts.http.routes import elevenlabs_live
from june_tts.http.routes.june import cloned_json
from june_tts.types import NewVoice, RecordingReport

pytestmark = pytest.mark.unit

PAGE = REFERENCE / "endpoints.md"
SECTIONS = {
    found[1]: body for title, body in sections(PAGE) if (found := re.fullmatch("`([A-Z]+ /.*)`", title))
}
REPORT = RecordingReport("wav", 16_000, 1, 10.0, 9.0, -3.0, -20.0, 40.0, 0.0, ())
MADE_HERE = NewVoice("anna", "Anna", b"recording", "Hello.", "en", REPORT)


async def document() -> dict[str, Any]:
    async with fake_server() as server:
        found: dict[str, Any] = (await server.http.get("/openapi.json")).json()
        return found


def operations(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{m.upper()} {path}": op for path, methods in found["paths"].items() for m, op in methods.items()
    }


def fields(found: dict[str, Any], operation: dict[str, Any]) -> dict[str, str]:
    """Each field and parameter with its default as the page writes it."""
    named = {
        parameter["name"]: "required" if parameter.get("required") else written(parameter["schema"])
        for parameter in operation.get("parameters", [])
    }
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = found["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        for name, field in schema["properties"].items():
            named[name] = "required" if name in schema.get("required", ()) else written(field)
    return named


def written(field: dict[str, Any]) -> str:
    """A default as the page writes it."""
    value = field.get("default")
    return "–" if value is None else f"`{json.dumps(value)}`"


async def test_every_route_is_documented_and_no_other() -> None:
    assert set(SECTIONS) == set(operations(await document()))


async def test_every_field_is_documented_with_its_default_and_no_other() -> None:
    found = await document()
    for name, operation in operations(found).items():
        documented = {code(row[0]): row[1] for row in table(SECTIONS[name], "field")}
        assert documented == fields(found, operation), name


async def test_the_paths_outside_the_document_are_listed() -> None:
    listed = {code(row[0]) for row in table(read(PAGE), "path")}
    async with fake_server() as server:
        paths = {getattr(route, "path", None) for route in server.app.routes} - {None}
        found = (await server.http.get("/openapi.json")).json()
    # the page is mounted at the root under an empty name
    assert listed == {path or "/" for path in paths} - set(found["paths"])


def test_the_sockets_are_documented_with_their_parameters_and_messages() -> None:
    """They are in no OpenAPI document."""
    page = dict(sections(PAGE))["Sockets"]
    paths = {route.path for route in elevenlabs_live.router.routes if isinstance(route, APIWebSocketRoute)}
    assert {code(row[0]) for row in table(page, "socket")} == paths
    assert {name for row in table(page, "query") for name in codes(row[0])} == set(LiveQuery.model_fields)
    sent = {name for row in table(page, "message to the server") for name in codes(row[0])}
    assert sent == set(Frame.model_fields) | {'{"text": ""}'}


def keys(reply: dict[str, Any]) -> set[str]:
    """`a.b` for what is in an object; an object with names of engines counts as one."""
    found = set()
    for name, value in reply.items():
        nested = isinstance(value, dict) and name in ("services", "resources", "model", "metrics")
        found |= {f"{name}.{inner}" for inner in value} if nested else {name}
    return found


async def ask(server: FakeServer, name: str) -> httpx.Response:
    method, path = name.split()
    path = path.replace("{voice_id}", MADE_HERE.voice_id)
    if "{utterance_id}" in path:
        said = await server.http.post("/api/tts/synthesize", json={"text": "Hello.", "room_name": "lobby"})
        path = path.replace("{utterance_id}", said.json()["utterance_id"])
    if "{job_id}" in path:
        made = await server.http.post("/v1/jobs", json={"text": "Hello."})
        path = path.replace("{job_id}", made.json()["id"])
    headers = {}
    if "{key_id}" in path:
        # from the first key on, the server asks for one
        asked = await server.http.post("/api/admin/keys", json={"name": "mine", "scopes": ["admin"]})
        path = path.replace("{key_id}", asked.json()["key_id"])
        headers = {"authorization": f"Bearer {asked.json()['key']}"}
    return await server.http.request(method, path, headers=headers)


CONFIGURED = {"services.workers", "services.redis"}
"""In the reply only where they are set up, which the fake server's are not."""


async def test_replies_have_the_documented_keys_and_no_other() -> None:
    asked = set()
    for name, body in SECTIONS.items():
        documented = {code(row[0]) for row in table(body, "reply")}
        if not documented or name.startswith("POST"):
            continue
        async with fake_server(rooms=FakeRooms()) as server:
            await server.services.store.add(MADE_HERE)
            reply = await ask(server, name)
        assert reply.status_code == 200, name
        assert keys(reply.json()) == documented - CONFIGURED, name
        asked.add(name)
    assert len(asked) >= 8


async def test_a_cloned_voice_has_the_documented_keys() -> None:
    async with fake_server() as server:
        kept = await server.services.store.add(MADE_HERE)
    documented = {code(row[0]) for row in table(SECTIONS["POST /api/voices/clone"], "reply")}
    assert documented == {"status", "voice_name", *cloned_json(kept)}
    report = next(row[1] for row in table(SECTIONS["POST /api/voices/clone"], "reply") if "report" in row[0])
    assert set(re.findall("`([a-z_]+)`", report)) == set(RecordingReport.__dataclass_fields__)


async def test_a_catalogue_entry_has_the_documented_keys() -> None:
    async with fake_server() as server:
        entry = (await server.http.get("/api/voices")).json()["voices"][0]
    text = next(row[1] for row in table(SECTIONS["GET /api/voices"], "reply") if "voices" in row[0])
    assert set(re.findall("`([a-z_]+)`", text)) - {"builtin", "cloned", "null"} == set(entry)
