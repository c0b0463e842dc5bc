"""The shortcut answers exactly what the usual way answers, whatever happens to voices, keys and limits."""

import json
import os
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.contract.voices import new_voice
from tests.fake_server import FakeServer, fake_server

from june_tts.engine.fake import FakeEngine
from june_tts.http.shortcut import MOST_KNOWN, Shortcut
from june_tts.types import KeyLimits

pytestmark = pytest.mark.unit

ROUNDS = int(os.environ.get("JUNE_ROUNDS", "4"))
ACTIONS = 400
ADMIN = "key-of-the-settings"
JSON = "application/json"
TYPES = (JSON, "text/plain", "application/json; charset=utf-8")
SAID = "Hello there."
BODIES = [
    {"input": SAID, "voice": "fake"},
    {"input": SAID, "voice": "ada"},
    {"input": SAID, "voice": "ada", "response_format": "wav"},
    {"input": SAID, "voice": "ada", "model": "fake", "response_format": "pcm"},
    {"input": SAID, "voice": "alloy", "stream_format": "sse"},
    {"input": SAID, "voice": "other", "model": "fake"},
    {"input": SAID * 12, "voice": "fake", "response_format": "pcm"},
    {"input": SAID, "voice": "ada", "speed": 9},
    {"input": SAID, "voice": "nobody"},
    {"input": " ", "voice": "fake"},
    {"input": SAID, "voice": "fake", "surplus": 1},
]
JUNE_BODIES = [
    {"text": SAID, "voice_id": "ada"},
    {"text": SAID, "voice_id": "fake", "seed": 3, "audio_format": "flac"},
    {"text": SAID, "voice_id": "fake", "room_name": "lobby"},
]
APART = ("x-request-id", "retry-after")
COUNTED = (
    *("tts_requests_total", "tts_refused_total", "tts_text_length_chars_sum", "tts_audio_seconds_total"),
    *("tts_phrase_hits_total", "tts_phrase_misses_total", "tts_phrase_stored_total"),
    *("tts_phrase_saved_seconds_total", "tts_http_requests_total", "tts_phrase_entries", "tts_phrase_bytes"),
)


@asynccontextmanager
async def server(*, shortcut: bool) -> AsyncIterator[FakeServer]:
    engine = FakeEngine(clones=True, voices=("fake", "other"))
    limits = KeyLimits(characters_per_day=4000)
    async with fake_server(engine, api_key=ADMIN, limits_of_keys=limits) as given:
        if not shortcut:
            found = given.app.user_middleware
            found[:] = [one for one in found if getattr(one.cls, "__name__", "") != Shortcut.__name__]
        given.http.headers["authorization"] = f"Bearer {ADMIN}"
        yield given


class World:
    """A server, and what happens to it."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self._key: dict[str, str] = {}
        self._voices = 0

    async def act(self, action: str, draw: random.Random) -> httpx.Response | None:
        synthesizer, admission = self.server.services.synthesizer, self.server.services.admission
        if action in ("drain", "stay"):
            admission.draining = action == "drain"
        elif action in ("short texts", "long texts"):
            synthesizer.limit_text(100 if action == "short texts" else 5000)
        elif action in ("new key", "revoke"):
            await self._change_key(action)
        elif action == "remove":
            return await self.server.http.delete("/api/voices/ada")
        elif action == "speak":
            return await self._speak(draw)
        else:
            await self._change_voice(action)
        return None

    async def _change_voice(self, action: str) -> None:
        store = self.server.services.store
        if action == "remove elsewhere" and await store.list():
            await store.remove("ada")
        if action == "add" and not await store.list():
            self._voices += 1
            await store.add(replace(new_voice("ada", size=100 + self._voices), language="en-US"))

    async def _change_key(self, action: str) -> None:
        if action == "new key":
            made = await self.server.http.post("/api/admin/keys", json={"name": "x", "scopes": ["speak"]})
            self._key = made.json()
        elif self._key:
            await self.server.http.delete(f"/api/admin/keys/{self._key['key_id']}")

    async def _speak(self, draw: random.Random) -> httpx.Response:
        june = draw.random() < 0.25
        body = json.dumps(draw.choice(JUNE_BODIES if june else BODIES)).encode()
        body = body[:-1] if draw.random() < 0.03 else body
        headers = {
            "content-type": draw.choices([JSON, "text/plain", "application/json; charset=utf-8"], [20, 1, 2])[
                0
            ]
        }
        who = draw.choices(["settings", "key", "wrong"], [4, 8, 1])[0]
        if who != "settings":
            secret = self._key.get("key", "none") if who == "key" else "wrong"
            headers["authorization"] = f"Bearer {secret}"
        path = "/api/tts/synthesize" if june else "/v1/audio/speech"
        return await self.server.http.post(path, content=body, headers=headers)

    def counts(self) -> dict[str, float]:
        families = self.server.services.metrics.registry.collect()
        samples = [sample for family in families for sample in family.samples]
        return {f"{s.name}{s.labels}": s.value for s in samples if s.name in COUNTED}


HAPPENS = {
    "speak": 80,
    "add": 6,
    "remove": 2,
    "remove elsewhere": 1,
    "new key": 3,
    "revoke": 1,
    "short texts": 1,
    "long texts": 3,
    "drain": 1,
    "stay": 4,
}


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_the_shortcut_changes_nothing_that_a_caller_or_an_operator_sees(seed: int) -> None:
    async with server(shortcut=True) as one, server(shortcut=False) as other:
        short, usual = World(one), World(other)
        draw = random.Random(seed)
        actions = ["new key", "add", *draw.choices([*HAPPENS], [*HAPPENS.values()], k=ACTIONS)]
        for step, action in enumerate(actions):
            found = await short.act(action, random.Random(f"{seed} {step}"))
            expected = await usual.act(action, random.Random(f"{seed} {step}"))
            assert _seen(found) == _seen(expected), (step, action)
        assert short.counts() == usual.counts()
        assert sum(value for name, value in short.counts().items() if "phrase_hits" in name) > 20


def _seen(reply: httpx.Response | None) -> Any:
    if reply is None:
        return None
    # when a share begins anew is told in seconds from now
    headers = {
        name: re.sub("t=[0-9]+", "", value) for name, value in reply.headers.items() if name not in APART
    }
    return reply.status_code, headers, reply.content


async def test_known_bodies_do_not_become_more_and_more() -> None:
    async with fake_server() as given:
        await given.http.get("/health/live")
        found: Any = given.app.middleware_stack
        while not isinstance(found, Shortcut):
            found = getattr(found, "app", None) or found._app
        known = found._known
        for number in range(40):
            for _ in range(3):
                body = json.dumps({"input": SAID, "voice": "fake"}) + " " * number
                await given.http.post("/v1/audio/speech", content=body, headers={"content-type": JSON})
        assert len(known) == 40 <= MOST_KNOWN
