"""What people in rooms hear: the words, whole, their own alone, and silence when they want it."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import psutil
import pytest
from tests.e2e.page_server import serving
from tests.e2e.server_process import process_of
from tests.june_in_rooms import heard, june
from tests.listening import word_error
from tests.livekit_service import LiveKit
from tests.room_listener import RATE, Sound, missing, trimmed, wav

from june_tts.audio.frames import Framer
from june_tts.engine.fake import FakeEngine
from june_tts.types import AudioChunk, Piece, Utterance

pytestmark = pytest.mark.integration

SENTENCES = (
    "The train leaves the station at nine, and the children look out of the window.",
    "Please call me back tomorrow morning, before the meeting.",
    "We have three rooms left on the second floor.",
)
ROUNDS = 20


@pytest.fixture(scope="module")
def server(shared_livekit: LiveKit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real process with joe."""
    with serving(tmp_path_factory.mktemp("server"), **settings(shared_livekit)) as address:
        yield address


def settings(livekit: LiveKit) -> dict[str, str]:
    return {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": livekit.secret,
        # other tests take processor time meanwhile: a late word is not what these are about
        "JUNE_QUEUE_SECONDS": "10",
    }


def asking(server: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server, timeout=60)


async def say(http: httpx.AsyncClient, text: str, room: str, **fields: Any) -> dict[str, Any]:
    reply = await http.post("/api/tts/synthesize", json={"text": text, "room_name": room, **fields})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


class Replay(FakeEngine):
    """Speaks one take of joe's, in chunks as joe's engine gives them: no two takes are the same."""

    def __init__(self, take: Sound, rate: int) -> None:
        super().__init__()
        self._take = take
        self._rate = rate

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        for part in np.array_split(self._take / np.float32(32768), 7):
            yield AudioChunk(part.astype(np.float32), self._rate)


async def spoken(http: httpx.AsyncClient, text: str, rate: int) -> Sound:
    body = {"text": text, "audio_format": "pcm", "sample_rate": rate}
    reply = await http.post("/api/tts/synthesize", json=body)
    return np.frombuffer(reply.raise_for_status().content, np.int16)


async def test_the_words_are_heard(server: str, livekit: LiveKit, room: str) -> None:
    async with asking(server) as http, heard(livekit, room) as person:
        for text in SENTENCES:
            mark = person.mark()
            await say(http, text, room)
            await person.quiet()
            assert word_error(text, wav(person.sound(mark))) <= 0.25


async def test_all_of_it_is_heard_without_a_gap(server: str, livekit: LiveKit) -> None:
    async with asking(server) as http:
        take = await spoken(http, " ".join(SENTENCES), 22_050)
    said = resampled(take, 22_050)
    async with june(livekit, engine=Replay(take, 22_050)) as one, heard(livekit, one.room) as person:
        reply = await one.say("A take.")
        await person.quiet()
        sound, gaps = person.sound(), await person.concealed()
    assert reply.json()["heard_seconds"] == pytest.approx(said.size / RATE, abs=0.02)
    assert trimmed(sound).size / RATE == pytest.approx(trimmed(said).size / RATE, abs=0.1)
    # two measures: what should have been there and was not, and what the player had to make up
    assert [gap for gap in missing(sound, said) if gap > 0.04] == []
    assert gaps < 0.2


def resampled(sound: Sound, rate: int) -> Sound:
    framer = Framer(rate, RATE, 480)
    samples = (sound / np.float32(32768)).astype(np.float32)
    return np.concatenate([*framer.feed(samples), *framer.finish()])


def test_a_gap_is_found_where_there_is_one() -> None:
    """The measure of the test above, on sound with 60 ms taken out."""
    beat = np.sin(2 * np.pi * 3 * np.arange(3 * RATE) / RATE) > -0.5
    said = (8000 * np.sin(2 * np.pi * 300 * np.arange(3 * RATE) / RATE) * beat).astype(np.int16)
    torn = said.copy()
    torn[int(1.1 * RATE) : int(1.16 * RATE)] = 0
    assert missing(said, said) == []
    assert [round(gap, 2) for gap in missing(torn, said)] == [0.06]


async def test_captions_are_the_text_and_come_with_their_words(
    server: str, livekit: LiveKit, room: str
) -> None:
    text = SENTENCES[0]
    async with asking(server) as http, heard(livekit, room) as person:
        mark = person.mark()
        reply = await say(http, text, room)
        await person.quiet()
        first = person.heard_at(mark)
        captions = person.captions
    assert first is not None
    assert "".join(one.text for one in captions) == text
    assert captions[-1].final and {one.segment for one in captions} == {reply["utterance_id"]}
    told = [one.at - first for one in captions if one.text]
    assert len(told) >= 10
    assert told[0] < 0.3
    middle = next(one.at - first for one in captions if "children" in one.text)
    assert 1.0 < middle < reply["heard_seconds"]


async def test_rooms_hear_their_own_words_and_nothing_else(server: str, livekit: LiveKit) -> None:
    rooms = {f"room-{uuid4().hex[:8]}": text for text in SENTENCES}

    async def one(room: str, text: str) -> float:
        async with asking(server) as http, heard(livekit, room) as person:
            for _ in range(2):
                mark = person.mark()
                await say(http, text, room)
                await person.quiet()
            return word_error(text, wav(person.sound(mark)))

    assert max(await asyncio.gather(*(one(room, text) for room, text in rooms.items()))) <= 0.1


async def test_an_interruption_is_silence_and_then_the_new_words_alone(
    server: str, livekit: LiveKit, room: str
) -> None:
    async with asking(server) as http, heard(livekit, room) as person:
        mark = person.mark()
        long = asyncio.create_task(say(http, " ".join(SENTENCES), room))
        await person.hears(mark)
        await asyncio.sleep(1.5)
        cut, before = time.monotonic(), person.mark()
        stopped = (await http.post("/api/tts/stop", json={"room_name": room})).json()
        await person.quiet()
        silent = (person.silent_since(before) or cut) - cut
        over = await long
        mark = person.mark()
        await say(http, SENTENCES[2], room, interrupt=True)
        await person.quiet()
    assert stopped["stopped"] == [over["utterance_id"]]
    assert over["status"] == "stopped" and 1.3 < over["heard_seconds"] < 2.5
    # 60 ms on an idle machine; what would be left in the queue alone is 200
    assert silent < 0.5
    assert word_error(SENTENCES[2], wav(person.sound(mark))) <= 0.25


async def test_joining_speaking_and_leaving_leaves_nothing_behind(livekit: LiveKit, tmp_path: Path) -> None:
    """Over a fake engine, whose memory stays as it is."""
    engine = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake", "JUNE_ROOM_WARM_SECONDS": "0"}
    with serving(tmp_path, **settings(livekit) | engine) as address:
        process = process_of(address)
        async with asking(address) as http:
            for _ in range(5):
                await joined_and_left(http)
            before = usage(process)
            for _ in range(ROUNDS):
                await joined_and_left(http)
            await asyncio.sleep(1)
            after = usage(process)
    # LiveKit's runtime keeps a handful of threads for some seconds; one a round would be more
    assert after["threads"] <= before["threads"] + 8
    assert after["files"] <= before["files"] + 2
    assert after["sockets"] <= before["sockets"] + 2
    assert after["rss"] - before["rss"] < 10


async def joined_and_left(http: httpx.AsyncClient) -> None:
    await say(http, "Yes.", f"room-{uuid4().hex[:8]}")
    async with asyncio.timeout(10):
        while (await http.get("/health")).json()["rooms"]["joined"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def usage(process: psutil.Process) -> dict[str, float]:
    """RSS in MB."""
    return {
        "rss": process.memory_info().rss / 2**20,
        "threads": process.num_threads(),
        "files": process.num_fds(),
        "sockets": len(process.net_connections("all")),
    }


async def test_speech_that_comes_too_slowly_is_counted(livekit: LiveKit) -> None:
    async with june(livekit, engine=FakeEngine(step_seconds=0.15), buffer_ms=40) as one:
        assert (await one.say("Hello there.")).status_code == 200
        assert one.count("tts_room_underruns_total") > 1
