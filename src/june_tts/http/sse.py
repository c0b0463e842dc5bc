"""OpenAI's server-sent events: audio deltas in base64, then one event that says it is done."""

import base64
import json
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from june_tts.errors import JuneError

CHARACTERS_PER_TOKEN = 4
OUTPUT_BYTES_PER_TOKEN = 1200
"""An estimate, for clients that add up usage: june-tts counts characters and seconds, not tokens."""


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def speech_events(characters: int) -> Callable[[AsyncGenerator[bytes, None]], AsyncGenerator[bytes, None]]:
    """What wraps encoded audio of a text of so many characters in events.

    An error after the first delta is an event of type `error`.
    """

    def wrap(audio: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        return _events(audio, characters)

    return wrap


async def _events(audio: AsyncGenerator[bytes, None], characters: int) -> AsyncGenerator[bytes, None]:
    sent = 0
    try:
        async with aclosing(audio):
            async for data in audio:
                sent += len(data)
                yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode("ascii")})
    except JuneError as error:
        if not sent:
            raise  # the headers are not out: it gets its true status
        yield _event({"type": "error", "error": {"message": str(error), "code": error.code}})
        return
    read = math.ceil(characters / CHARACTERS_PER_TOKEN)
    made = math.ceil(sent / OUTPUT_BYTES_PER_TOKEN)
    usage = {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
    yield _event({"type": "speech.audio.done", "usage": usage})
