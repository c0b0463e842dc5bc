"""Tickets: what they grant, where they come from, how long they are used."""

import base64
import json
from typing import Any

import httpx
import pytest
from livekit.api import TokenVerifier

from june_tts.errors import RoomUnavailable
from june_tts.livekit.tokens import MOST_BYTES, SPARE_SECONDS, Mint, Orchestrator, Ticket, Tickets

pytestmark = pytest.mark.unit

SECRET = "a-secret-that-is-long-enough-for-hs256"


def jwt(claims: dict[str, Any]) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{part}.x"


async def test_a_minted_token_lets_june_speak_in_one_room_and_do_nothing_else() -> None:
    ticket = await Mint("ws://lk", "key", SECRET, "june-tts").ticket("lobby")
    claims = TokenVerifier("key", SECRET).verify(ticket.token)
    grants = claims.video
    assert grants
    assert (claims.identity, grants.room, grants.room_join) == ("june-tts", "lobby", True)
    assert (grants.can_publish, grants.can_publish_data, grants.can_subscribe) == (True, True, False)
    assert grants.can_publish_sources == ["microphone"]
    assert not any(
        (grants.room_create, grants.room_list, grants.room_admin, grants.room_record, grants.hidden)
    )


async def test_a_ticket_does_not_show_its_token() -> None:
    assert "eyJ" not in repr(await Mint("ws://lk", "key", SECRET, "june-tts").ticket("lobby"))


class Source:
    def __init__(self, expires_at: float) -> None:
        self.asked: list[str] = []
        self.expires_at = expires_at

    async def ticket(self, room: str) -> Ticket:
        self.asked.append(room)
        return Ticket("ws://lk", str(len(self.asked)), self.expires_at)


async def test_a_ticket_is_used_until_shortly_before_it_expires_and_for_its_room_alone() -> None:
    now = 1000.0
    source = Source(now + SPARE_SECONDS + 10)
    tickets = Tickets(source, lambda: now)
    assert [(await tickets.ticket(room)).token for room in ("a", "b", "a")] == ["1", "2", "1"]
    now += 11
    assert (await tickets.ticket("a")).token == "3"


async def test_a_ticket_that_opened_nothing_is_made_anew() -> None:
    source = Source(1e12)
    tickets = Tickets(source)
    await tickets.ticket("a")
    tickets.forget("a")
    assert (await tickets.ticket("a")).token == "2"


async def test_tickets_of_many_rooms_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("june_tts.livekit.tokens.MOST_KEPT", 2)
    source = Source(1e12)
    tickets = Tickets(source)
    for room in ("a", "b", "c", "c", "a"):
        await tickets.ticket(room)
    assert source.asked == ["a", "b", "c", "a"]


async def ask(reply: httpx.Response | Exception, url: str | None = None) -> Ticket:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "http://orchestrator/api/token"
        assert json.loads(request.content) == {"roomName": "lobby", "participantName": "june-tts"}
        if isinstance(reply, Exception):
            raise reply
        return reply

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        return await Orchestrator("http://orchestrator/api/", "june-tts", url, client).ticket("lobby")


@pytest.mark.parametrize("shape", ["livekitUrl", "ws_url"])
async def test_the_orchestrator_answers_in_either_shape(shape: str) -> None:
    token = jwt({"exp": 5000, "video": {"room": "lobby"}})
    ticket = await ask(httpx.Response(200, json={"token": token, shape: "wss://lk"}))
    assert (ticket.url, ticket.token, ticket.expires_at) == ("wss://lk", token, 5000)


async def test_an_address_that_is_configured_wins() -> None:
    reply = httpx.Response(200, json={"token": jwt({}), "ws_url": "wss://outside"})
    assert (await ask(reply, "ws://inside")).url == "ws://inside"


@pytest.mark.parametrize("token", ["no jwt", "a.b.c", jwt({"exp": "soon"}), jwt({})])
async def test_a_token_that_tells_no_expiry_is_used_once(token: str) -> None:
    assert (await ask(httpx.Response(200, json={"token": token, "ws_url": "ws://lk"}))).expires_at == 0


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (httpx.Response(500), "answered 500"),
        (httpx.Response(200, text="<html>"), "not JSON"),
        (httpx.Response(200, json=[]), "not a JSON object"),
        (httpx.Response(200, json={"ws_url": "ws://lk"}), "no token"),
        (httpx.Response(200, json={"token": 5, "ws_url": "ws://lk"}), "no token"),
        (httpx.Response(200, json={"token": "t"}), "no address"),
        (httpx.Response(200, json={"token": "t", "ws_url": "file:///etc"}), "no address"),
        (httpx.Response(200, content=b"x" * (MOST_BYTES + 1)), "more than"),
        (httpx.ConnectError("no"), "ORCHESTRATOR_URL"),
        (httpx.ReadTimeout("slow"), "ReadTimeout"),
    ],
)
async def test_an_orchestrator_that_gives_no_token_is_a_room_that_cannot_be_joined(
    reply: httpx.Response | Exception, told: str
) -> None:
    with pytest.raises(RoomUnavailable, match=told):
        await ask(reply)


async def test_a_token_for_another_room_is_not_used() -> None:
    token = jwt({"video": {"room": "elsewhere"}})
    with pytest.raises(RoomUnavailable, match="another room"):
        await ask(httpx.Response(200, json={"token": token, "ws_url": "ws://lk"}))
