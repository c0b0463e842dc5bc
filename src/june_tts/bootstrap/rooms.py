"""What speaks in LiveKit rooms."""

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import httpx

from june_tts.errors import SettingsError
from june_tts.http.services import Services
from june_tts.service.utterances import Utterances
from june_tts.settings import Settings

if TYPE_CHECKING:
    from june_tts.livekit.tokens import TicketSource


def utterances_of(
    settings: Settings, source: "TicketSource | None", services: Services, stack: AsyncExitStack
) -> Utterances | None:
    """What speaks in rooms, LIVEKIT_ROOM being joined; None where LiveKit is not configured."""
    if source is None:
        return None
    from june_tts.livekit.rooms import Rooms, RoomsRules
    from june_tts.livekit.tokens import Tickets

    rules = RoomsRules(
        most=settings.max_rooms,
        warm_seconds=settings.room_warm_seconds,
        home=settings.livekit_room,
        buffer_ms=settings.room_buffer_ms,
        join_seconds=settings.room_join_seconds,
        reconnect_seconds=settings.room_reconnect_seconds,
        captions=settings.room_captions,
    )
    rooms = Rooms(Tickets(source), rules, services.metrics)
    stack.push_async_callback(rooms.close)
    admission = services.admission
    utterances = Utterances(
        services.parts, rooms, admission, services.metrics, queue_length=settings.room_queue
    )

    async def drain() -> None:
        spent = time.monotonic() - (admission.draining_since or time.monotonic())
        await utterances.close(settings.drain_seconds - spent)

    stack.push_async_callback(drain)
    rooms.start()
    return utterances


def ticket_source(settings: Settings, stack: AsyncExitStack) -> "TicketSource | None":
    """None where LiveKit is not configured. Raises: SettingsError, where it is in part."""
    key, secret = settings.livekit_api_key, settings.livekit_api_secret
    url, identity = settings.livekit_url, settings.livekit_identity
    if url and key and secret:
        # not before it is needed: LiveKit's library starts threads of its own
        from june_tts.livekit.tokens import Mint

        return Mint(url, key, secret.get_secret_value(), identity)
    if settings.orchestrator_url and not key and not secret:
        from june_tts.livekit.tokens import Orchestrator

        client = httpx.AsyncClient(timeout=settings.room_join_seconds)
        stack.push_async_callback(client.aclose)
        return Orchestrator(settings.orchestrator_url, identity, url, client)
    given = {
        "LIVEKIT_URL": url,
        "LIVEKIT_API_KEY": key,
        "LIVEKIT_API_SECRET": secret,
        "LIVEKIT_ROOM": settings.livekit_room,
    }
    if any(given.values()):
        there = ", ".join(name for name, value in given.items() if value)
        raise SettingsError(
            f"{there}: not enough to speak into rooms; expected LIVEKIT_URL, LIVEKIT_API_KEY and "
            "LIVEKIT_API_SECRET, or ORCHESTRATOR_URL without a key"
        )
    return None
