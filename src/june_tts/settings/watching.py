"""How the server is watched: probes, the access log, traces."""

from typing import Literal

from pydantic import BaseModel, Field

Sampler = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]
DEFAULT_COLLECTOR = "http://localhost:4318"


class Watching(BaseModel):
    watchdog_seconds: float = Field(
        10.0,
        gt=0,
        le=3600,
        alias="JUNE_WATCHDOG_SECONDS",
        description="An engine that makes nothing for this long, while streams wait for it, is stalled: "
        "`/health/ready` says so with 503.",
    )
    access_log: bool = Field(
        False,
        alias="JUNE_ACCESS_LOG",
        description="Log a line for every request: method, route, status, milliseconds.",
    )
    traces: bool | None = Field(
        None,
        alias="JUNE_TRACES",
        description="Send traces to a collector (needs the extra `otel`). Unset: where an endpoint is set.",
    )
    otlp_endpoint: str | None = Field(
        None,
        alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        pattern=r"^https?://[^\s]+$",
        description="Collector of traces, which are posted below it at `/v1/traces`; "
        f"{DEFAULT_COLLECTOR} where only JUNE_TRACES is set.",
    )
    otlp_traces_endpoint: str | None = Field(
        None,
        alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        pattern=r"^https?://[^\s]+$",
        description="The whole address that traces are posted to, in place of the one above.",
    )
    otlp_protocol: Literal["http/protobuf"] = Field(
        "http/protobuf",
        alias="OTEL_EXPORTER_OTLP_PROTOCOL",
        description="The one protocol that traces are sent by.",
    )
    otel_service_name: str = Field(
        "june-tts", min_length=1, alias="OTEL_SERVICE_NAME", description="What traces call this service."
    )
    traces_sampler: Sampler = Field(
        "parentbased_always_on",
        alias="OTEL_TRACES_SAMPLER",
        description="Which traces are kept; `parentbased_…` leaves it to the caller, where there is one.",
    )
    traces_share: float = Field(
        1.0,
        ge=0,
        le=1,
        alias="OTEL_TRACES_SAMPLER_ARG",
        description="Share of the traces that a sampler by ratio keeps.",
    )

    @property
    def traces_url(self) -> str | None:
        """Where traces go; None where they are off."""
        given = self.otlp_traces_endpoint or self.otlp_endpoint
        if self.traces is False or not (self.traces or given):
            return None
        return self.otlp_traces_endpoint or f"{(given or DEFAULT_COLLECTOR).rstrip('/')}/v1/traces"
