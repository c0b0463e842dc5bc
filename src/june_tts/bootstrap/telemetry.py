"""What watches the server: traces."""

from contextlib import AsyncExitStack
from importlib.metadata import version

from june_tts.errors import SettingsError
from june_tts.settings import Settings
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
