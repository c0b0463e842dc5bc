"""Before the port opens: what the first request would else wait for, done without a request's traces.

An engine speaks a word when it is started. Here it is the rest of the way: text rules compile their patterns
when they are first used, PyAV its codecs, Starlette puts its middleware together at the first call.
"""

import asyncio
import time
from collections.abc import Iterable

import httpx
import numpy as np
import structlog
from starlette.types import ASGIApp

from june_tts.audio.encode import open_encoder
from june_tts.audio.formats import FORMATS
from june_tts.ports import Engine
from june_tts.text import speakable
from june_tts.types import Format

TEXT = """Dear Dr. Smith, on May 4th, 2024 at 9:30 a.m. your 3 parcels (12.5 kg, $1,250.75) left for \
https://example.com; call 555-0142, or write to me@example.com.

- **First**, item no. 7: 40% of `code`, 2/3 of IV, -5 °C."""
"""A little of everything that is put into words."""
RATE = 24_000
SECONDS = 0.2

log = structlog.get_logger(__name__)


async def warm_up(app: ASGIApp, engines: Iterable[Engine]) -> None:
    """Takes 0.2 s of one core."""
    began = time.monotonic()
    for engine in engines:
        for language in engine.capabilities().languages[:1]:
            list(speakable(TEXT, language, first_chars=40, piece_chars=200))
    # in the pool's threads, which the first streams would else start
    await asyncio.gather(*(asyncio.to_thread(_encode, name) for name in FORMATS))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        await client.get("/health/live")
    log.debug("warm", seconds=round(time.monotonic() - began, 3))


def _encode(name: Format) -> None:
    encoder = open_encoder(name, RATE, None)
    try:
        encoder.encode(np.zeros(round(SECONDS * RATE), np.float32))
        encoder.finish()
    finally:
        encoder.close()
