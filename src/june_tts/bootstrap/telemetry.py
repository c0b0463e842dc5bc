"""What watches the server: traces, the watchdog of the engines, what health says."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version

from june_tts.bootstrap.beside import beside
from june_tts.cache import Shared
from june_tts.cache.voices import CachedVoices
from june_tts.errors import SettingsError
from june_tts.ports import Engine, VoiceStore
from june_tts.service.admission import Admission
from june_tts.service.health import Health
from june_tts.service.watchdog import Watchdog
from june_tts.settings import Settings
from june_tts.store.sql import SqlVoiceStore
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.nvml import Gpus
from june_tts.telemetry.recorder import Recorder
from june_tts.telemetry.tracing import NoTraces, Traces


def traces_of(settings: Settings, stack: AsyncExitStack) -> Traces:
    """Raises: SettingsError, where traces are wanted and OpenTelemetry is not installed."""
    if settings.traces_url is None:
        return NoTraces()
    try:
        # not before it is needed: it costs 100 ms and a thread
        from june_tts.telemetry.otel import OtelTraces, TraceOptions
    except ImportError as missing:
        raise SettingsError(
            f"JUNE_TRACES needs {missing.name}: install june-tts with its extra otel"
        ) from missing
    options = TraceOptions(
        settings.traces_url,
        settings.otel_service_name,
        settings.traces_sampler,
        settings.traces_share,
        version("june-tts"),
    )
    traces = OtelTraces(options)
    stack.push_async_callback(traces.close)
    return traces


def health_of(
    settings: Settings,
    engines: Sequence[Engine],
    store: VoiceStore,
    recorder: Recorder,
    admission: Admission,
    metrics: Metrics,
    shared: Shared | None,
    stack: AsyncExitStack,
) -> Health:
    """Looked after in the background until the stack is left."""
    watchdog = Watchdog(engines, recorder.progress, metrics.engines, settings.watchdog_seconds)
    redis = None if shared is None else lambda: shared.available
    health = Health(engines, store, watchdog, draining=lambda: admission.draining, redis=redis)
    beside(stack, watchdog.run())
    beside(stack, health.run())
    metrics.database.watch(lambda: health.database)
    behind = store.behind if isinstance(store, CachedVoices) else store
    if isinstance(behind, SqlVoiceStore):
        metrics.database.watch_pool(lambda: behind.connections[0], lambda: behind.connections[1])
        behind.on_given_up(metrics.links.openings.labels("database").inc)
    return health


def watch_machine(metrics: Metrics, stack: AsyncExitStack, *, gpus: bool = True) -> None:
    """What the process runs on. `gpus`: those too, for the one process that has the engines."""
    metrics.process.built(version("june-tts"))
    if gpus:
        found = Gpus()
        metrics.watch_gpus(lambda: found.now)
        beside(stack, found.run())
