"""Builds and starts the engines."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from june_tts.audio.reference import reference
from june_tts.cache.voices import CachedVoices
from june_tts.engine.fake import FakeEngine
from june_tts.engine.hosted import HostedEngine
from june_tts.engine.kokoro import KokoroEngine
from june_tts.engine.piper import PiperEngine
from june_tts.engine.recogniser import WhisperRecogniser
from june_tts.engine.recordings import recordings_in
from june_tts.engine.remote import RemoteEngine
from june_tts.engine.remote_client import RemoteOptions
from june_tts.errors import ModelUnavailable, SettingsError
from june_tts.ports import Engine, Supervised, VoiceStore
from june_tts.service.voice_prompts import VoicePrompts
from june_tts.settings import Settings
from june_tts.telemetry.metrics import Metrics

MOST_THREADS = 4
"""Of one model run: these small models gain nothing from more."""
CLONING_ENGINES = ("fish",)
"""Engines that june-tts knows to clone, installed or not; named where none is."""

log = structlog.get_logger(__name__)


def built_engines(
    settings: Settings, store: VoiceStore, recogniser: WhisperRecogniser | None
) -> list[Engine]:
    cores = os.cpu_count() or 1
    lanes = settings.lanes or cores
    threads = settings.threads or min(cores, MOST_THREADS)
    ahead = settings.ahead_seconds
    build: dict[str, Engine] = {
        "piper": PiperEngine(settings.piper_dir, lanes=lanes, threads=threads, ahead_seconds=ahead),
        "kokoro": KokoroEngine(
            settings.models_dir, lanes=max(1, lanes // threads), threads=threads, ahead_seconds=ahead
        ),
        "fake": FakeEngine(
            step_seconds=settings.fake_step_seconds,
            recordings=recordings_in(store) if settings.fake_clones else None,
        ),
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


def fish_alone(settings: Settings, store: VoiceStore, recogniser: WhisperRecogniser | None) -> Engine:
    if settings.fish_checkpoint is None:
        raise SettingsError("LLAMA_CHECKPOINT_PATH: expected the folder of a Fish model")
    return _fish(settings, settings.fish_checkpoint, store, recogniser)


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
        from june_tts.fish.link import Limits
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
    limits = Limits(stall=settings.fish_stall_seconds)
    handle = Handle([sys.executable, "-m", "june_tts.fish.worker"], options, limits=limits)
    codec = EngineCodec(handle, codec_file)
    voices = VoicePrompts(store, codec, recogniser, prepare=reference)
    if isinstance(store, CachedVoices):
        store.on_change(voices.forget)
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


async def started(engines: Sequence[Engine], stack: AsyncExitStack) -> list[Engine]:
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


def watch_engine(metrics: Metrics, engine: Engine) -> None:
    """Show an engine's load on `/metrics`; of one in another process, that one does."""
    if isinstance(engine, HostedEngine):
        return
    metrics.watch_engine(engine.name, lambda: engine.active, lambda: engine.running)
    if isinstance(engine, Supervised):
        metrics.watch_fish(lambda: engine.counts)
