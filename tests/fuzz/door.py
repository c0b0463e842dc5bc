"""The fake server behind a synchronous door that watches what every request leaves behind."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from tests.contract.voices import new_voice
from tests.fake_server import FakeServer, fake_server

KEPT = "kept"
"""A cloned voice that is there from the start."""
JUNE_ERROR = {"code", "message", "param", "retryable"}
OPENAI_ERROR = {"message", "type", "param", "code"}


class Door:
    def __init__(self, runner: asyncio.Runner, server: FakeServer) -> None:
        self._runner = runner
        self._server = server
        runner.run(server.services.store.add(new_voice(KEPT)))

    def send(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """One request, after which nothing may be left of it and the next one must work."""
        reply = self.send_closed(method, path, **sent)
        again = self._runner.run(
            self._server.http.post("/v1/audio/speech", json={"input": "5", "response_format": "pcm"})
        )
        assert again.status_code == 200 and len(again.content) > 0
        return reply

    def send_closed(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """The same on a server whose key the next request would need."""
        reply = self._runner.run(self._server.http.request(method, path, **sent))
        assert reply.status_code < 500 or reply.json()["error"]["code"] == "not_configured", reply.text
        assert reply.headers["x-request-id"]
        self._nothing_is_left()
        return reply

    def _nothing_is_left(self) -> None:
        assert self._server.services.admission.active == 0
        assert not self._server.engine.speaking
        kept = self._runner.run(self._server.services.store.list())
        assert [voice.voice_id for voice in kept] == [KEPT]


@contextmanager
def open_door(**options: Any) -> Iterator[Door]:
    with asyncio.Runner() as runner:
        opening = fake_server(**options)
        server = runner.run(opening.__aenter__())
        try:
            yield Door(runner, server)
        finally:
            runner.run(opening.__aexit__(None, None, None))


def refusal(reply: httpx.Response) -> dict[str, Any]:
    """The error of a reply, which must have the shape of the API that was asked."""
    assert 400 <= reply.status_code < 500 or reply.status_code == 503, reply.text[:500]
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    error: dict[str, Any] = body["error"]
    if reply.request.url.path.startswith("/v1/"):
        assert set(body) == {"error"} and set(error) == OPENAI_ERROR
    else:
        assert set(body) == {"error", "detail"} and set(error) == JUNE_ERROR
        assert body["detail"] == error["message"]
    assert error["message"] and error["code"]
    assert len(error["message"]) < 1000, "an error is no place for the whole input"
    return error
