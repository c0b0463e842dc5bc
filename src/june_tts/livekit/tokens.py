"""Tickets into rooms: minted here, or asked from the orchestrator; kept until shortly before they expire."""

import base64
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import httpx
from livekit.api import AccessToken, VideoGrants

from june_tts.errors import RoomUnavailable, shown

LIFETIME_SECONDS = 3600.0
"""Of a minted token. It matters at joining alone: LiveKit renews the token of whoever is connected."""
SPARE_SECONDS = 60.0
"""A token is not used any more when it has less than this to live."""
MOST_KEPT = 1000
MOST_BYTES = 65_536
"""Of the orchestrator's answer."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What it takes to join one room."""

    url: str
    token: str = field(repr=False)
    expires_at: float
    """Seconds since 1970."""


class TicketSource(Protocol):
    async def ticket(self, room: str) -> Ticket:
        """Raises: RoomUnavailable."""
        ...


class Mint:
    """Makes tokens with the key and secret of the LiveKit server."""

    def __init__(self, url: str, key: str, secret: str, identity: str) -> None:
        self._url = url
        self._key = key
        self._secret = secret
        self._identity = identity

    async def ticket(self, room: str) -> Ticket:
        """Grants: join this one room, publish a microphone track, send captions. Nothing is heard or seen."""
        grants = VideoGrants(
            room_join=True,
            room=room,
            can_publish=True,
            can_publish_sources=["microphone"],
            can_publish_data=True,
            can_subscribe=False,
        )
        token = AccessToken(self._key, self._secret).with_identity(self._identity).with_name(self._identity)
        made = token.with_grants(grants).with_ttl(timedelta(seconds=LIFETIME_SECONDS)).to_jwt()
        return Ticket(self._url, made, time.time() + LIFETIME_SECONDS)


class Orchestrator:
    """Asks `POST {address}/token`; it answers `token` and `livekitUrl` or `ws_url`."""

    def __init__(self, address: str, identity: str, url: str | None, client: httpx.AsyncClient) -> None:
        """
        Args:
            url: LiveKit's address in place of the one that comes with the token.
        """
        self._address = f"{address.rstrip('/')}/token"
        self._identity = identity
        self._url = url
        self._client = client

    async def ticket(self, room: str) -> Ticket:
        found = await self._ask({"roomName": room, "participantName": self._identity})
        token, url = found.get("token"), self._url or found.get("livekitUrl") or found.get("ws_url")
        if not isinstance(token, str) or not token:
            raise RoomUnavailable("the orchestrator's answer has no token: expected a text in `token`")
        if not isinstance(url, str) or not url.startswith(("ws://", "wss://", "http://", "https://")):
            raise RoomUnavailable(
                "the orchestrator's answer has no address: expected ws:// or wss:// in `livekitUrl` or "
                "`ws_url`"
            )
        claims = _claims(token)
        _for_room(claims, room)
        return Ticket(url, token, _expiry(claims))

    async def _ask(self, body: Mapping[str, str]) -> dict[str, Any]:
        try:
            async with self._client.stream("POST", self._address, json=body) as reply:
                if reply.status_code not in (200, 201):
                    raise RoomUnavailable(f"the orchestrator gave no token: it answered {reply.status_code}")
                found = json.loads(await _limited(reply))
        except httpx.HTTPError as away:
            raise RoomUnavailable(
                f"the orchestrator cannot be asked for a token ({type(away).__name__}): see ORCHESTRATOR_URL"
            ) from away
        except ValueError as garbled:
            raise RoomUnavailable("the orchestrator's answer is not JSON") from garbled
        if not isinstance(found, dict):
            raise RoomUnavailable("the orchestrator's answer is not a JSON object")
        return found


class Tickets:
    """Those that were made, each used until shortly before it expires."""

    def __init__(self, source: TicketSource, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock
        self._kept: OrderedDict[str, Ticket] = OrderedDict()

    async def ticket(self, room: str) -> Ticket:
        """Raises: RoomUnavailable."""
        kept = self._kept.get(room)
        if kept is None or kept.expires_at - self._clock() < SPARE_SECONDS:
            kept = self._kept[room] = await self._source.ticket(room)
        self._kept.move_to_end(room)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return kept

    def forget(self, room: str) -> None:
        """Make a new one next time: this one did not open the room."""
        self._kept.pop(room, None)


async def _limited(reply: httpx.Response) -> bytes:
    parts = b""
    async for part in reply.aiter_bytes():
        parts += part
        if len(parts) > MOST_BYTES:
            raise RoomUnavailable(f"the orchestrator's answer has more than {MOST_BYTES} bytes")
    return parts


def _claims(token: str) -> dict[str, Any]:
    """What a JWT says. Its signature is LiveKit's to check, which knows the secret."""
    try:
        payload = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _for_room(claims: Mapping[str, Any], room: str) -> None:
    """A token for another room would put the speech where nobody asked for it."""
    grants = claims.get("video")
    named = grants.get("room") if isinstance(grants, dict) else None
    if named is not None and named != room:
        raise RoomUnavailable(f"the orchestrator's token is for another room than {shown(room)}")


def _expiry(claims: Mapping[str, Any]) -> float:
    """Seconds since 1970; 0 where it is not told, so that it is used once."""
    expires = claims.get("exp")
    return float(expires) if isinstance(expires, int | float) and not isinstance(expires, bool) else 0.0
