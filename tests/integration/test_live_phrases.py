"""Phrases on real sockets: found there in both APIs, and charged."""

import json

import httpx
import pytest
from tests.eleven_socket import MULTI, STREAM, Talk, heard, said, talking
from tests.live_server import LiveServer, becomes, connected, live_server

from june_tts.engine.fake import FakeEngine
from june_tts.service import live
from june_tts.service.phrase_book import PhraseBook
from june_tts.service.phrase_list import read_list
from june_tts.types import KeyLimits

pytestmark = pytest.mark.integration

TEXT = "Thanks for calling Acme. How can I help you?"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that comes at once comes later where tests share the machine."""
    monkeypatch.setattr(live, "SETTLE_SECONDS", 5.0)


def pieces(server: LiveServer) -> int:
    return len(server.fake.engine.spoken)


async def spoken_on(talk: Talk, context: str) -> tuple[bytes, str]:
    """As livekit-plugins-june says a text: a blank, the text, a flush, the end."""
    await talk.send(text=" ", context_id=context)
    await talk.send(text=TEXT, context_id=context)
    await talk.send(text="", flush=True, context_id=context)
    await talk.send(close_context=True, context_id=context)
    found = await talk.final(context)
    return heard(found), said(found)


async def test_contexts_of_a_socket_find_what_was_said_before() -> None:
    async with live_server() as server, talking(server, MULTI, sync_alignment="true") as talk:
        turns = [await spoken_on(talk, f"{number}") for number in range(3)]
        made = pieces(server)
        turns += [await spoken_on(talk, f"{number}") for number in range(3, 6)]
        assert pieces(server) == made
    assert len({len(audio) for audio, _ in turns[2:]}) == 1
    assert {text.strip() for _, text in turns} == {TEXT}


async def test_sockets_with_one_text_share_what_is_kept_with_those_with_many() -> None:
    async with live_server() as server:
        for _ in range(2):
            async with talking(server, STREAM) as talk:
                for text in (" ", f"{TEXT} ", ""):
                    await talk.send(text=text)
                assert heard((await talk.closed())[0])
        made = pieces(server)
        async with talking(server, MULTI) as talk:
            assert (await spoken_on(talk, "a"))[1].strip() == TEXT
        assert pieces(server) == made


@pytest.mark.parametrize("format", ["wav", "mp3", "opus"])
async def test_turns_of_fishs_api_find_what_was_said_before(format: str) -> None:
    async with live_server() as server, connected(server.live) as client:
        sizes = []
        for number in range(4):
            await client.say(TEXT, format=format)
            audio, finish = await client.turn()
            assert finish["reason"] == "stop"
            sizes.append(sum(map(len, audio)))
            if number == 1:
                made = pieces(server)
        assert pieces(server) == made
    assert sizes[2] == sizes[3] > 2_000


async def test_what_is_found_costs_what_speaking_it_would() -> None:
    limits = KeyLimits(characters_per_day=4 * len(TEXT) + 4)
    async with live_server(api_key="secret", limits_of_keys=limits) as server:
        async with httpx.AsyncClient(headers={"authorization": "Bearer secret"}) as admin:
            made = await admin.post(f"{server.url}/api/admin/keys", json={"name": "x", "scopes": ["speak"]})
        async with talking(server, MULTI, headers={"xi-api-key": made.json()["key"]}) as talk:
            for number in range(4):
                assert (await spoken_on(talk, f"{number}"))[0]
            await talk.send(text=TEXT, context_id="last")
            await talk.send(text="", flush=True, context_id="last")
            refused = await talk.until("error")
        assert "characters" in refused[-1]["message"]


@pytest.mark.parametrize(("chunk_length", "more"), [(100, {"piece_chars": 100}), (200, {}), (0, {})])
async def test_a_list_may_have_what_fishs_clients_ask_for(chunk_length: int, more: dict[str, int]) -> None:
    line = {"text": TEXT, "format": "live", "temperature": 0.7, **more}
    async with live_server(FakeEngine(repeats="never")) as server:
        book = PhraseBook(server.fake.services.phrases, read_list(json.dumps(line)))
        book.start()
        await becomes(lambda: book.pinned == 1)
        made = pieces(server)
        async with connected(server.live) as client:
            await client.say(TEXT, temperature=0.7, chunk_length=chunk_length)
            assert (await client.turn())[0]
            assert pieces(server) == made
            await client.say(TEXT, temperature=0.7, chunk_length=50)
            assert (await client.turn())[0]
            assert pieces(server) > made
        await book.close()
