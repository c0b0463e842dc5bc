"""One key's rate over several workers without Redis: the process with the engines keeps it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from tests.june_process import June, becomes, june

pytestmark = pytest.mark.e2e

KEY = "a-key-of-the-settings-0123456789"
BUSY = "another-one-for-the-streams-01234"
RATE = 60
STREAMS = 6
ASKED = 4 * RATE
HOST, WEB = "june_tts.workers.host", "june_tts.workers.web"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[June]:
    folder = tmp_path_factory.mktemp("budgets")
    settings = {
        **{"JUNE_API_KEY": KEY, "SERVICE_AUTH_TOKEN": BUSY, "JUNE_FAKE_STEP_SECONDS": "0.005"},
        **{"JUNE_REQUESTS_PER_MINUTE": str(RATE), "JUNE_KEY_STREAMS": str(STREAMS)},
    }
    with june(folder, workers=3, **settings) as started:
        yield started


def request(server: June, key: str, text: str) -> dict[str, Any]:
    return {
        "url": f"{server.url}/v1/audio/speech",
        "json": {"input": text, "voice": "fake", "response_format": "pcm"},
        "headers": {"Authorization": f"Bearer {key}"},
        "timeout": 30,
    }


def ask(server: June, key: str = KEY, text: str = "Hello.") -> int:
    """On a connection of its own: the kernel chooses the worker."""
    return httpx.post(**request(server, key, text)).status_code


def test_a_rate_is_of_the_server_and_not_of_each_worker(server: June) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: ask(server), range(ASKED)))
    allowed = RATE + RATE * (time.monotonic() - began) / 60
    assert set(found) == {200, 429}
    assert 0.9 * RATE <= found.count(200) <= allowed + 1


def test_streams_at_once_are_those_of_all_workers(server: June) -> None:
    with ThreadPoolExecutor(2 * STREAMS) as pool:
        found = list(pool.map(lambda _: ask(server, BUSY, "a" * 1000), range(2 * STREAMS)))
    assert found.count(200) == STREAMS and set(found) == {200, 429}


def test_workers_that_are_killed_give_their_streams_back_and_new_engines_count_anew(server: June) -> None:
    with ExitStack() as playing:
        for _ in range(STREAMS):
            reply = playing.enter_context(httpx.stream("POST", **request(server, BUSY, "a" * 5000)))
            assert reply.status_code == 200
        assert ask(server, BUSY) == 429
        for one in server.running(WEB):
            one.kill()
        becomes(lambda: answers(server), 30, server)
    server.running(HOST)[0].kill()
    becomes(lambda: answers(server), 30, server)


def answers(server: June) -> bool:
    try:
        return ask(server, BUSY) == 200
    except httpx.TransportError:
        return False
