"""The whole HTTP surface over a fake engine and a store in memory: no model, no socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
from fastapi import FastAPI

from june_tts.audio.judge import judge
from june_tts.cache.doorkeeper import Doorkeeper
from june_tts.cache.phrases import PhraseMemory
from june_tts.engine.fake import FakeCodec, FakeEngine
from june_tts.http.access import AccessControl
from june_tts.http.app import create_app
from june_tts.http.live_limits import LiveLimits
from june_tts.http.middleware import BodyLimits
from june_tts.http.services import Services
from june_tts.jobs import JobRules
from june_tts.ports import References, RoomPublisher, SharedPhrases
from june_tts.service.admission import Admission, AdmissionRules, Places
from june_tts.service.batch import Batches, BatchRules
from june_tts.service.health import Health
from june_tts.service.job_runner import JobRunner, RunnerRules
from june_tts.service.jobs import Jobs
from june_tts.service.library_references import LibraryReferences
from june_tts.service.phrase_parts import PartsSpeech
from june_tts.service.phrase_shelf import PhraseShelf
from june_tts.service.phrases import PhraseRules, Phrases
from june_tts.service.synthesis import Synthesizer
from june_tts.service.utterances import Utterances
from june_tts.service.voices import VoiceLibrary
from june_tts.service.watchdog import Watchdog
from june_tts.store.memory import MemoryVoiceStore
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.recorder import Recorder
from june_tts.telemetry.tracing import NoTraces, Traces
from june_tts.text import check_text, speakable, verbatim
from june_tts.types import KeyLimits
from tests.fake_access import fake_access
from tests.jobs_alone import jobs_alone

MAX_CHARS = 5000
MAX_JOB_CHARS = 50_000


@dataclass(frozen=True)
class FakeServer:
    app: FastAPI
    engine: FakeEngine
    services: Services
    http: httpx.AsyncClient


@asynccontextmanager
async def fake_server(
    engine: FakeEngine | None = None,
    *,
    api_key: str | None = None,
    limits_of_keys: KeyLimits | None = None,
    access: AccessControl | None = None,
    metrics: Metrics | None = None,
    max_streams: int = 4,
    rules: AdmissionRules | None = None,
    stall_seconds: float = 5.0,
    references: References | None = None,
    codec: FakeCodec | None = None,
    sockets: int = 8,
    live: LiveLimits | None = None,
    rooms: RoomPublisher | None = None,
    batch: BatchRules | None = None,
    runner: RunnerRules | None = None,
    job_rules: JobRules | None = None,
    room_queue: int = 4,
    watchdog_seconds: float = 10.0,
    traces: Traces | None = None,
    access_log: bool = False,
    phrase_bytes: int = 1 << 20,
    longest_phrase: int = 1 << 20,
    random_phrases: bool = False,
    shared_phrases: SharedPhrases | None = None,
) -> AsyncIterator[FakeServer]:
    """A client on a server of its own, with the default voice `fake`.

    Args:
        runner: who works on jobs; without, nobody does.
    """
    engine = engine or FakeEngine()
    codec = codec or FakeCodec()
    metrics = metrics or Metrics()
    recorder = Recorder(metrics)
    admission = Admission(rules or AdmissionRules(max_streams, queue=0), metrics.admission, recorder.refused)
    store = MemoryVoiceStore()
    access = access or fake_access(metrics, api_key, limits_of_keys)
    library = VoiceLibrary(store, [engine], judge, "fake", {"alloy": "fake"}, ["fish"], audit=access.audit)
    synthesizer = Synthesizer(
        library,
        speakable=speakable,
        verbatim=verbatim,
        check_text=check_text,
        admission=admission,
        recorder=recorder,
        max_text_chars=MAX_CHARS,
        meter=access.meter,
    )
    memory = PhraseMemory(most_bytes=phrase_bytes, seconds=60)
    metrics.phrases.watch(lambda: memory.bytes, lambda: len(memory))
    shelf = PhraseShelf(memory, shared_phrases, metrics.phrases, most_bytes=longest_phrase)
    drawn = PhraseRules(random=random_phrases)
    phrases = Phrases(synthesizer, shelf, Doorkeeper(1024), metrics.phrases, drawn)
    library.on_removed(shelf.forget)
    parts = PartsSpeech(synthesizer, phrases)
    limits = BodyLimits(max_body_bytes=65_536, max_upload_bytes=2_000_000, timeout_seconds=0.5)
    watchdog = Watchdog([engine], recorder.progress, metrics.engines, watchdog_seconds)
    health = Health([engine], store, watchdog, draining=lambda: admission.draining)
    looking = asyncio.create_task(watchdog.run())
    services = Services(
        version="0",
        synthesizer=synthesizer,
        library=library,
        store=store,
        engines=[engine],
        admission=admission,
        phrases=phrases,
        parts=parts,
        recorder=recorder,
        metrics=metrics,
        health=health,
        body_limits=limits,
        access=access,
        default_voice="fake",
        stall_seconds=stall_seconds,
        sockets=Places(sockets, "sockets"),
        live=live or LiveLimits(stall_seconds=stall_seconds),
        traces=traces or NoTraces(),
        access_log=access_log,
        references=references or LibraryReferences(library),
        batches=Batches(synthesizer, admission, metrics.batch, batch or BatchRules()),
        codec=codec,
        utterances=Utterances(parts, rooms, admission, metrics, queue_length=room_queue) if rooms else None,
    )
    async with jobs_alone() as kept_jobs:
        kept, at_work = job_rules or JobRules(), runner or RunnerRules()
        worker = JobRunner(kept_jobs, synthesizer, admission, metrics.jobs, at_work, kept)
        jobs = Jobs(kept_jobs, synthesizer, worker, admission, metrics.jobs, kept, characters=MAX_JOB_CHARS)
        if runner:
            worker.start()
        services = replace(services, jobs=jobs)
        app = create_app(services)
        transport = httpx.ASGITransport(app)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://june") as http:
                yield FakeServer(app, engine, services, http)
        finally:
            await worker.close(0)
    looking.cancel()
    if services.utterances:
        await services.utterances.close(0)
    await shelf.close()
    library.close()
