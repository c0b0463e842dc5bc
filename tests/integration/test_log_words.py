"""What users write is in no line of the log: every endpoint, at the level debug, also where it fails."""

import io
import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.contract.voices import new_voice
from tests.eleven_socket import talking
from tests.fake_rooms import FakeRooms
from tests.live_server import LiveServer, connected, live_server

from june_tts.engine.fake import FakeEngine
from june_tts.errors import EngineFailed
from june_tts.telemetry.log import configure
from june_tts.telemetry.log_faults import JsonLines, told
from june_tts.types import AudioChunk, Piece, Utterance

pytestmark = pytest.mark.integration

WORDS = "Rosebudxyzzy"
TEXT = f"Say {WORDS} now, and once more {WORDS}."
KEPT = "kept"
SPEECH: dict[str, dict[str, Any]] = {
    "/v1/audio/speech": {"input": TEXT, "voice": "fake", "response_format": "wav"},
    "/api/tts/synthesize": {"text": TEXT, "room_name": "a-room"},
    "/v1/text-to-speech/fake": {"text": TEXT, "previous_text": WORDS},
    "/v1/text-to-speech/fake/stream": {"text": TEXT},
    "/v1/text-to-speech/fake/with-timestamps": {"text": TEXT},
    "/v1/text-to-speech/fake/stream/with-timestamps": {"text": TEXT},
    "/v1/tts": {"text": TEXT, "reference_id": "fake"},
    "/v1/tts/stream/with-timestamp": {"text": TEXT},
    "/v1/batch": {"items": [{"text": TEXT}, {"text": TEXT, "voice_id": WORDS}]},
    "/v1/jobs": {"text": TEXT},
}


class Blurting(FakeEngine):
    """Fails with the text in its message, as a library may."""

    def __init__(self, error: type[Exception]) -> None:
        super().__init__(clones=True)
        self._error = error

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        async for piece in pieces:
            raise self._error(f"cannot say {piece.text}") from KeyError(piece.text)
        async for chunk in super().synthesize(utterance, pieces):
            yield chunk


@pytest.fixture
def library_lines() -> Iterator[io.StringIO]:
    """What libraries log, as `configure` has it written."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


@asynccontextmanager
async def open_server(engine: FakeEngine) -> AsyncIterator[tuple[LiveServer, httpx.AsyncClient]]:
    configure("debug", "json")
    async with live_server(engine, rooms=FakeRooms(), access_log=True) as live:
        await live.fake.services.store.add(new_voice(KEPT))
        async with httpx.AsyncClient(base_url=live.url, timeout=20) as http:
            yield live, http


async def tell_everywhere(live: LiveServer, http: httpx.AsyncClient) -> dict[tuple[str, str], set[int]]:
    """The words to every operation, rightly and wrongly. Returns the statuses of each."""
    seen: dict[tuple[str, str], set[int]] = {}
    for path, operations in live.fake.app.openapi()["paths"].items():
        for method in operations:
            here = re.sub("{(voice_id|model_id)}", KEPT, path).replace("{", "").replace("}", "")
            # without a body there is less to get wrong
            sends = ways(here) if method in ("post", "put", "patch") else [*ways(here)[:1], *ways(here)[-1:]]
            replies = [await http.request(method, here, **sent) for sent in sends]
            seen[method.upper(), path] = {reply.status_code for reply in replies}
    return seen


def ways(path: str) -> list[dict[str, Any]]:
    wrong = {"text": TEXT, "input": TEXT, "voice": 5, WORDS: TEXT, "speed": WORDS, "transcript": TEXT}
    files = {"file": (f"{WORDS}.wav", WORDS.encode() * 100, "audio/wav")}
    return [
        {"json": SPEECH.get(path, wrong)},
        {"json": wrong},
        {"content": f'{{"text": "{TEXT}'.encode(), "headers": {"content-type": "application/json"}},
        {"content": TEXT.encode(), "headers": {"content-type": "text/plain"}},
        {"data": {"text": TEXT, "transcript": TEXT, "name": "n", "consent_statement": TEXT}, "files": files},
        {"data": {"texts": TEXT, "title": "t"}, "files": {"voices": files["file"]}},
        {"params": {"text": TEXT}},
    ]


async def tell_sockets(live: LiveServer) -> None:
    async with talking(live, "stream-input") as socket:
        await socket.send(text=TEXT + " ")
        await socket.send(text="")
        await socket.closed()
    async with connected(live.live) as fish:
        await fish.say(TEXT)
        await fish.turn()


def everything(capsys: pytest.CaptureFixture[str], library_lines: io.StringIO) -> list[dict[str, Any]]:
    """Every line, which must be JSON, and without the words."""
    log = capsys.readouterr().err + library_lines.getvalue()
    assert WORDS not in log
    return [json.loads(line) for line in log.splitlines()]


async def test_no_endpoint_logs_the_users_words(
    capsys: pytest.CaptureFixture[str], library_lines: io.StringIO
) -> None:
    async with open_server(FakeEngine(clones=True)) as (live, http):
        seen = await tell_everywhere(live, http)
        await tell_sockets(live)
    lines = everything(capsys, library_lines)
    assert len(seen) > 40
    assert {path for _, path in seen} <= {line.get("route") for line in lines}


@pytest.mark.parametrize("error", [ValueError, EngineFailed])
async def test_a_failure_with_the_words_in_its_message_is_logged_without_them(
    error: type[Exception], capsys: pytest.CaptureFixture[str], library_lines: io.StringIO
) -> None:
    async with open_server(Blurting(error)) as (live, http):
        replies = {path: (await http.post(path, json=body)).status_code for path, body in SPEECH.items()}
        await tell_sockets(live)
    lines = everything(capsys, library_lines)
    assert replies["/v1/audio/speech"] == (500 if error is ValueError else 502)
    traced = [line["exception"] for line in lines if "exception" in line]
    if error is ValueError:
        assert any("in synthesize" in told and told.endswith("ValueError") for told in traced)


def test_a_traceback_has_places_and_kinds_and_the_codes_of_our_own_errors() -> None:
    try:
        try:
            {"": 0}[WORDS]
        except KeyError as bad:
            raise EngineFailed(f"cannot say {WORDS}") from bad
    except EngineFailed as failure:
        plain = told(failure)
        group = told(ExceptionGroup(WORDS, [failure, ValueError(WORDS)]))
    assert WORDS not in plain + group
    assert plain.startswith("  File")
    assert "KeyError\n\nwhich led to:\n" in plain
    assert plain.endswith("june_tts.errors.EngineFailed: engine_failed")
    assert group.endswith("ValueError")
