"""A ticker on the event loop: how late it runs is how long every stream waits."""

import asyncio
import time

from june_tts.telemetry.metrics import Metrics

TICK_SECONDS = 0.05


async def watch_loop(metrics: Metrics) -> None:
    """Run until cancelled, observing every tick's lateness."""
    while True:
        due = time.monotonic() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        metrics.process.loop_lag.observe(max(0.0, time.monotonic() - due))
