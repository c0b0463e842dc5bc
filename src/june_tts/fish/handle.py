"""The engine as the server sees it: one process at a time, started again when it dies. No torch.

handle = Handle([sys.executable, "-m", "june_tts.fish.worker"], options)
await handle.start()
async with aclosing(handle.generate(prompt, params)) as made:
    async for event in made: …
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from june_tts.errors import EngineFailed, ModelUnavailable
from june_tts.fish.calls import Good
from june_tts.fish.events import Done, Frames, Request, Stats
from june_tts.fish.link import Limits, Link
from june_tts.fish.messages import CodesMade, Decode, Encode, SamplesMade, ToEngine
from june_tts.fish.options import EngineInfo, EngineOptions
from june_tts.fish.prompt import Prompt
from june_tts.fish.sequence import Codes, SamplingParams
from june_tts.fish.totals import NOTHING, total
from june_tts.types import Samples

Status = Literal["starting", "ready", "restarting", "failed"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the handle goes on trying, in seconds."""

    wait: float = 10.0
    """For a process that is being started again, by a request that has come meanwhile."""
    answer: float = 300.0
    """For codes of a recording, or samples of codes."""
    first_pause: float = 0.1
    """Before a process is started again; doubled each time that one did not become ready."""
    longest_pause: float = 30.0
    give_up: int = 3
    """Starts in a row that failed, after which requests are refused at once. Trying goes on."""


class Handle:
    """`start` before the first use, `close` after the last. For one event loop."""

    def __init__(
        self,
        command: Sequence[str],
        options: EngineOptions,
        *,
        limits: Limits | None = None,
        patience: Patience | None = None,
    ) -> None:
        """`command` starts the process; the number of its socket is put after it."""
        self._command = tuple(command)
        self._options = options
        self._limits = limits or Limits()
        self._patience = patience or Patience()
        self._link: Link | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._why = ""
        self._before = NOTHING
        self.status: Status = "starting"
        self.since = time.time()
        """When it came to be so, seconds since 1970."""
        self.restarts = 0
        """Processes started in place of one that had ended."""
        self.info: EngineInfo | None = None
        """Of the process that was ready last."""

    @property
    def pid(self) -> int | None:
        """Of the process that is ready."""
        return None if self._link is None else self._link.pid

    @property
    def idle_since(self) -> float | None:
        """See `Link.idle_since`; None while no process is ready, which `status` tells."""
        return None if self._link is None else self._link.idle_since

    @property
    def stats(self) -> Stats:
        """Counters run over all processes; the rest is a second old at most, and zero while none is ready."""
        now = None if self._link is None else self._link.stats
        return total(self._before, now or NOTHING)

    async def start(self) -> EngineInfo:
        """Start the process and wait until it is ready.

        Raises:
            ModelUnavailable: it cannot be loaded. Nothing is left running.
        """
        self._supervisor = asyncio.create_task(self._supervise())
        self._supervisor.add_done_callback(self._unsupervised)
        try:
            while self.status == "starting":
                await self._change()
        except asyncio.CancelledError:
            await self.close()
            raise
        if self.info is None:
            why = self._why
            await self.close()
            raise ModelUnavailable(why)
        return self.info

    async def close(self) -> None:
        """End the process; what is under way fails."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        self._why = "the engine was closed"
        self._become("failed")

    async def generate(
        self, prompt: Prompt, params: SamplingParams, *, realtime: bool = True, trace: str = ""
    ) -> AsyncGenerator[Frames | Done, None]:
        """Speak a prompt: frames, then one `Done`. Closing the generator cancels the work and frees its slot.

        A reader who takes nothing holds up its own stream: once `EngineOptions.window` frames are made ahead,
        and one chunk more at most, no further ones are made until it takes some.

        Raises:
            EngineFailed: the process died, is not there, or could not go on. Retryable.
            InvalidRequest: the prompt or its parameters cannot be served, now or later.
        """
        link = await self._serving()
        call = link.begin(
            lambda id: Request(id, prompt.columns, prompt.prefix, params, realtime, trace=trace),
            window=self._options.window,
        )
        try:
            while not isinstance(answer := await call.next(), Done):
                if isinstance(answer, Frames):
                    yield answer
            yield answer
        finally:
            link.finish(call)

    async def encode(self, samples: Samples) -> Codes:
        """Codes of a recording at the codec's rate. Raises: as `generate`."""
        answer = await self._ask(lambda id: Encode(id, samples))
        if not isinstance(answer, CodesMade):
            raise EngineFailed("the engine answered with something else than codes")
        return answer.codes

    async def decode(self, codes: Codes) -> Samples:
        """Samples of codes, samples_per_frame a frame. Raises: as `generate`."""
        answer = await self._ask(lambda id: Decode(id, codes))
        if not isinstance(answer, SamplesMade):
            raise EngineFailed("the engine answered with something else than samples")
        return answer.samples

    async def _ask(self, message: Callable[[str], ToEngine]) -> Good:
        link = await self._serving()
        call = link.begin(message)
        try:
            async with asyncio.timeout(self._patience.answer):
                await link.drained()
                return await call.next()
        except TimeoutError:
            raise EngineFailed(f"the engine gave no answer in {self._patience.answer:g} s") from None
        finally:
            link.finish(call)

    async def _serving(self) -> Link:
        """The process, waiting for it where it is being started again."""
        try:
            async with asyncio.timeout(self._patience.wait):
                while (link := self._link) is None or link.over:
                    if self.status == "failed":
                        raise EngineFailed(f"the engine does not run: {self._why}")
                    await self._change()
                return link
        except TimeoutError:
            raise EngineFailed("the engine is being started again", retry_after=self._patience.wait) from None

    async def _supervise(self) -> None:
        failures = 0
        while True:
            if (link := await self._started()) is None:
                failures += 1
            else:
                failures = 0
                await self._serve(link)
            lost = self.info is None or failures >= self._patience.give_up
            self._become("failed" if lost else "restarting")
            await asyncio.sleep(min(self._patience.first_pause * 2**failures, self._patience.longest_pause))
            self.restarts += 1

    async def _started(self) -> Link | None:
        """A process that is ready, or none, and `_why`."""
        try:
            link = await Link.open(self._command, self._options, self._limits)
        except ModelUnavailable as bad:
            self._why = str(bad)
            return None
        try:
            self.info = await link.ready()
        except ModelUnavailable as bad:
            self._why = str(bad)
            if self.info is not None:  # else `start` raises it
                log.error("the engine did not start again: %s", self._why)
            await link.close()
            return None
        except asyncio.CancelledError:
            await link.close()
            raise
        return link

    async def _serve(self, link: Link) -> None:
        """Hand out a process until it has ended."""
        self._link = link
        self._become("ready")
        try:
            await link.ended()
            self._why = link.why_ended
            log.error("the engine ended: %s", self._why)
        finally:
            self._before = self.stats
            self._link = None
            self._become("restarting")
            await link.close()

    def _unsupervised(self, supervisor: asyncio.Task[None]) -> None:
        """It never ends by itself: a mistake here must be seen, not leave everybody waiting."""
        if not supervisor.cancelled() and (mistake := supervisor.exception()) is not None:
            self._why = f"its supervisor failed ({type(mistake).__name__})"
            log.critical("engine supervisor failed", exc_info=mistake)
            self._become("failed")

    def _become(self, status: Status) -> None:
        if status != self.status:
            self.status, self.since = status, time.time()
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
