"""Fish Audio's speech with timestamps, over a fake engine whose characters all last equally long."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_server import FakeServer, fake_server

from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.http.fish_alignment import MOST_WORDS, Sentences
from june_tts.types import WordTime

pytestmark = pytest.mark.unit

URL = "/v1/tts/stream/with-timestamp"
TEXT = "Meet me there at 9:30, will you? It would be kind. And late is better than never"


async def events(server: FakeServer, text: str = TEXT, **fields: Any) -> list[dict[str, Any]]:
    reply = await server.http.post(URL, json={"text": text, "format": "pcm", **fields})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line.removeprefix("data: ")) for line in reply.text.split("\n\n") if line]


def latest(found: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """What a client keeps: the last alignment of each chunk that is not null."""
    return {event["chunk_seq"]: event for event in found if event["alignment"]}


def absolute(found: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    return [
        (s["text"], event["chunk_audio_offset_sec"] + s["start"], event["chunk_audio_offset_sec"] + s["end"])
        for event in latest(found).values()
        for s in event["alignment"]["segments"]
    ]


async def test_the_audio_of_all_events_is_that_of_the_plain_route() -> None:
    async with fake_server() as server:
        found = await events(server)
        plain = await server.http.post("/v1/tts", json={"text": TEXT, "format": "pcm", "streaming": True})
    assert b"".join(base64.b64decode(event["audio_base64"]) for event in found) == plain.content
    assert len(found) > 5
    assert set(found[0]) == {
        "audio_base64",
        "content",
        "chunk_seq",
        "chunk_audio_offset_sec",
        "alignment",
    }


async def test_each_written_word_is_there_once_at_its_time() -> None:
    async with fake_server() as server:
        words = absolute(await events(server))
    assert [text for text, _, _ in words] == TEXT.split()
    spoken = "Meet me there at nine thirty, will you?"
    assert words[4][1] == pytest.approx(spoken.index("nine") * SECONDS_PER_CHARACTER, abs=0.002)
    assert words[4][2] == pytest.approx(spoken.index(", will") * SECONDS_PER_CHARACTER, abs=0.07)


async def test_a_chunk_is_a_sentence_and_its_snapshots_grow() -> None:
    async with fake_server() as server:
        found = await events(server)
    assert [event["content"] for event in latest(found).values()] == [
        "Meet me there at 9:30, will you?",
        "It would be kind.",
        "And late is better than never",
    ]
    numbers = [event["chunk_seq"] for event in found]
    assert numbers == sorted(numbers)
    for number in set(numbers):
        known = [e["alignment"] for e in found if e["chunk_seq"] == number and e["alignment"]]
        sizes = [len(alignment["segments"]) for alignment in known]
        assert sizes == sorted(sizes)
    assert found[0]["alignment"] is None or found[0]["content"]
    for event in latest(found).values():
        assert event["alignment"]["segments"][-1]["end"] <= event["alignment"]["audio_duration"]


async def test_the_tempo_and_the_format_are_those_asked_for() -> None:
    async with fake_server() as server:
        usual = absolute(await events(server))
        quick = absolute(await events(server, prosody={"speed": 2.0}))
        mp3 = await events(server, format="mp3")
    assert quick[-1][2] == pytest.approx(usual[-1][2] / 2, abs=0.01)
    assert absolute(mp3) == usual
    first = base64.b64decode(next(event["audio_base64"] for event in mp3 if event["audio_base64"]))
    assert first[0] == 0xFF


async def test_a_refusal_is_in_fishs_shape_and_a_late_fault_cuts_the_reply() -> None:
    async with fake_server() as server:
        refused = await server.http.post(URL, json={"text": "", "format": "wav"})
        rate = await server.http.post(URL, json={"text": "Hi.", "format": "opus", "sample_rate": 22_050})
    assert refused.status_code >= 400 and "reason" in refused.json()
    assert rate.status_code == 422
    async with fake_server(engine=FakeEngine(fail_at=3)) as server:
        with pytest.raises(AssertionError):  # the transport misses the end of the reply
            await server.http.post(URL, json={"text": TEXT, "format": "pcm"})


@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=150),
    ends=st.lists(st.booleans(), min_size=150, max_size=150),
    cuts=st.lists(st.integers(0, 20), max_size=40),
)
def test_any_cuts_of_the_words_end_in_the_same_alignment(
    lengths: list[int], ends: list[bool], cuts: list[int]
) -> None:
    edges = np.cumsum([0, *lengths]) / 100
    words = [
        WordTime(f"w{i}" + "." * ends[i], float(a), float(b))
        for i, (a, b) in enumerate(zip(edges, edges[1:], strict=False))
    ]

    def sent(sizes: list[int]) -> list[dict[str, Any]]:
        sentences, at = Sentences(), 0
        found: list[dict[str, Any]] = []
        for size in [*sizes, len(words)]:
            part = words[at : at + size]
            at += size
            found += sentences.events("AAAA", part, part[-1].end if part else edges[min(at, len(words))])
            assert not [*sentences.events("", [], float(edges[-1]))], "nothing new is no event"
        return found

    found = sent(cuts)
    assert absolute(found) == absolute(sent([]))
    assert [text for text, _, _ in absolute(found)] == [word.text for word in words]
    assert all(len(event["alignment"]["segments"]) <= MOST_WORDS for event in latest(found).values())
    assert sum(bool(event["audio_base64"]) for event in found) == len(cuts) + 1
