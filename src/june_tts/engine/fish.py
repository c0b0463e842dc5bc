"""The Fish engine: speech from the model in the process behind a handle, a turn at a time.

Pieces become turns, each conditioned on the voice and on the turn before: docs/decisions/fish-long-text.md.
The process is explained in docs/decisions/fish-process.md.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from june_tts.audio.seams import Seams
from june_tts.audio.tempo import Tempo
from june_tts.engine.estimated import Loudness, estimated
from june_tts.engine.fish_pauses import Pauses
from june_tts.engine.fish_trace import TurnSpan
from june_tts.engine.fish_voices import EngineCodec, VoicePrompts
from june_tts.engine.fish_words import Told, TurnWords
from june_tts.engine.lead import lead
from june_tts.engine.timing import Timing
from june_tts.errors import EngineFailed
from june_tts.fish.events import Frames
from june_tts.fish.handle import Handle
from june_tts.fish.layout import check_checkpoint, check_codec, weights_of
from june_tts.fish.prompt import Reference
from june_tts.fish.sequence import Codes, SamplingParams
from june_tts.fish.tokenizer import Tokenizer
from june_tts.fish.turns import FIRST_LETTERS, TURN_LETTERS, Turn, Turns
from june_tts.models.fingerprint import fingerprint
from june_tts.ports import VoiceCodec
from june_tts.types import (
    AudioChunk,
    Capabilities,
    EngineCounts,
    EngineHealth,
    Pause,
    Piece,
    Samples,
    Sampling,
    Utterance,
    Voice,
)

VOICE = "fish"
"""Without a recording the model speaks in a voice that the seed draws."""
VOICE_SEED = 42
LICENSE = "CC-BY-NC-SA-4.0"
LANGUAGES = (
    *("en-US", "en-GB", "zh-CN", "ja-JP", "de-DE", "fr-FR", "es-ES", "ko-KR", "ar-SA", "ru-RU"),
    *("nl-NL", "it-IT", "pl-PL", "pt-BR", "pt-PT"),
)
"""What S1-mini was trained on. It tells the language from the text: the tag is for the text's numbers."""
REPEAT_GUARD = 64
"""Frames (3 s) of one and the same token: no longer speech, and it never finds back."""


@dataclass(frozen=True, slots=True)
class FishRules:
    """What is the same for every utterance."""

    ahead_seconds: float
    """Audio made ahead of what the listener has taken."""
    semantic_only: bool = False
    """See `SamplingParams.semantic_only`."""


class FishEngine:
    name = "fish"

    def __init__(
        self,
        checkpoint: Path,
        handle: Handle,
        codec: EngineCodec,
        voices: VoicePrompts,
        rules: FishRules,
    ) -> None:
        """
        Args:
            checkpoint: the folder that the handle's process loads; its tokenizer is read here.
            codec: of the handle's process.
            voices: of the library, over that codec; closed with the engine.
        """
        self._checkpoint = checkpoint
        self._handle = handle
        self._voices = voices
        self._rules = rules
        self._tokenizer: Tokenizer | None = None
        self._fingerprint = ""
        self.codec: VoiceCodec = codec
        self._codec = codec
        self.active = 0

    @property
    def running(self) -> int:
        """Sequences that have a slot, a second ago or less."""
        return self._handle.stats.running

    @property
    def health(self) -> EngineHealth:
        handle = self._handle
        device = handle.info.device if handle.info else ""
        return EngineHealth(handle.status, handle.since, handle.restarts, device)

    @property
    def idle_since(self) -> float | None:
        return self._handle.idle_since

    @property
    def counts(self) -> EngineCounts:
        stats = self._handle.stats
        return EngineCounts(
            restarts=self._handle.restarts,
            steps=stats.steps,
            failed_steps=stats.failed_steps,
            rows=stats.rows,
            frames=stats.frames,
            prompt_positions=stats.prefill_columns,
            prefix_hits=stats.prefix_hits,
            prefix_misses=stats.prefix_misses,
            prefix_bytes=stats.prefix_bytes,
            slots=stats.slots,
            slots_taken=stats.running,
            waiting=stats.waiting,
            batch=stats.last_batch,
            kv_positions=stats.kv_positions,
            kv_used=stats.kv_used,
        )

    def capabilities(self) -> Capabilities:
        return Capabilities(
            engine=self.name,
            languages=LANGUAGES,
            clones=True,
            parameters=frozenset({"temperature", "top_p", "repetition_penalty", "seed", "max_frames"}),
            first_piece_chars=FIRST_LETTERS,
            piece_chars=TURN_LETTERS,
            # its own voice has a seed, where a caller gives none
            repeats="own_voices",
            fingerprint=self._fingerprint,
        )

    def voices(self) -> Sequence[Voice]:
        """Also while the process is being started again: the next request waits for it."""
        rate = self.codec.sample_rate
        return [Voice(VOICE, "Fish", "builtin", self.name, LANGUAGES, rate, LICENSE)]

    async def start(self) -> None:
        self._tokenizer = await asyncio.to_thread(self._read)
        await self._handle.start()
        await self._codec.started()
        weights = await asyncio.to_thread(lambda: fingerprint(weights_of(self._checkpoint)))
        self._fingerprint = f"{weights} {self._codec.fingerprint} {self._rules.semantic_only}"

    def _read(self) -> Tokenizer:
        """A missing file is found here, not seconds later by a process that has to tell of it."""
        check_checkpoint(self._checkpoint)
        check_codec(self._codec.path)
        return Tokenizer.read(self._checkpoint)

    async def warm_voice(self, voice_id: str) -> None:
        await self._voices.prompt(voice_id)

    async def close(self) -> None:
        await self._voices.close()
        await self._handle.close()

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        rate = self.codec.sample_rate
        self.active += 1
        try:
            turns = self._turns(await self._references(utterance))
            params = self._params(utterance)
            told, given = Told(utterance.speed), 0
            spoken = self._spoken(turns, params, pieces, told)
            tempo = Tempo(rate, utterance.speed)
            async with aclosing(lead(spoken, round(self._rules.ahead_seconds * rate))) as chunks:
                async for samples in chunks:
                    if (heard := tempo.feed(samples)).size:
                        given += heard.size
                        yield AudioChunk(heard, rate, tuple(told.heard(given / rate)))
            rest = tempo.finish()
            words = tuple(told.heard((given + rest.size) / rate, last=True))
            if rest.size or words:
                yield AudioChunk(rest, rate, words)
        finally:
            self.active -= 1

    async def _references(self, utterance: Utterance) -> tuple[Reference, ...]:
        if utterance.references:
            found = [await self._voices.inline(given) for given in utterance.references]
        elif utterance.voice.kind == "cloned":
            found = [await self._voices.prompt(utterance.voice.id)]
        else:
            found = []
        return tuple(Reference(words, codes) for words, codes in found)

    def _params(self, utterance: Utterance) -> SamplingParams:
        """Raises: InvalidRequest, naming the field."""
        drawn = secrets.randbits(62) if utterance.voice.kind == "cloned" else VOICE_SEED
        return sampling(utterance.sampling, seed=drawn, semantic_only=self._rules.semantic_only)

    def _turns(self, references: tuple[Reference, ...]) -> Turns:
        info = self._handle.info
        if self._tokenizer is None or info is None:
            raise EngineFailed("the engine fish is not started")
        return Turns(self._tokenizer, references, info.positions, info.codebooks)

    async def _spoken(
        self, turns: Turns, params: SamplingParams, pieces: AsyncIterable[Piece], told: Told
    ) -> AsyncGenerator[Samples, None]:
        """Turn after turn, joined by the pauses of the text. Words are told when their turn has been made."""
        rate = self.codec.sample_rate
        seams, pauses, words = Seams(rate), Pauses(), TurnWords()
        timing = Timing(seams, rate)
        pause: Pause | None = None
        async with aclosing(turns.read(pauses.texts(words.of(pieces)))) as read:
            async for turn in read:
                if pause is not None:
                    rest = seams.end_piece(pause)
                    timing.end()
                    told.add(timing.heard())
                    if rest.size:
                        yield rest
                loudness = Loudness(rate)
                async with aclosing(self._turn(turns, turn, params)) as made:
                    async for samples in made:
                        loudness.feed(samples)
                        if (heard := seams.feed(samples)).size:
                            yield heard
                timing.begin(words.turn(turn.text), estimated(turn.text, loudness))
                told.add(timing.heard())
                pause = pauses.after(turn.text)
        rest = seams.end_piece("none", last=True)
        timing.end()
        told.add(timing.heard())
        if rest.size:
            yield rest

    async def _turn(self, turns: Turns, turn: Turn, params: SamplingParams) -> AsyncGenerator[Samples, None]:
        codes: list[Codes] = []
        span = TurnSpan(turn.prompt.columns.shape[1])
        generated = self._handle.generate(turn.prompt, turn.sampling(params), trace=span.traceparent)
        try:
            async with aclosing(generated) as events:
                async for event in events:
                    if isinstance(event, Frames):
                        codes.append(event.codes)
                        if event.samples is not None:
                            yield event.samples
                    else:
                        span.done(event)
                        made = np.concatenate(codes, axis=1) if codes else np.zeros((0, 0), np.int32)
                        turns.made(turn, made, event.stop)
        finally:
            span.end()


def sampling(asked: Sampling, *, seed: int, semantic_only: bool) -> SamplingParams:
    """What a caller may set, over the model's own defaults. A temperature of 0 is always the likeliest.

    Raises: InvalidRequest, naming the field.
    """
    given = {name: getattr(asked, name) for name in asked.given() - {"temperature"}}
    if asked.temperature is not None:
        given |= {"temperature": asked.temperature} if asked.temperature else {"greedy": True}
    return SamplingParams(
        **{"seed": seed, "semantic_only": semantic_only, "repeat_guard": REPEAT_GUARD} | given
    )
