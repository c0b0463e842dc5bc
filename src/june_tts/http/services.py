"""What the routes are given; built by `bootstrap/`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from june_tts.cache import Shared
from june_tts.http.access import AccessControl
from june_tts.http.everyone import Everyone
from june_tts.http.live_limits import LiveLimits
from june_tts.http.middleware import BodyLimits
from june_tts.ports import Engine, References, VoiceCodec, VoiceStore
from june_tts.service.admission import Admission, Places
from june_tts.service.batch import Batches
from june_tts.service.health import Health
from june_tts.service.jobs import Jobs
from june_tts.service.phrase_book import PhraseBook
from june_tts.service.phrase_parts import PartsSpeech
from june_tts.service.phrases import Phrases
from june_tts.service.synthesis import Synthesizer
from june_tts.service.utterances import Utterances
from june_tts.service.voice_uses import VoiceUses
from june_tts.service.voices import VoiceLibrary
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.recorder import Recorder
from june_tts.telemetry.tracing import NoTraces, Traces


class Reloads(Protocol):
    """See `bootstrap.reloading`; its settings are not known here."""

    def add(self, fields: Collection[str], take: Callable[[Any], None], *, always: bool = False) -> None: ...

    def reload(self, settings: Any) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Services:
    version: str
    synthesizer: Synthesizer
    library: VoiceLibrary
    store: VoiceStore
    engines: Sequence[Engine]
    admission: Admission
    phrases: Phrases
    parts: PartsSpeech
    """What speaks turn by turn: on sockets and in rooms."""
    recorder: Recorder
    metrics: Metrics
    health: Health
    body_limits: BodyLimits
    access: AccessControl
    """Who may call, and how much."""
    default_voice: str
    stall_seconds: float
    """How long a client may take nothing of its audio."""
    sockets: Places
    """Places for WebSockets; what is spoken on them takes a place of `admission` besides."""
    live: LiveLimits
    batches: Batches
    references: References
    """What `reference_id` of Fish's API means."""
    book: PhraseBook | None = None
    """Phrases that are made beforehand."""
    shared: Shared | None = None
    """Redis; None where it is not configured."""
    uses: VoiceUses | None = None
    """How often each voice was spoken; None where there is no library."""
    codec: VoiceCodec | None = None
    """Of the engine that speaks in codes, where there is one."""
    jobs: Jobs | None = None
    """None where there is no database to keep them."""
    utterances: Utterances | None = None
    """In rooms; None where LiveKit is not configured."""
    traces: Traces = field(default_factory=NoTraces)
    everyone: Everyone | None = None
    """All processes of the server; None where this one is alone."""
    reloads: Reloads | None = None
    """Takes new settings while the server works."""
    access_log: bool = False
    """A line in the log for every request."""
    deadline_ms: int = 0
    """How long after a request its first audio is worth anything, where it does not say; 0: however late."""
    started_at: float = field(default_factory=time)
    """Wall clock, seconds since 1970."""


# Both are coroutines though they wait for nothing: FastAPI has plain functions run in a thread, which costs
# every request half a millisecond, and more where engines work.
async def services(request: HTTPConnection) -> Services:
    """The dependency that every route takes."""
    found: Services = request.app.state.services
    return found


async def request_id(request: HTTPConnection) -> str:
    """The id that the middleware gave this request."""
    found: str = request.state.request_id
    return found
