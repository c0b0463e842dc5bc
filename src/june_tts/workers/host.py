"""The process with the engines of several web workers: `python -m june_tts.workers.host SOCKET`."""

from june_tts.bootstrap.admission import rules_of
from june_tts.bootstrap.hosted_admission import admit_at
from june_tts.bootstrap.hosting import hosting
from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.engine.hosting import EngineHost
from june_tts.settings import Settings
from june_tts.workers.control import Control, Line
from june_tts.workers.counts import snapshot
from june_tts.workers.process import Orders, run, told


async def host(control: Control, orders: Orders) -> None:
    """Until it is told to end, or the supervisor is gone."""
    async with hosting(orders.settings) as here:
        engines = EngineHost(here.engines, admit_at(here.admission), MemoryLedger())
        await engines.start(orders.path)

        def handle(line: Line) -> None:
            if line.get("kind") == "reload":
                here.admission.change(rules_of(Settings.model_validate(line["settings"])))
            elif line.get("kind") == "counts":
                value = {"families": snapshot(here.metrics.registry)}
                control.tell("answer", number=line["number"], value=value)

        try:
            control.tell("ready")
            await told(control, handle)
        finally:
            await engines.close()


if __name__ == "__main__":
    run(host)
