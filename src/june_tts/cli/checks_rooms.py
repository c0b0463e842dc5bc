"""The check of `june-tts doctor` that joins a LiveKit room and leaves it again."""

import asyncio
import time
from contextlib import AsyncExitStack
from uuid import uuid4

from june_tts.bootstrap.rooms import ticket_source
from june_tts.cli.checks import Finding
from june_tts.errors import JuneError
from june_tts.settings import Settings


def livekit(settings: Settings) -> Finding:
    """Address, key, grants and the way of the sound, as a request with `room_name` would find them."""
    where = settings.livekit_url or settings.orchestrator_url
    try:
        took = asyncio.run(_joined(settings))
    except JuneError as bad:
        remedy = "check LIVEKIT_URL with its key and secret, or ORCHESTRATOR_URL, and that the server runs"
        return Finding("livekit", "fail", f"{where}: {bad}", remedy)
    if took is None:
        found = "not configured; a request with room_name is answered 503, audio over HTTP works"
        return Finding("livekit", "ok", found)
    return Finding("livekit", "ok", f"{where}: a room was joined in {took:.1f} s")


async def _joined(settings: Settings) -> float | None:
    """Seconds that joining took; None where LiveKit is not configured."""
    async with AsyncExitStack() as stack:
        source = ticket_source(settings, stack)
        if source is None:
            return None
        # not before it is needed: LiveKit's library starts threads of its own
        from june_tts.livekit.background import Background
        from june_tts.livekit.native import guard_log
        from june_tts.livekit.room import LEAVE_SECONDS, Room, RoomRules

        guard_log()
        background = Background()
        stack.push_async_callback(background.close, LEAVE_SECONDS)
        rules = RoomRules(settings.room_buffer_ms, settings.room_join_seconds, 0.0, captions=False)
        # nobody's room: who speaks in one under the same name would be put out of it
        name = f"june-tts-doctor-{uuid4().hex}"
        room = Room(name, rules, background, underrun=lambda: None)
        began = time.monotonic()
        await room.join(await source.ticket(name))
        took = time.monotonic() - began
        await room.leave()
        return took
