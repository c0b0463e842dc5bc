"""Whether a server still works for somebody."""

import asyncio
import time

import httpx
from tests.e2e.server_process import gauge

IDLE_WITHIN = 3.0
"""Seconds; generous, as tests share the machine."""
BUSY = ("tts_active_requests", "tts_engine_streams", "tts_engine_runs")


async def becomes_idle(address: str) -> bool:
    """No request, stream or run of an engine is left soon."""
    end = time.monotonic() + IDLE_WITHIN
    async with httpx.AsyncClient(base_url=address) as client:
        while time.monotonic() < end:
            metrics = (await client.get("/metrics")).text
            if not any(gauge(metrics, name) for name in BUSY):
                return True
            await asyncio.sleep(0.02)
    return False
