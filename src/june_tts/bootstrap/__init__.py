"""The one composition root: builds everything from the settings and closes it in reverse."""

import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import version

from june_tts.audio.judge import judge
from june_tts.bootstrap.access import access_of
from june_tts.bootstrap.admission import admission_of
from june_tts.bootstrap.batch import batches_of
from june_tts.bootstrap.beside import beside
from june_tts.bootstrap.engines import CLONING_ENGINES, fish_alone, watch_engine
from june_tts.bootstrap.hosting import engines_for
from june_tts.bootstrap.jobs import jobs_of
from june_tts.bootstrap.library import check_names, database_limits, database_url, make_folder, recogniser_of
from june_tts.bootstrap.phrases import book_of, listed_in, phrases_of
from june_tts.bootstrap.reloading import body_limits, live_limits, reloads_of
from june_tts.bootstrap.rooms import ticket_source, utterances_of
from june_tts.bootstrap.sharing import shared_of
from june_tts.bootstrap.telemetry import health_of, traces_of, watch_machine
from june_tts.bootstrap.voices import cached_voices, counted_uses, warm_voices
from june_tts.cache import Shared
from june_tts.engine.host_link import HostLink
from june_tts.engine.hosted import HostedEngine
from june_tts.http.access import AccessControl
from june_tts.http.services import Services
from june_tts.ports import Engine, References, SpeaksInCodes, VoiceStore
from june_tts.service.admission import Places
from june_tts.service.library_references import LibraryReferences
from june_tts.service.phrase_parts import PartsSpeech
from june_tts.service.synthesis import Synthesizer
from june_tts.service.voice_uses import VoiceUses
from june_tts.service.voices import VoiceLibrary
from june_tts.settings import Settings
from june_tts.store import MemoryVoiceStore, open_stores
from june_tts.telemetry.loop_lag import watch_loop
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.recorder import Recorder
from june_tts.text import check_text, speakable, verbatim

__all__ = ["CLONING_ENGINES", "database_url", "running", "running_alone", "watch_engine"]


@asynccontextmanager
async def running(settings: Settings, link: HostLink | None = None) -> AsyncIterator[Services]:
    """Everything, started and warm; closed in reverse on leaving.

    Args:
        link: to the process with the engines, where this is one of several web workers.

    Raises:
        SettingsError: JUNE_DATA_DIR cannot be created, REDIS_URL or the list of JUNE_PHRASES cannot be read,
            what rooms need is there in part, or nobody would be asked for a key where others can connect.
        ModelUnavailable: no engine could be loaded, or JUNE_ASR_MODEL is no model.
        StoreUnavailable: the voice library cannot be opened.
        VoiceNotFound: JUNE_DEFAULT_VOICE or an alias names a voice that is not there.
    """
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        # before anything is opened: models take minutes, and what is wrong should be known at once
        tickets, listed = ticket_source(settings, stack), listed_in(settings)
        make_folder(settings.data_dir)
        shared = await shared_of(settings, metrics, stack)
        stores = await open_stores(database_url(settings), settings.data_dir, database_limits(settings))
        store = cached_voices(settings, stores, shared, metrics, stack)
        uses = counted_uses(stores.voice_uses, stack)
        # before the models are loaded: that nobody may be let in should be known at once
        access = await access_of(settings, stores, shared, metrics, stack, link)
        engines = await engines_for(settings, store, link, stack)
        library = VoiceLibrary(
            store,
            engines,
            judge,
            default_voice=settings.default_voice,
            aliases=settings.aliases,
            cloning_engines_hint=CLONING_ENGINES,
            transcribes=settings.asr_model is not None,
            audit=access.audit,
            require_consent=settings.require_consent,
        )
        stack.callback(library.close)
        await check_names(library, settings)
        await warm_voices(settings, store, stores.voice_uses, engines)
        # What was built lives as long as the process. Left to the collector, it would be walked again and
        # again, 20 ms at a time, while streams wait.
        gc.collect()
        gc.freeze()
        services = _services(settings, metrics, shared, access, library, store, uses, engines, stack, link)
        services = replace(services, book=book_of(listed, services, stack))
        services = replace(services, jobs=jobs_of(settings, services, stores.jobs, stack))
        services = replace(services, reloads=reloads_of(settings, services))
        yield replace(services, utterances=utterances_of(settings, tickets, services, stack))


@asynccontextmanager
async def running_alone(
    settings: Settings, references: References, engine: Engine | None = None
) -> AsyncIterator[Services]:
    """The Fish engine of the settings, or `engine`, without a voice library; its first voice is the default.

    Raises:
        ModelUnavailable: the engine could not be loaded, or JUNE_ASR_MODEL is no model.
        SettingsError: LLAMA_CHECKPOINT_PATH is not set, or the list of JUNE_PHRASES cannot be read.
    """
    async with AsyncExitStack() as stack:
        store = MemoryVoiceStore()
        metrics = Metrics()
        listed = listed_in(settings)
        access = await access_of(settings, None, None, metrics, stack)
        recogniser = recogniser_of(settings, stack)
        engine = engine or fish_alone(settings, store, recogniser)
        await engine.start()
        stack.push_async_callback(engine.close)
        library = VoiceLibrary(store, [engine], judge, engine.voices()[0].id, {})
        stack.callback(library.close)
        services = _services(settings, metrics, None, access, library, store, None, [engine], stack)
        services = replace(services, book=book_of(listed, services, stack), references=references)
        yield replace(services, reloads=reloads_of(settings, services))


def _services(
    settings: Settings,
    metrics: Metrics,
    shared: Shared | None,
    access: AccessControl,
    library: VoiceLibrary,
    store: VoiceStore,
    uses: VoiceUses | None,
    engines: Sequence[Engine],
    stack: AsyncExitStack,
    link: HostLink | None = None,
) -> Services:
    for engine in engines:
        watch_engine(metrics, engine)
    recorder = Recorder(metrics)
    admission = admission_of(settings, metrics, recorder, link)
    beside(stack, watch_loop(metrics))
    watch_machine(metrics, stack, gpus=not any(isinstance(engine, HostedEngine) for engine in engines))
    synthesizer = Synthesizer(
        library,
        speakable=speakable,
        verbatim=verbatim,
        check_text=check_text,
        admission=admission,
        recorder=recorder,
        max_text_chars=settings.max_text_chars,
        meter=access.meter,
        used=uses.count if uses else lambda _: None,
    )
    phrases = phrases_of(settings, synthesizer, shared, metrics, stack)
    codec = next((engine.codec for engine in engines if isinstance(engine, SpeaksInCodes)), None)
    return Services(
        version=version("june-tts"),
        synthesizer=synthesizer,
        library=library,
        store=store,
        engines=engines,
        admission=admission,
        phrases=phrases,
        parts=PartsSpeech(synthesizer, phrases),
        uses=uses,
        recorder=recorder,
        metrics=metrics,
        health=health_of(settings, engines, store, recorder, admission, metrics, shared, stack),
        shared=shared,
        body_limits=body_limits(settings),
        access=access,
        default_voice=settings.default_voice,
        stall_seconds=settings.stall_seconds,
        sockets=Places(settings.live_sockets, "sockets"),
        live=live_limits(settings),
        references=LibraryReferences(library),
        deadline_ms=settings.deadline_ms,
        batches=batches_of(settings, synthesizer, admission, metrics),
        codec=codec,
        traces=traces_of(settings, stack),
        access_log=settings.access_log,
    )
