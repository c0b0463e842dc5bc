"""What is done before the port opens leaves no trace but warmth."""

import pytest
from tests.fake_server import fake_server

from june_tts.audio import encode
from june_tts.audio.formats import FORMATS
from june_tts.http import warmup
from june_tts.http.warmup import warm_up
from june_tts.types import Format

pytestmark = pytest.mark.unit


async def test_the_way_of_a_request_is_walked_without_speaking(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Format] = []

    def noted(name: Format, rate: int, asked: int | None) -> encode.Encoder:
        opened.append(name)
        return encode.open_encoder(name, rate, asked)

    monkeypatch.setattr(warmup, "open_encoder", noted)
    async with fake_server() as server:
        assert server.app.middleware_stack is None
        await warm_up(server.app, [server.engine])
        assert server.app.middleware_stack is not None and sorted(opened) == sorted(FORMATS)
        assert not server.engine.spoken and server.services.recorder.totals.requests == 0
