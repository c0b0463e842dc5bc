"""The engines of several web workers: in a process of their own, or what a worker has of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from june_tts.bootstrap.admission import rules_of
from june_tts.bootstrap.beside import beside
from june_tts.bootstrap.engines import built_engines, started, watch_engine
from june_tts.bootstrap.library import database_limits, database_url, make_folder, recogniser_of
from june_tts.bootstrap.phrases import listed_in
from june_tts.bootstrap.sharing import shared_of
from june_tts.bootstrap.telemetry import watch_machine
from june_tts.bootstrap.voices import cached_voices, warm_voices
from june_tts.engine.host_link import HostLink
from june_tts.engine.hosted import hosted_engines
from june_tts.ports import Engine, VoiceStore
from june_tts.service.admission import Admission
from june_tts.settings import Settings
from june_tts.store import open_stores
from june_tts.telemetry.loop_lag import watch_loop
from june_tts.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Hosting:
    """What the process with the engines has."""

    engines: Sequence[Engine]
    metrics: Metrics
    admission: Admission
    """The one queue of all workers. Refusals are counted by the worker that asked, too."""


@asynccontextmanager
async def hosting(settings: Settings) -> AsyncIterator[Hosting]:
    """The engines, started and warm, with the library for those that speak in its voices.

    Raises: as `running` does for engines and library. It comes first, so migrations are made once.
    """
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        # the workers read it, and begin when the models are loaded: what is wrong should be known before
        listed_in(settings)
        make_folder(settings.data_dir)
        shared = await shared_of(settings, metrics, stack)
        stores = await open_stores(database_url(settings), settings.data_dir, database_limits(settings))
        store = cached_voices(settings, stores, shared, metrics, stack)
        recogniser = recogniser_of(settings, stack)
        engines = await started(built_engines(settings, store, recogniser), stack)
        await warm_voices(settings, store, stores.voice_uses, engines)
        for engine in engines:
            watch_engine(metrics, engine)
        beside(stack, watch_loop(metrics))
        watch_machine(metrics, stack)
        admission = Admission(rules_of(settings), metrics.admission, lambda code: None)
        yield Hosting(engines, metrics, admission)


async def engines_for(
    settings: Settings, store: VoiceStore, link: HostLink | None, stack: AsyncExitStack
) -> Sequence[Engine]:
    """Those behind the link, or without one the engines themselves, started."""
    if link is not None:
        return hosted_engines(link)
    return await started(built_engines(settings, store, recogniser_of(settings, stack)), stack)
