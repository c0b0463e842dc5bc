"""A host of engines and one worker's link to it, over a real socket."""

import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

from june_tts.bootstrap.hosted_admission import HostedAdmission, admit_at
from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.engine.fake import FakeEngine
from june_tts.engine.host_link import HostLink, HostPatience
from june_tts.engine.hosted import HostedEngine, hosted_engines
from june_tts.engine.hosting import EngineHost
from june_tts.service.admission import Admission, AdmissionRules
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.tracing import TraceContext
from june_tts.types import (
    AudioChunk,
    Piece,
    Utterance,
    WrittenWord,
)

TEXTS = ("Good morning.", "It is half past nine, and the train leaves.")
RULES = AdmissionRules(2, 1, {"interactive": 5.0, "normal": 5.0, "batch": 5.0})
CALLER = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True, state="a=b")
SOON = HostPatience(start=5.0, wait=2.0, answer=5.0)


@dataclass
class Pair:
    engine: FakeEngine
    hosted: HostedEngine
    link: HostLink
    host: EngineHost
    path: str
    admission: Admission

    def worker(self) -> HostedAdmission:
        return HostedAdmission(self.link, RULES, Metrics().admission, self.refused.append)

    refused: list[str] = field(default_factory=list)


@asynccontextmanager
async def pair(engine: FakeEngine | None = None, patience: HostPatience = SOON) -> AsyncIterator[Pair]:
    engine = engine or FakeEngine()
    admission = Admission(RULES, Metrics().admission, lambda code: None)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/host"
        host, link = EngineHost([engine], admit_at(admission), MemoryLedger()), HostLink(path, patience)
        await host.start(path)
        await link.start()
        try:
            yield Pair(engine, hosted_engines(link)[0], link, host, path, admission)
        finally:
            await link.close()
            await host.close()


def utterance(engine: FakeEngine, **changed: object) -> Utterance:
    return replace(Utterance("id", engine.voices()[0], "en-US"), **changed)  # type: ignore[arg-type]  # fields


async def pieces(*texts: str) -> AsyncGenerator[Piece, None]:
    for text in texts:
        yield Piece(text, "clause", (WrittenWord(text[:4], 0, 4),))


async def spoken(
    engine: FakeEngine | HostedEngine, said: Utterance, texts: AsyncIterable[Piece]
) -> list[AudioChunk]:
    async with aclosing(engine.synthesize(said, texts)) as chunks:
        return [chunk async for chunk in chunks]
