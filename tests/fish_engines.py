"""The engine fish behind its port over a process of fakes, and voices for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from june_tts.engine.fish import VOICE, FishEngine, FishRules
from june_tts.engine.fish_voices import EngineCodec
from june_tts.errors import VoiceNotFound
from june_tts.fish.handle import Handle
from june_tts.types import InlineReference, Piece, Sampling, Utterance, Voice
from tests.fish_fakes import SIZES
from tests.fish_handles import QUICK, SOON, command, options
from tests.fish_vocabulary import write_folder

CLONED = Voice("ann", "Ann", "cloned", None, ("en-US",), None, "hers")
BUILTIN = Voice(VOICE, "Fish", "builtin", "fish", ("en-US",), 2000, "x")


class Recordings:
    """`VoicePrompts` of one voice; what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed = False

    async def prompt(self, voice_id: str) -> tuple[str, NDArray[np.int32]]:
        self.asked.append(voice_id)
        if voice_id != CLONED.id:
            raise VoiceNotFound(f"no voice {voice_id}")
        return "Words of hers.", np.ones((len(SIZES), 20), np.int32)

    async def inline(self, given: InlineReference) -> tuple[str, NDArray[np.int32]]:
        self.asked.append(given.text)
        return given.text, np.full((len(SIZES), 10), given.audio[0] % 4, np.int32)

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def engine(
    folder: Path,
    *worker: str,
    ahead: float = 100.0,
    window: int = 172,
    slots: int = 16,
    voices: Recordings | None = None,
) -> AsyncIterator[FishEngine]:
    write_folder(folder)
    given = options(slots=slots, window=window, codec=str(folder / "codec.pth"))
    handle = Handle(command(*worker), replace(given, positions=4096), limits=QUICK, patience=SOON)
    codec = EngineCodec(handle, folder / "codec.pth")
    made = FishEngine(folder, handle, codec, voices or Recordings(), FishRules(ahead))
    try:
        await made.start()
        yield made
    finally:
        await made.close()


def utterance(voice: Voice = BUILTIN, *, speed: float = 1.0, **given: float) -> Utterance:
    asked = Sampling(max_frames=12) if not given else Sampling(**{"max_frames": 12, **given})  # type: ignore[arg-type]  # a test's own names
    return Utterance("r", voice, "en-US", speed, asked)


async def written(*texts: str) -> AsyncIterator[Piece]:
    for text in texts:
        yield Piece(text)
