"""The remote engine in front of several real sockets."""

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import numpy as np
import pytest
import structlog
import uvicorn
from tests.fake_server import fake_server
from tests.remote_servers import CHUNK, CHUNKS, RemoteServer, remote_servers
from tests.services import free_port

from june_tts.engine.fake import FakeEngine
from june_tts.engine.recordings import recordings_in
from june_tts.engine.remote import RemoteEngine
from june_tts.engine.remote_client import RemoteOptions
from june_tts.errors import (
    EngineFailed,
    InvalidRequest,
    JuneError,
    Overloaded,
    UnsupportedParameter,
    VoiceNotFound,
)
from june_tts.store.memory import MemoryVoiceStore
from june_tts.types import AudioChunk, InlineReference, Piece, Sampling, Utterance, Voice

pytestmark = pytest.mark.integration

TEXT = "One sentence."


async def no_recordings(_: str) -> tuple[InlineReference, ...]:
    return (InlineReference(b"kept", "Kept."),)


@asynccontextmanager
async def engine_for(*servers: RemoteServer, **changed: Any) -> AsyncIterator[RemoteEngine]:
    async with remote_servers(*servers) as addresses:
        options: dict[str, Any] = {
            "addresses": addresses,
            "kind": servers[0].kind,
            "connect_seconds": 0.5,
            "first_seconds": 0.5,
            "gap_seconds": 0.3,
            "health_seconds": 0.1,
        }
        engine = RemoteEngine(RemoteOptions(**options | changed), no_recordings)
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()


def utterance(voice: str = "alloy", **changed: Any) -> Utterance:
    fields: dict[str, Any] = {"request_id": "r", "language": "en-US"}
    kind = changed.pop("kind", "builtin")
    return Utterance(voice=Voice(voice, voice, kind, "remote", ("en-US",), None, "?"), **fields | changed)


async def pieces(*texts: str) -> AsyncIterator[Piece]:
    for text in texts or (TEXT,):
        yield Piece(text)


async def spoken(engine: RemoteEngine, said: Utterance | None = None, *texts: str) -> list[AudioChunk]:
    async with aclosing(engine.synthesize(said or utterance(), pieces(*texts))) as chunks:
        return [chunk async for chunk in chunks]


def level(chunks: list[AudioChunk]) -> float:
    return round(float(np.concatenate([chunk.samples for chunk in chunks]).max()), 3)


async def until(condition: Any, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("kind", "rate"), [("openai", 24_000), ("fish", 22_050)])
async def test_the_whole_audio_comes_through(kind: str, rate: int) -> None:
    server = RemoteServer(kind)
    async with engine_for(server) as engine:
        chunks = await spoken(engine)
    assert {chunk.sample_rate for chunk in chunks} == {rate}
    assert sum(chunk.samples.size for chunk in chunks) == CHUNK * CHUNKS
    assert level(chunks) == 0.25


async def test_the_headerless_pcm_of_the_original_fish_server_is_played_at_44_1_khz() -> None:
    server = RemoteServer("fish")
    server.header = False
    async with engine_for(server) as engine:
        chunks = await spoken(engine)
    assert {chunk.sample_rate for chunk in chunks} == {44_100}
    assert sum(chunk.samples.size for chunk in chunks) == CHUNK * CHUNKS


async def test_audio_is_passed_on_while_the_server_still_speaks() -> None:
    server = RemoteServer()
    server.pause = 0.02
    async with engine_for(server) as engine:
        async with aclosing(engine.synthesize(utterance(), pieces())) as chunks:
            await anext(chunks)
            assert server.open == 1


async def test_openai_is_asked_for_pcm_in_the_voice_with_the_key() -> None:
    server = RemoteServer()
    async with engine_for(server, api_key="k", model="m", fields={"stream": True}) as engine:
        await spoken(engine, utterance("nova", speed=1.5))
    assert server.keys == ["Bearer k"]
    assert server.asked == [
        {"model": "m", "input": TEXT, "voice": "nova", "response_format": "pcm", "speed": 1.5, "stream": True}
    ]


async def test_fish_is_sent_the_sampling_and_the_recordings() -> None:
    server = RemoteServer("fish")
    sampling = Sampling(0.5, 0.7, 1.2, 3, 100)
    inline = (InlineReference(b"sound", "Words."),)
    async with engine_for(server) as engine:
        await spoken(engine, utterance("anna", sampling=sampling))
        await spoken(engine, utterance("remote"))
        await spoken(engine, utterance("mine", kind="cloned", references=inline))
        await spoken(engine, utterance("mine", kind="cloned"))
    named, plain, brought, kept = server.asked
    assert named.pop("reference_id") == "anna"
    assert named == {
        **{"text": TEXT, "format": "wav", "streaming": True},
        **{"temperature": 0.5, "top_p": 0.7, "repetition_penalty": 1.2, "seed": 3, "max_new_tokens": 100},
    }
    assert "reference_id" not in plain and "references" not in plain
    assert brought["references"] == [{"audio": base64.b64encode(b"sound").decode(), "text": "Words."}]
    assert kept["references"] == [{"audio": base64.b64encode(b"kept").decode(), "text": "Kept."}]


async def test_fish_has_no_tempo() -> None:
    async with engine_for(RemoteServer("fish")) as engine:
        with pytest.raises(UnsupportedParameter, match="speed"):
            await spoken(engine, utterance("remote", speed=2.0))
    assert engine.active == 0


async def test_the_server_with_the_fewest_requests_gets_the_next_one() -> None:
    servers = [RemoteServer(), RemoteServer()]
    for server in servers:
        server.pause = 0.02
    async with engine_for(*servers) as engine:
        await asyncio.gather(*(spoken(engine) for _ in range(8)))
    assert [server.most_open for server in servers] == [4, 4]


@pytest.mark.parametrize("mood", ["hang", "broken", "silent", "busy", "locked", "unknown"])
async def test_a_server_that_fails_before_anything_is_heard_costs_only_time(mood: Any) -> None:
    bad, good = RemoteServer(level=0.5, mood=mood), RemoteServer(level=0.25)
    async with engine_for(bad, good) as engine:
        for _ in range(4):
            assert level(await spoken(engine)) == 0.25
    assert bad.asked
    assert len(good.asked) == 4


async def test_a_server_that_is_gone_costs_only_time() -> None:
    gone, good = RemoteServer(), RemoteServer()
    async with engine_for(gone, good, health_seconds=60) as engine:
        await gone.stop()
        for _ in range(3):
            await spoken(engine)
    assert len(good.asked) == 3


@pytest.mark.parametrize("mood", ["dies", "stall"])
async def test_once_something_was_heard_no_other_server_is_asked(mood: Any) -> None:
    bad, good = RemoteServer(level=0.5, mood=mood), RemoteServer(level=0.25)
    async with engine_for(bad, good) as engine:
        engine.servers.all[1].outstanding = 5  # so that the bad one is asked first
        heard = []
        with pytest.raises(EngineFailed, match="before the end"):
            async with aclosing(engine.synthesize(utterance(), pieces())) as chunks:
                async for chunk in chunks:
                    heard.append(chunk)
        assert level(heard) == 0.5
        assert good.asked == []
        engine.servers.all[1].outstanding = 0
        assert level(await spoken(engine)) == 0.25


async def test_a_later_piece_may_be_spoken_elsewhere_while_nothing_of_it_was_heard() -> None:
    first, other = RemoteServer(level=0.5), RemoteServer(level=0.25)
    async with engine_for(first, other) as engine:
        engine.servers.all[1].outstanding = 5
        levels = []
        async with aclosing(engine.synthesize(utterance(), pieces("One.", "Two."))) as chunks:
            async for chunk in chunks:
                levels.append(round(float(chunk.samples.max()), 2))
                first.mood = "broken"
    assert levels[0] == 0.5 and levels[-1] == 0.25
    assert [body["input"] for body in other.asked] == ["Two."]


async def test_pieces_are_parted_by_a_pause_and_stay_with_their_server() -> None:
    servers = [RemoteServer(), RemoteServer()]
    async with engine_for(*servers) as engine:
        chunks = await spoken(engine, None, "One.", "Two.", "Three.")
    assert sorted(len(server.asked) for server in servers) == [0, 3]
    silence = sum(chunk.samples.size for chunk in chunks if not chunk.samples.any())
    assert silence == 2 * round(0.3 * 24_000)


async def test_an_ejected_server_comes_back_once_it_answers_and_works() -> None:
    back, good = RemoteServer(level=0.5), RemoteServer(level=0.25)
    async with engine_for(back, good) as engine:
        await back.stop()
        while engine.servers.all[0].available:
            await spoken(engine)
        assert {level(await spoken(engine)) for _ in range(4)} == {0.25}
        await back.start()
        await until(lambda: engine.servers.all[0].half_open)
        assert 0.5 in {level(await spoken(engine)) for _ in range(3)}
        assert engine.servers.all[0].failures == 0


async def test_a_server_that_fails_its_health_checks_is_asked_nothing() -> None:
    sick, good = RemoteServer(), RemoteServer()
    async with engine_for(sick, good) as engine:
        sick.healthy = False
        await until(lambda: not engine.servers.all[0].available)
        for _ in range(4):
            await spoken(engine)
    assert sick.asked == []


async def test_a_server_is_not_checked_while_it_speaks() -> None:
    server = RemoteServer()
    server.pause = 0.1
    async with engine_for(server, health_seconds=0.01) as engine:
        await until(lambda: server.checks > 2)
        async with aclosing(engine.synthesize(utterance(), pieces())) as chunks:
            await anext(chunks)
            await asyncio.sleep(0.05)  # a check that was under way
            before = server.checks
            async for _ in chunks:
                pass
            assert server.checks <= before + 1


async def test_a_listener_who_leaves_stops_the_server() -> None:
    server = RemoteServer()
    server.pause = 0.2
    async with engine_for(server, gap_seconds=5) as engine:
        stream = engine.synthesize(utterance(), pieces())
        await anext(stream)
        await stream.aclose()
        await until(lambda: server.open == 0)
        assert (engine.active, engine.running) == (0, 0)
    assert server.cancelled == 1


@pytest.mark.parametrize(
    ("mood", "error"), [("busy", Overloaded), ("unknown", VoiceNotFound), ("broken", EngineFailed)]
)
async def test_where_none_can_the_error_says_why(mood: Any, error: type[JuneError]) -> None:
    async with engine_for(RemoteServer(mood=mood), RemoteServer(mood=mood)) as engine:
        with pytest.raises(error) as caught:
            await spoken(engine)
    if mood == "busy":
        assert caught.value.retry_after == 7
    if mood == "broken":
        assert caught.value.retry_after is not None


async def test_what_one_server_refuses_is_not_tried_elsewhere() -> None:
    servers = [RemoteServer(mood="refuses"), RemoteServer(mood="refuses")]
    async with engine_for(*servers) as engine:
        with pytest.raises(InvalidRequest, match="422") as caught:
            await spoken(engine)
    assert sorted(len(server.asked) for server in servers) == [0, 1]
    assert "secret" not in str(caught.value)


async def test_the_voices_are_those_that_the_servers_list_and_the_configured_one() -> None:
    one, two = RemoteServer(), RemoteServer()
    one.listed = ["af_bella", {"id": "af_sky", "name": "Sky"}]
    two.listed = ["am_adam", 5, "", "bad\nname"]
    async with engine_for(one, two, voice="main") as engine:
        assert [voice.id for voice in engine.voices()] == ["main", "af_bella", "af_sky", "am_adam"]
        for _ in range(3):
            await spoken(engine, utterance("am_adam"))
    assert (len(one.asked), len(two.asked)) == (0, 3)


async def test_it_starts_while_no_server_can_be_reached_and_speaks_once_one_can() -> None:
    late = RemoteServer()
    await late.start()
    await late.stop()
    options = RemoteOptions((late.address,), "openai", health_seconds=0.1, connect_seconds=0.5)
    engine = RemoteEngine(options, no_recordings)
    await engine.start()
    try:
        assert [voice.id for voice in engine.voices()] == ["alloy"]
        with pytest.raises(EngineFailed):
            await spoken(engine)
        await late.start()
        await until(lambda: engine.servers.all[0].available)
        assert await spoken(engine)
    finally:
        await engine.close()
        await late.stop()


async def test_the_key_is_in_no_log_and_no_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "sk-very-secret"
    with structlog.testing.capture_logs() as logged:
        async with engine_for(RemoteServer(mood="locked"), api_key=secret) as engine:
            with pytest.raises(EngineFailed) as caught:
                await spoken(engine)
            assert secret not in repr(engine._options)
    assert logged
    assert secret not in f"{logged}{caplog.text}{caught.value}{caught.value.__cause__}"


@asynccontextmanager
async def our_own(engine: FakeEngine) -> AsyncIterator[str]:
    """june-tts itself as the remote server."""
    async with fake_server(engine, api_key="k") as inner:
        port = free_port()
        config = uvicorn.Config(inner.app, port=port, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await serving


@pytest.mark.parametrize("kind", ["openai", "fish"])
async def test_june_tts_itself_can_be_the_remote_server(kind: Any) -> None:
    inner = FakeEngine(clones=True, voices=("fake", "other"))
    async with our_own(inner) as address:
        options = RemoteOptions((address,), kind, api_key="k", voice="fake")
        engine = RemoteEngine(options, recordings_in(MemoryVoiceStore()))
        await engine.start()
        try:
            assert [voice.id for voice in engine.voices()] == ["fake", "other"]
            chunks = await spoken(engine, utterance("other"))
            assert sum(chunk.samples.size for chunk in chunks) > 1000
            assert inner.spoken[-1][0].voice.id == "other"
            if kind == "fish":
                inline = (InlineReference(b"sound", "Words."),)
                await spoken(engine, utterance("mine", kind="cloned", references=inline))
                assert inner.spoken[-1][0].references == inline
            with pytest.raises(VoiceNotFound):
                await missing(engine)
        finally:
            await engine.close()


async def missing(engine: RemoteEngine) -> None:
    """A voice that no server lists."""
    for server in engine.servers.all:
        server.voices = None  # as if it did not say, so that it is asked
    await spoken(engine, utterance("nobody"))
