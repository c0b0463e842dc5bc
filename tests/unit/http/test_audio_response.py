"""The response that is audio: clients that leave, and clients that stop reading."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import Message

from june_tts.http.audio_response import AudioResponse

pytestmark = pytest.mark.unit


class Audio:
    """Endless audio that knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    async def stream(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                await asyncio.sleep(0)
                yield b"audio"
        finally:
            self.closed = True


def response(audio: Audio, stall_seconds: float = 5.0) -> AudioResponse:
    return AudioResponse(audio.stream(), media_type="audio/pcm", stall_seconds=stall_seconds)


SCOPE: dict[str, Any] = {"type": "http"}


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_client_that_leaves_stops_the_audio() -> None:
    audio, sent, enough = Audio(), list[Message](), asyncio.Event()

    async def leave() -> Message:
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 5:
            enough.set()

    await response(audio)(SCOPE, leave, send)
    assert audio.closed
    assert all(message.get("more_body", True) for message in sent)


async def test_a_client_that_stops_reading_is_cut_off_without_an_end() -> None:
    audio, sent = Audio(), list[Message]()

    async def send(message: Message) -> None:
        if len(sent) == 4:
            await never()
        sent.append(message)

    async with asyncio.timeout(5):
        await response(audio, stall_seconds=0.05)(SCOPE, never, send)
    assert audio.closed
    assert len(sent) == 4
    assert all(message.get("more_body", True) for message in sent)


async def test_a_server_that_gives_up_leaves_nothing_running() -> None:
    audio = Audio()

    async def send(message: Message) -> None:
        await asyncio.sleep(0)

    serving = asyncio.create_task(response(audio)(SCOPE, never, send))
    await asyncio.sleep(0.02)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert audio.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}
