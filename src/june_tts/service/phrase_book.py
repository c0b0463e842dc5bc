"""Keeps the phrases of a list spoken: made at start, after a voice has changed, and when the list has."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import structlog

from june_tts.errors import JuneError
from june_tts.service.coding import Coding
from june_tts.service.phrase_key import order
from june_tts.service.phrase_list import Listed
from june_tts.service.phrases import Found, Phrases
from june_tts.service.terms import Terms, terms
from june_tts.types import AudioChunk, Phrase

LOOK_SECONDS = 30.0
"""Between two looks at the list: what could not be made is tried again, and what another replica or program
did to a voice is found."""

log = structlog.get_logger(__name__)


class PhraseBook:
    """`start` before the first use, `close` after the last. For one event loop."""

    def __init__(
        self,
        phrases: Phrases,
        listed: Sequence[Listed],
        *,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._phrases = phrases
        self._listed = listed
        self._look_seconds = look_seconds
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pinned: set[bytes] = set()
        self._voices: set[str] = set()
        """Whom the list names, by what name ever."""
        self._faults: dict[int, str] = {}
        """Lines that could not be spoken, and why: told once."""

    @property
    def pinned(self) -> int:
        """Encoded phrases of the list that are at hand."""
        return len(self._pinned)

    def start(self) -> None:
        """Make what is listed, in the background, when nobody else wants to speak."""
        self._task = asyncio.create_task(self._run())

    def reload(self, listed: Sequence[Listed]) -> None:
        """Take another list."""
        self._listed = listed
        self._faults.clear()
        self._changed.set()

    def changed(self, voice_id: str) -> None:
        """A voice is another one now, or gone."""
        self._phrases.shelf.changed(voice_id)
        # many ids come here that are no voice's: each would cost a look at the whole list
        if voice_id in self._voices:
            self._changed.set()

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        with terms(Terms(priority="batch")):
            while True:
                self._changed.clear()
                await self._phrases.shelf.drop_gone()
                await self._prepare()
                try:
                    async with asyncio.timeout(self._look_seconds):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def _prepare(self) -> None:
        began, before = time.monotonic(), self._pinned
        self._pinned = set()
        self._voices = {listed.request.voice_id for listed in self._listed}
        for listed in self._listed:
            await asyncio.sleep(0)  # a long list that is all there would hold up the loop
            try:
                await self._line(listed)
            except JuneError as refusal:
                self._told(listed.line, str(refusal))
            except Exception as fault:  # one line must not cost the others
                log.exception("a listed phrase failed", line=listed.line)
                self._faults[listed.line] = str(fault)
        self._phrases.shelf.unpin(but=self._pinned)
        if self._pinned != before:
            seconds = round(time.monotonic() - began, 1)
            log.info("listed phrases are ready", phrases=len(self._pinned), seconds=seconds)

    async def _line(self, listed: Listed) -> None:
        missing: list[tuple[Coding, Found]] = []
        for coding in listed.codings:
            found = await self._phrases.prepared(order(listed.request, coding.name))
            if found.settled is not None:
                self._voices.add(found.settled.utterance.voice.id)
            if found.phrase is None:
                missing.append((coding, found))
            else:
                self._pin(listed, found, found.phrase)
        if missing:
            await self._make(listed, missing)
        self._faults.pop(listed.line, None)

    async def _make(self, listed: Listed, missing: Sequence[tuple[Coding, Found]]) -> None:
        """Spoken once, encoded for each."""
        async with aclosing(self._phrases.spoken(listed.request)) as speech:
            chunks = [chunk async for chunk in speech]
        seconds = sum(chunk.samples.size / chunk.sample_rate for chunk in chunks)
        for coding, found in missing:
            async with aclosing(coding.encode(_each(chunks))) as encoded:
                body = b"".join([data async for data in encoded])
            now = await self._phrases.prepared(order(listed.request, coding.name))
            if now.key != found.key:
                self._changed.set()  # the voice became another one meanwhile
            else:
                self._pin(listed, found, Phrase(body, seconds), made=True)

    def _pin(self, listed: Listed, found: Found, phrase: Phrase, *, made: bool = False) -> None:
        if self._phrases.pin(found, phrase, made=made):
            self._pinned.add(found.key)
        else:
            self._told(listed.line, "there is no room for it in JUNE_PHRASE_MB, or it is over JUNE_PHRASE_KB")

    def _told(self, line: int, reason: str) -> None:
        if self._faults.get(line) != reason:
            self._faults[line] = reason
            log.warning("a listed phrase is not ready", line=line, reason=reason)


async def _each(chunks: Sequence[AudioChunk]) -> AsyncGenerator[AudioChunk, None]:
    for chunk in chunks:
        yield chunk
