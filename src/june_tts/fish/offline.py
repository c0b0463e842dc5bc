"""Texts to codes in one batch, without a server: what `june-tts fish codes` does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from june_tts.errors import EngineFailed, InvalidRequest
from june_tts.fish.build import Precision, load_model
from june_tts.fish.events import Done, Event, Failed, Frames, LoopConfig, Request
from june_tts.fish.frame import SpecialTokens
from june_tts.fish.layout import check_checkpoint
from june_tts.fish.loop import Loop
from june_tts.fish.prompt import Prompt, Reference, build
from june_tts.fish.runner import TorchRunner
from june_tts.fish.sequence import Codes, SamplingParams, Stop
from june_tts.fish.tokenizer import Tokenizer

MOST_TEXTS = 256
"""Each takes a slot of KV of its own."""


def special_tokens(tokenizer: Tokenizer) -> SpecialTokens:
    return SpecialTokens(tokenizer.semantic_begin, tokenizer.semantic_end, tokenizer.im_end)


class Offline:
    """A loaded checkpoint without a codec."""

    def __init__(
        self,
        folder: Path,
        precision: Precision,
        device: str = "cpu",
        *,
        batch_invariant: bool = False,
        compile: bool = False,
    ) -> None:
        """Raises: ModelUnavailable, InvalidRequest."""
        check_checkpoint(folder)
        self._tokenizer = Tokenizer.read(folder)
        self._model = load_model(
            folder, precision, device=device, invariant=batch_invariant or None, compile=compile
        )

    def codes(
        self, texts: Sequence[str], params: SamplingParams, references: Sequence[Reference] = ()
    ) -> list[tuple[Codes, Stop]]:
        """What each text is spoken as, all in one batch: codes (codebooks, frames), and why they end.

        Special tokens in a text are taken as such, as the reference does.

        Raises:
            InvalidRequest: too many texts, or one that does not fit the model's positions.
            EngineFailed: the model raised.
        """
        if not 0 < len(texts) <= MOST_TEXTS:
            raise InvalidRequest(f"{len(texts)} texts, expected 1 to {MOST_TEXTS}", param="text-file")
        prompts = [self._prompt(text, references) for text in texts]
        loop = self._loop(prompts, params)
        for number, prompt in enumerate(prompts):
            loop.submit(Request(str(number), prompt.columns, prompt.prefix, params, realtime=False))
        return _collected(loop, len(texts))

    def _prompt(self, text: str, references: Sequence[Reference]) -> Prompt:
        codebooks = self._model.config.codebooks
        return build(self._tokenizer, text, references, codebooks, parse_special=True)

    def _loop(self, prompts: Sequence[Prompt], params: SamplingParams) -> Loop:
        longest = max(prompt.columns.shape[1] for prompt in prompts)
        tokens = special_tokens(self._tokenizer)
        positions = longest + params.max_frames
        runner = TorchRunner(self._model, tokens, slots=len(prompts), positions=positions)
        return Loop(runner, None, LoopConfig(max_waiting=len(prompts), illegal_guard=0))


def _collected(loop: Loop, count: int) -> list[tuple[Codes, Stop]]:
    parts: list[list[Codes]] = [[] for _ in range(count)]
    stops: list[Stop] = [Stop.FAILED] * count
    while loop.busy:
        for event in loop.turn():
            _book(event, parts, stops)
    empty = np.empty((0, 0), np.int32)
    joined = (np.concatenate(part, axis=1) if part else empty for part in parts)
    return list(zip(joined, stops, strict=True))


def _book(event: Event, parts: list[list[Codes]], stops: list[Stop]) -> None:
    match event:
        case Frames(id=number, codes=codes):
            parts[int(number)].append(codes)
        case Done(id=number, stop=stop):
            stops[int(number)] = stop
        case Failed(message=message, retryable=retryable):
            raise EngineFailed(message) if retryable else InvalidRequest(message)
