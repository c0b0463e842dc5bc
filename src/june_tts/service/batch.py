"""Many short texts in one request: spoken a few at a time behind everybody who listens, told as each ends."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from june_tts.audio.encode import Encoder, open_encoder
from june_tts.audio.formats import pick_rate
from june_tts.audio.whole import state_length
from june_tts.errors import InvalidRequest, JuneError, Overloaded, RateLimited, TextTooLong
from june_tts.service.rendering import render
from june_tts.service.terms import current_terms, terms
from june_tts.telemetry.metrics.batch import BatchMetrics
from june_tts.types import AudioChunk, Format, SpeechRequest

PATIENCE_SECONDS = 60.0
"""How long an item asks again where every place is taken, before it is told as failed."""
RETRY_SECONDS = 1.0
ANY_RATE = 24_000
"""Stands for the engine's rate where only the asked one is checked."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BatchItem:
    id: str
    """The caller's name for it, once in a batch."""
    speech: SpeechRequest
    format: Format
    sample_rate: int | None = None
    """Hz; None: the engine's own."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """How an item ended: with audio, or with an error."""

    item: BatchItem
    audio: bytes = b""
    """A whole file."""
    sample_rate: int = 0
    seconds: float = 0.0
    error: JuneError | None = None


@dataclass(frozen=True, slots=True)
class BatchRules:
    items: int = 50
    characters: int = 100_000
    """Of all items together."""
    at_once: int = 4
    """Items of one batch that are spoken at a time."""
    batches: int = 8
    """Under way at a time."""
    audio_bytes: int = 32 << 20
    """Of one item."""


class Speaks(Protocol):
    """What is asked of synthesis."""

    def stream(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]: ...


class Stops(Protocol):
    """What is asked of admission."""

    @property
    def draining(self) -> bool: ...


class Batches:
    """No more audio is held than `at_once + 2` items of each batch that is under way."""

    def __init__(
        self, synthesizer: Speaks, admission: Stops, metrics: BatchMetrics, rules: BatchRules
    ) -> None:
        self._synthesizer = synthesizer
        self._admission = admission
        self._metrics = metrics
        self._rules = rules
        self._under_way = 0

    def change(self, rules: BatchRules) -> None:
        """Other rules for batches from now on."""
        self._rules = rules

    async def speak(self, items: Sequence[BatchItem]) -> AsyncGenerator[BatchResult, None]:
        """Each item's result as soon as it has ended, in any order. Closing it ends the others.

        Raises:
            InvalidRequest: before any work: too many items, too much text, an id that is there twice.
            Overloaded: too many batches are under way, or the server is stopping.
        """
        self._check(items)
        self._under_way += 1
        waiting, ended = deque(items), asyncio.Queue[BatchResult](1)
        workers = [
            asyncio.create_task(self._work(waiting, ended))
            for _ in range(min(self._rules.at_once, len(items)))
        ]
        told = 0
        try:
            for _ in items:
                result = await ended.get()
                self._metrics.items.labels("error" if result.error else "success").inc()
                told += 1
                yield result
        finally:
            self._under_way -= 1
            self._metrics.items.labels("cancelled").inc(len(items) - told)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _check(self, items: Sequence[BatchItem]) -> None:
        if not 1 <= len(items) <= self._rules.items:
            raise InvalidRequest(
                f"items has {len(items)} items: expected 1 to {self._rules.items} (JUNE_BATCH_ITEMS)",
                param="items",
            )
        seen: set[str] = set()
        for item in items:
            if item.id in seen:
                raise InvalidRequest(f"items: the id {item.id!r} is there twice", param="items")
            seen.add(item.id)
        characters = sum(len(item.speech.text) for item in items)
        if characters > self._rules.characters:
            raise TextTooLong(
                f"the items have {characters} characters together, at most {self._rules.characters} are "
                "accepted (JUNE_BATCH_CHARS)",
                param="items",
            )
        if self._admission.draining:
            raise Overloaded("this server is stopping: try another one", retry_after=RETRY_SECONDS)
        if self._under_way >= self._rules.batches:
            raise Overloaded(
                f"{self._under_way} batches are under way already (JUNE_BATCHES)", retry_after=RETRY_SECONDS
            )

    async def _work(self, waiting: deque[BatchItem], ended: asyncio.Queue[BatchResult]) -> None:
        with terms(replace(current_terms(), priority="batch", deadline=None)):
            while waiting:
                await ended.put(await self._result(waiting.popleft()))

    async def _result(self, item: BatchItem) -> BatchResult:
        """Never raises: one item's failure is no other's."""
        try:
            return await self._patient(item)
        except JuneError as error:
            return BatchResult(item, error=error)
        except Exception:
            log.exception("item of a batch failed", item_request=item.speech.request_id)
            return BatchResult(item, error=JuneError("june-tts failed on this item; its log says why"))

    async def _patient(self, item: BatchItem) -> BatchResult:
        """Asks again where every place is taken, or its caller has as many: a batch is there to wait."""
        give_up = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                return await self._spoken(item)
            except (Overloaded, RateLimited) as full:
                pause = full.retry_after or RETRY_SECONDS
                late = asyncio.get_running_loop().time() + pause > give_up
                if late or self._admission.draining:
                    raise
                await asyncio.sleep(pause)

    async def _spoken(self, item: BatchItem) -> BatchResult:
        pick_rate(item.format, ANY_RATE, item.sample_rate)
        heard = _Heard(self._synthesizer.stream(item.speech), item)
        audio = bytearray()
        async with aclosing(render(heard.chunks(), heard.encoder)) as parts:
            async for part in parts:
                audio += part
                if len(audio) > self._rules.audio_bytes:
                    raise TextTooLong(
                        f"the audio of this item has more than {self._rules.audio_bytes >> 20} MiB "
                        "(JUNE_BATCH_ITEM_MB): ask for a smaller format, or make it a job (POST /v1/jobs)",
                        param="text",
                    )
        state_length(item.format, audio, len(audio), heard.encoded)
        return BatchResult(item, bytes(audio), heard.sample_rate, heard.seconds)


class _Heard:
    """One item's speech on its way through the encoder, counted."""

    def __init__(self, source: AsyncGenerator[AudioChunk, None], item: BatchItem) -> None:
        self._source = source
        self._item = item
        self._samples = 0
        self._source_rate = 0
        self.sample_rate = 0
        """Hz of the encoded audio."""

    @property
    def seconds(self) -> float:
        return self._samples / self._source_rate if self._source_rate else 0.0

    @property
    def encoded(self) -> int | None:
        """Samples of the encoded audio; None where it was resampled."""
        return self._samples if self.sample_rate == self._source_rate else None

    def encoder(self, source_rate: int) -> Encoder:
        encoder = open_encoder(self._item.format, source_rate, self._item.sample_rate)
        self._source_rate, self.sample_rate = source_rate, encoder.sample_rate
        return encoder

    async def chunks(self) -> AsyncGenerator[AudioChunk, None]:
        async with aclosing(self._source) as source:
            async for chunk in source:
                self._samples += chunk.samples.size
                yield chunk
