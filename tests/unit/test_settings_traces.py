"""Where traces go, by the standard's settings and ours."""

from contextlib import AsyncExitStack

import pytest

from june_tts.bootstrap.telemetry import traces_of
from june_tts.errors import SettingsError
from june_tts.settings import load
from june_tts.telemetry.otel import OtelTraces
from june_tts.telemetry.tracing import NoTraces

pytestmark = pytest.mark.unit

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
WHOLE = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, None),
        ({"JUNE_TRACES": "true"}, "http://localhost:4318/v1/traces"),
        ({BASE: "http://collector:4318"}, "http://collector:4318/v1/traces"),
        ({BASE: "http://collector:4318/"}, "http://collector:4318/v1/traces"),
        ({WHOLE: "https://vendor/otlp/x"}, "https://vendor/otlp/x"),
        ({BASE: "http://collector:4318", WHOLE: "https://vendor/otlp/x"}, "https://vendor/otlp/x"),
        ({BASE: "http://collector:4318", "JUNE_TRACES": "false"}, None),
    ],
)
async def test_an_endpoint_switches_traces_on_unless_they_are_refused(
    environ: dict[str, str], url: str | None
) -> None:
    settings = load(environ=environ).settings
    assert settings.traces_url == url
    async with AsyncExitStack() as stack:
        assert isinstance(traces_of(settings, stack), NoTraces if url is None else OtelTraces)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (BASE, "collector:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("JUNE_WATCHDOG_SECONDS", "0"),
    ],
)
def test_a_bad_value_is_refused_by_name(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{key}='{value}'"):
        load(environ={key: value})
