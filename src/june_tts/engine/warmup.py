"""Speaks a word at start, so that the first request is as fast as the tenth."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from june_tts.ports import Engine
from june_tts.types import Piece, Utterance

WORD = "Ready."


async def warm_up(engine: Engine, voice_id: str) -> None:
    """Speak one word with a voice and throw it away."""
    voice = next(voice for voice in engine.voices() if voice.id == voice_id)

    async def pieces() -> AsyncIterator[Piece]:
        yield Piece(WORD)

    async with aclosing(
        engine.synthesize(Utterance("warm-up", voice, voice.languages[0]), pieces())
    ) as chunks:
        async for _ in chunks:
            pass
