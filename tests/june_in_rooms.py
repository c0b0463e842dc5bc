"""June over a fake engine, with rooms of a real livekit-server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from june_tts.engine.fake import FakeEngine
from june_tts.livekit.rooms import Rooms, RoomsRules
from june_tts.livekit.tokens import Mint, Tickets, TicketSource
from june_tts.telemetry.metrics import Metrics
from tests.fake_server import FakeServer, fake_server
from tests.livekit_service import LiveKit
from tests.room_listener import Listener, listening

RULES: dict[str, Any] = {
    "most": 4,
    "warm_seconds": 60.0,
    "home": None,
    "buffer_ms": 200,
    "join_seconds": 5.0,
    "reconnect_seconds": 10.0,
    "captions": True,
}
IDENTITY = "june-tts"


@dataclass(frozen=True)
class June:
    """A server and the person who hears it."""

    server: FakeServer
    rooms: Rooms
    metrics: Metrics
    livekit: LiveKit
    room: str

    async def say(self, text: str = "Hello there, it is me.", **fields: Any) -> Any:
        body = {"text": text, "room_name": self.room, **fields}
        return await self.server.http.post("/api/tts/synthesize", json=body, timeout=60)

    def count(self, name: str) -> float:
        """Of a metric with its labels, as `/metrics` shows it."""
        lines = self.metrics.expose().decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0)


@asynccontextmanager
async def june(
    livekit: LiveKit,
    *,
    engine: FakeEngine | None = None,
    source: TicketSource | None = None,
    room: str = "",
    **rules: Any,
) -> AsyncIterator[June]:
    """A server in its own room, its rules changed."""
    metrics = Metrics()
    mint = Mint(livekit.url, livekit.key, livekit.secret, IDENTITY)
    rooms = Rooms(Tickets(source or mint), RoomsRules(**RULES | rules), metrics)
    try:
        async with fake_server(engine, rooms=rooms) as server:
            rooms.start()
            yield June(server, rooms, metrics, livekit, room or f"room-{uuid4().hex[:8]}")
    finally:
        await rooms.close()


@asynccontextmanager
async def heard(livekit: LiveKit, room: str, identity: str = "listener") -> AsyncIterator[Listener]:
    async with listening(livekit.url, (livekit.key, livekit.secret), room, identity) as listener:
        yield listener
