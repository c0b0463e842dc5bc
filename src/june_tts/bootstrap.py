"""The one composition root: builds everything from the settings and closes it in reverse."""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import structlog
from sqlalchemy import URL

from june_tts.audio.judge import judge
from june_tts.audio.reference import reference
from june_tts.engine.fake import FakeEngine
from june_tts.engine.kokoro import KokoroEngine
from june_tts.engine.piper import PiperEngine
from june_tts.engine.recogniser import WhisperRecogniser, open_recogniser
from june_tts.engine.remote import RemoteEngine, recordings_in
from june_tts.engine.remote_client import RemoteOptions
from june_tts.errors import ModelUnavailable, SettingsError, VoiceNotFound, shown
from june_tts.http.live_limits import LiveLimits
from june_tts.http.middleware import BodyLimits
from june_tts.http.services import Services
from june_tts.ports import Engine, References, SpeaksInCodes, Supervised, VoiceStore
from june_tts.service.admission import Admission
from june_tts.service.library_references import LibraryReferences
from june_tts.service.synthesis import Synthesizer
from june_tts.service.utterances import Utterances
from june_tts.service.voice_prompts import VoicePrompts
from june_tts.service.voices import VoiceLibrary
from june_tts.settings import Settings
from june_tts.store import MemoryVoiceStore, open_store
from june_tts.telemetry.loop_lag import watch_loop
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.recorder import Recorder
from june_tts.text import check_text, speakable, verbatim

if TYPE_CHECKING:
    from june_tts.livekit.tokens import TicketSource

MOST_THREADS = 4
"""Of one model run: these small models gain nothing from more."""
CLONING_ENGINES = ("fish",)
"""Engines that june-tts knows to clone, installed or not; named where none is."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """Everything, started and warm; closed in reverse on leaving.

    Raises:
        SettingsError: JUNE_DATA_DIR cannot be created, or what rooms need is there in part.
        ModelUnavailable: no engine could be loaded, or JUNE_ASR_MODEL is no model.
        StoreUnavailable: the voice library cannot be opened.
        VoiceNotFound: JUNE_DEFAULT_VOICE or an alias names a voice that is not there.
    """
    async with AsyncExitStack() as stack:
        _make_folder(settings.data_dir)
        store = await open_store(database_url(settings), settings.data_dir)
        stack.push_async_callback(store.close)
        recogniser = _recogniser(settings, stack)
        engines = await _started(_engines(settings, store, recogniser), stack)
        library = VoiceLibrary(
            store,
            engines,
            judge,
            default_voice=settings.default_voice,
            aliases=settings.aliases,
            cloning_engines_hint=CLONING_ENGINES,
            transcribes=recogniser is not None,
        )
        stack.callback(library.close)
        await _check_names(library, settings)
        # What was built lives as long as the process. Left to the collector, it would be walked again and
        # again, 20 ms at a time, while streams wait.
        gc.collect()
        gc.freeze()
        services = _services(settings, library, store, engines, stack)
        yield replace(services, utterances=_utterances(settings, services, stack))


@asynccontextmanager
async def running_alone(
    settings: Settings, references: References, engine: Engine | None = None
) -> AsyncIterator[Services]:
    """The Fish engine of the settings, or `engine`, without a voice library; its first voice is the default.

    Raises:
        ModelUnavailable: the engine could not be loaded, or JUNE_ASR_MODEL is no model.
        SettingsError: LLAMA_CHECKPOINT_PATH is not set.
    """
    async with AsyncExitStack() as stack:
        store = MemoryVoiceStore()
        recogniser = _recogniser(settings, stack)
        engine = engine or _fish_alone(settings, store, recogniser)
        await engine.start()
        stack.push_async_callback(engine.close)
        library = VoiceLibrary(store, [engine], judge, engine.voices()[0].id, {})
        stack.callback(library.close)
        services = _services(settings, library, store, [engine], stack)
        yield replace(services, references=references)


def _fish_alone(settings: Settings, store: VoiceStore, recogniser: WhisperRecogniser | None) -> Engine:
    if settings.fish_checkpoint is None:
        raise SettingsError("LLAMA_CHECKPOINT_PATH: expected the folder of a Fish model")
    return _fish(settings, settings.fish_checkpoint, store, recogniser)


def _recogniser(settings: Settings, stack: AsyncExitStack) -> WhisperRecogniser | None:
    """None where JUNE_ASR_MODEL is not set. Raises: ModelUnavailable."""
    recogniser = open_recogniser(settings.asr_model)
    if recogniser:
        stack.callback(recogniser.close)
    return recogniser


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as bad:
        why = getattr(bad, "strerror", None) or bad
        raise SettingsError(
            f"JUNE_DATA_DIR={shown(str(folder))}: cannot be created ({why}); expected a folder to write in"
        ) from bad


def _services(
    settings: Settings,
    library: VoiceLibrary,
    store: VoiceStore,
    engines: Sequence[Engine],
    stack: AsyncExitStack,
) -> Services:
    metrics = Metrics()
    for engine in engines:
        watch_engine(metrics, engine)
    recorder = Recorder(metrics)
    admission = Admission(settings.max_streams)
    lag = asyncio.create_task(watch_loop(metrics))
    stack.callback(lag.cancel)
    synthesizer = Synthesizer(
        library,
        speakable=speakable,
        verbatim=verbatim,
        check_text=check_text,
        admission=admission,
        recorder=recorder,
        max_text_chars=settings.max_text_chars,
    )
    codec = next((engine.codec for engine in engines if isinstance(engine, SpeaksInCodes)), None)
    return Services(
        version=version("june-tts"),
        synthesizer=synthesizer,
        library=library,
        store=store,
        engines=engines,
        admission=admission,
        recorder=recorder,
        metrics=metrics,
        body_limits=BodyLimits(
            settings.max_body_bytes, settings.max_upload_bytes, settings.body_timeout_seconds
        ),
        api_key=settings.api_key.get_secret_value() if settings.api_key else None,
        default_voice=settings.default_voice,
        stall_seconds=settings.stall_seconds,
        sockets=Admission(settings.live_sockets, "sockets"),
        live=LiveLimits(
            settings.live_idle_seconds,
            settings.live_turn_seconds,
            settings.live_waiting_chars,
            settings.stall_seconds,
            turn_chars=settings.max_text_chars,
            contexts=settings.live_contexts,
        ),
        references=LibraryReferences(library),
        codec=codec,
    )


def _utterances(settings: Settings, services: Services, stack: AsyncExitStack) -> Utterances | None:
    """What speaks in rooms, LIVEKIT_ROOM being joined; None where LiveKit is not configured."""
    source = _ticket_source(settings, stack)
    if source is None:
        return None
    from june_tts.livekit.rooms import Rooms, RoomsRules
    from june_tts.livekit.tokens import Tickets

    rules = RoomsRules(
        most=settings.max_rooms,
        warm_seconds=settings.room_warm_seconds,
        home=settings.livekit_room,
        buffer_ms=settings.room_buffer_ms,
        join_seconds=settings.room_join_seconds,
        reconnect_seconds=settings.room_reconnect_seconds,
        captions=settings.room_captions,
    )
    rooms = Rooms(Tickets(source), rules, services.metrics)
    stack.push_async_callback(rooms.close)
    admission = services.admission
    utterances = Utterances(
        services.synthesizer, rooms, admission, services.metrics, queue_length=settings.room_queue
    )

    async def drain() -> None:
        spent = time.monotonic() - (admission.draining_since or time.monotonic())
        await utterances.close(settings.drain_seconds - spent)

    stack.push_async_callback(drain)
    rooms.start()
    return utterances


def _ticket_source(settings: Settings, stack: AsyncExitStack) -> "TicketSource | None":
    """Raises: SettingsError."""
    key, secret = settings.livekit_api_key, settings.livekit_api_secret
    url, identity = settings.livekit_url, settings.livekit_identity
    if url and key and secret:
        # not before it is needed: LiveKit's library starts threads of its own
        from june_tts.livekit.tokens import Mint

        return Mint(url, key, secret.get_secret_value(), identity)
    if settings.orchestrator_url and not key and not secret:
        from june_tts.livekit.tokens import Orchestrator

        client = httpx.AsyncClient(timeout=settings.room_join_seconds)
        stack.push_async_callback(client.aclose)
        return Orchestrator(settings.orchestrator_url, identity, url, client)
    given = {
        "LIVEKIT_URL": url,
        "LIVEKIT_API_KEY": key,
        "LIVEKIT_API_SECRET": secret,
        "LIVEKIT_ROOM": settings.livekit_room,
    }
    if any(given.values()):
        there = ", ".join(name for name, value in given.items() if value)
        raise SettingsError(
            f"{there}: not enough to speak into rooms; expected LIVEKIT_URL, LIVEKIT_API_KEY and "
            "LIVEKIT_API_SECRET, or ORCHESTRATOR_URL without a key"
        )
    return None


def watch_engine(metrics: Metrics, engine: Engine) -> None:
    """Show an engine's load on `/metrics`."""
    metrics.watch_engine(engine.name, lambda: engine.active, lambda: engine.running)
    if isinstance(engine, Supervised):
        metrics.watch_fish(lambda: engine.counts)


def database_url(settings: Settings) -> str | None:
    """PostgreSQL's URL from DATABASE_URL or the guide's DB_*; None means SQLite."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    if not settings.db_host:
        return None
    password = settings.db_password.get_secret_value() if settings.db_password else None
    url = URL.create(
        "postgresql",
        username=settings.db_user,
        password=password,
        host=settings.db_host,
        port=settings.db_port,
        database=settings.db_name,
    )
    return url.render_as_string(hide_password=False)


def _engines(settings: Settings, store: VoiceStore, recogniser: WhisperRecogniser | None) -> list[Engine]:
    cores = os.cpu_count() or 1
    lanes = settings.lanes or cores
    threads = settings.threads or min(cores, MOST_THREADS)
    ahead = settings.ahead_seconds
    build: dict[str, Engine] = {
        "piper": PiperEngine(settings.piper_dir, lanes=lanes, threads=threads, ahead_seconds=ahead),
        "kokoro": KokoroEngine(
            settings.models_dir, lanes=max(1, lanes // threads), threads=threads, ahead_seconds=ahead
        ),
        "fake": FakeEngine(),
    }
    names = [*settings.engines]
    if settings.fish_checkpoint:
        build["fish"] = _fish(settings, settings.fish_checkpoint, store, recogniser)
        names += ["fish"] if "fish" not in names else []
    elif "fish" in names:
        raise SettingsError(
            "JUNE_ENGINES names fish: expected LLAMA_CHECKPOINT_PATH to say where its model is"
        )
    if settings.remote_urls:
        build["remote"] = RemoteEngine(_remote_options(settings), recordings_in(store))
        names += ["remote"] if "remote" not in names else []
    elif "remote" in names:
        raise SettingsError(
            "JUNE_ENGINES names remote: expected JUNE_REMOTE_URLS to say where the servers are"
        )
    return [build[name] for name in names]


def _fish(
    settings: Settings,
    checkpoint: Path,
    store: VoiceStore,
    recogniser: WhisperRecogniser | None,
) -> Engine:
    """The engine, not started; its recordings are those of the store.

    Raises:
        ModelUnavailable: its packages are not installed.
    """
    try:
        from june_tts.engine.fish import FishEngine, FishRules
        from june_tts.engine.fish_voices import EngineCodec
        from june_tts.fish.events import MIB, LoopConfig
        from june_tts.fish.handle import Handle
        from june_tts.fish.options import EngineOptions
    except ImportError as missing:
        raise ModelUnavailable(
            f"the engine fish needs {missing.name}: run `make fish`, or install june-tts with its extra fish"
        ) from missing
    codec_file = settings.fish_codec or checkpoint / "codec.pth"
    options = EngineOptions(
        checkpoint=str(checkpoint),
        codec=str(codec_file),
        device=settings.fish_device,
        precision=settings.fish_dtype,
        batch_invariant=settings.fish_batch_invariant,
        compile=settings.fish_compile,
        slots=settings.fish_slots,
        positions=settings.fish_positions,
        threads=settings.threads,
        loop=LoopConfig(max_waiting=settings.max_streams, prefix_bytes=settings.fish_prefix_mb * MIB),
    )
    handle = Handle([sys.executable, "-m", "june_tts.fish.worker"], options)
    codec = EngineCodec(handle, codec_file)
    voices = VoicePrompts(store, codec, recogniser, prepare=reference)
    rules = FishRules(settings.ahead_seconds, semantic_only=settings.fish_semantic_only)
    return FishEngine(checkpoint, handle, codec, voices, rules)


def _remote_options(settings: Settings) -> RemoteOptions:
    return RemoteOptions(
        addresses=settings.remote_urls,
        kind=settings.remote_kind,
        api_key=settings.remote_api_key.get_secret_value() if settings.remote_api_key else None,
        model=settings.remote_model,
        voice=settings.remote_voice,
        languages=settings.remote_languages,
        raw_rate=settings.remote_rate or None,
        piece_chars=settings.remote_piece_chars,
        fields={name: _json_or_text(value) for name, value in settings.remote_fields.items()},
        connect_seconds=settings.remote_connect_seconds,
        first_seconds=settings.remote_first_seconds,
        gap_seconds=settings.remote_gap_seconds,
        health_seconds=settings.remote_health_seconds,
    )


def _json_or_text(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value


async def _started(engines: Sequence[Engine], stack: AsyncExitStack) -> list[Engine]:
    """Those that start. One that cannot is left out with a warning, as long as another can."""
    outcomes = await asyncio.gather(*(engine.start() for engine in engines), return_exceptions=True)
    ready: list[Engine] = []
    reasons: dict[str, str] = {}
    for engine, outcome in zip(engines, outcomes, strict=True):
        if isinstance(outcome, ModelUnavailable):
            reasons[engine.name] = str(outcome)
        elif outcome is not None:
            raise outcome
        else:
            ready.append(engine)
            stack.push_async_callback(engine.close)
    if not ready:
        told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise ModelUnavailable(f"no engine could be loaded: {told}")
    for name, reason in reasons.items():
        log.warning("engine left out", engine=name, reason=reason)
    return ready


async def _check_names(library: VoiceLibrary, settings: Settings) -> None:
    for name in ("default", *settings.voice_aliases):
        try:
            await library.resolve(name)
        except VoiceNotFound as missing:
            key = "JUNE_DEFAULT_VOICE" if name == "default" else f"JUNE_VOICE_ALIASES ({name})"
            raise VoiceNotFound(f"{key}: {missing}") from missing
