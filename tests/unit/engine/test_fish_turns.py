"""What the Fish engine asks its process for, turn by turn, and what it makes of the answers."""

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from tests.fish_vocabulary import write_folder

from june_tts.audio.seams import PAUSE_MS
from june_tts.engine.fish import FishEngine, FishRules
from june_tts.engine.fish_voices import EngineCodec
from june_tts.fish.events import Done, Frames, Timings
from june_tts.fish.handle import Handle
from june_tts.fish.options import EngineInfo, EngineOptions
from june_tts.fish.prompt import Prompt
from june_tts.fish.sequence import Codes, SamplingParams, Stop
from june_tts.fish.spoken import frames_for
from june_tts.types import InlineReference, Piece, Utterance, Voice

pytestmark = pytest.mark.unit

RATE, FRAME = 44_100, 2048
ENGLISH = ("en-US",)


class ScriptedHandle(Handle):
    """Each turn is as many frames as its text should take, all of the turn's number, a steady tone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(["/bin/false"], EngineOptions(str(folder), str(folder / "codec.pth")))
        self.prompts: list[Prompt] = []
        self.params: list[SamplingParams] = []
        self.frames = frames_for("x" * 60)

    async def start(self) -> EngineInfo:
        self.info = EngineInfo("cpu", "float32", 10, 4, 4096, 1, RATE, FRAME)
        return self.info

    async def generate(
        self, prompt: Prompt, params: SamplingParams, *, realtime: bool = True, trace: str = ""
    ) -> AsyncGenerator[Frames | Done, None]:
        self.prompts.append(prompt)
        self.params.append(params)
        codes = np.full((10, self.frames), len(self.prompts), np.int32)
        tone = np.tile(np.array([0.5, -0.5], np.float32), self.frames * FRAME // 2)
        for half in (slice(0, self.frames // 2), slice(self.frames // 2, None)):
            samples = tone[: codes[:, half].shape[1] * FRAME]
            yield Frames("1", codes[:, half], samples)
        yield Done("1", Stop.END, self.frames, 0, Timings())


class Ann:
    async def prompt(self, voice_id: str) -> tuple[str, Codes]:
        return "Words of hers.", np.full((10, 30), 99, np.int32)

    async def inline(self, given: InlineReference) -> tuple[str, Codes]:
        raise AssertionError("no recording came with the request")

    async def close(self) -> None:
        """Nothing to stop."""


async def started(folder: Path) -> tuple[FishEngine, ScriptedHandle]:
    write_folder(folder)
    handle = ScriptedHandle(folder)
    engine = FishEngine(folder, handle, EngineCodec(handle, folder / "codec.pth"), Ann(), FishRules(1000.0))
    await engine.start()
    return engine, handle


async def heard(engine: FishEngine, voice: Voice, *pieces: Piece) -> float:
    """Seconds of speech."""

    async def written() -> AsyncIterator[Piece]:
        for piece in pieces:
            yield piece

    spoken = engine.synthesize(Utterance("r", voice, "en-US"), written())
    return sum([chunk.samples.size async for chunk in spoken]) / RATE


def codes_in(prompt: Prompt) -> list[int]:
    """The different codes of a prompt, in order."""
    row = prompt.columns[2]
    return [int(code) for code in dict.fromkeys(row[row > 0].tolist())]


SENTENCES = [
    Piece(f"Sentence {name} has quite a few words that take their time to say.") for name in "abcdef"
]


async def test_each_turn_is_conditioned_on_the_voice_and_on_the_turn_before(tmp_path: Path) -> None:
    engine, handle = await started(tmp_path)
    voice = Voice("ann", "Ann", "cloned", None, ENGLISH, None, "hers")
    await heard(engine, voice, *SENTENCES)
    assert len(handle.prompts) > 2
    assert [codes_in(prompt) for prompt in handle.prompts[:3]] == [[99], [99, 1], [99, 2]]
    prefixes = {prompt.columns[:, : prompt.prefix].tobytes() for prompt in handle.prompts}
    assert len(prefixes) == 1 and handle.prompts[0].prefix > 30, "the voice's KV cannot be shared"


async def test_turns_are_drawn_with_seeds_of_their_own(tmp_path: Path) -> None:
    engine, handle = await started(tmp_path)
    await heard(engine, engine.voices()[0], *SENTENCES)
    first = handle.params[0].seed
    assert [params.seed - first for params in handle.params] == list(range(len(handle.params)))


async def test_the_pauses_of_the_text_are_between_its_turns(tmp_path: Path) -> None:
    engine, handle = await started(tmp_path)
    alone = await heard(engine, engine.voices()[0], Piece("A paragraph.", "paragraph"))
    both = await heard(engine, engine.voices()[0], Piece("A paragraph.", "paragraph"), Piece("Another one."))
    assert len(handle.prompts) == 3
    assert both - 2 * alone == pytest.approx(PAUSE_MS["paragraph"] / 1000 - 0.2, abs=0.01)
