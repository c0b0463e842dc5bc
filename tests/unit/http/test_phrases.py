"""Speech that was made before, over HTTP."""

from typing import Any

import pytest
from tests.fake_server import FakeServer, fake_server

pytestmark = pytest.mark.unit

URL = "/v1/audio/speech"
TEXT = "Hello there, this is a sentence of words."


async def speak(server: FakeServer, **fields: Any) -> Any:
    return await server.http.post(URL, json={"input": TEXT, "voice": "fake", **fields})


async def test_the_third_time_a_phrase_comes_from_memory() -> None:
    async with fake_server() as server:
        first, second, third, fourth = [await speak(server, response_format="wav") for _ in range(4)]
    assert first.content == second.content == third.content == fourth.content
    told = [reply.headers.get("x-june-cache") for reply in (first, second, third, fourth)]
    assert told == [None, None, "hit", "hit"]
    assert len({utterance.request_id for utterance, _ in server.engine.spoken}) == 2
