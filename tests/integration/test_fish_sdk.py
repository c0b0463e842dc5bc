"""fish-audio-sdk's own calls, both interfaces, against the HTTP surface on a real socket."""

import io
from typing import Any

import av
import fish_audio_sdk
import numpy as np
import pytest
import soundfile
from tests.fish_clients import WAYS, NewError, OldError, fish_client
from tests.live_server import live_server
from tests.unit.http.test_fish_references import speech
from tests.unit.http.test_fish_voices import PNG

from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.types import InlineReference

pytestmark = pytest.mark.integration

TEXT = "Hello there, this is a sentence of words."
SECONDS = len(TEXT) * SECONDS_PER_CHARACTER
everyway = pytest.mark.parametrize("way", WAYS)


def decoded(audio: bytes) -> tuple[float, int]:
    """Seconds and Hz."""
    with av.open(io.BytesIO(audio), "r") as file:
        frames = list(file.decode(audio=0))
    rate = frames[0].sample_rate
    return sum(frame.samples for frame in frames) / rate, rate


@everyway
async def test_every_format_at_its_usual_rate(way: str) -> None:
    expected = {"mp3": 44_100, "wav": 44_100, "pcm": 44_100} | ({"opus": 48_000} if "new" in way else {})
    async with live_server() as server, fish_client(way, server.url) as client:
        for format, usual in expected.items():
            audio = await client.tts(TEXT, format=format)
            if format == "pcm":
                assert len(audio) / 2 / usual == pytest.approx(SECONDS, rel=0.05)
            else:
                seconds, rate = decoded(audio)
                assert rate == usual
                assert seconds == pytest.approx(SECONDS, rel=0.15)


@everyway
async def test_without_a_word_on_it_mp3_comes_at_128_kbit(way: str) -> None:
    async with live_server() as server, fish_client(way, server.url) as client:
        audio = await client.tts(TEXT)
        assert audio[0] == 0xFF
        assert len(audio) * 8 / SECONDS == pytest.approx(128_000, rel=0.15)


@everyway
async def test_sample_rates_and_bit_rates_are_those_asked_for(way: str) -> None:
    async with live_server() as server, fish_client(way, server.url) as client:
        for rate in (8_000, 16_000, 24_000, 32_000, 44_100):
            audio = await client.tts(TEXT, format="wav", sample_rate=rate)
            assert soundfile.info(io.BytesIO(audio)).samplerate == rate
        sizes = [len(await client.tts(TEXT, mp3_bitrate=kbits)) for kbits in (64, 128, 192)]
        assert sizes == pytest.approx([kbits * 125 * SECONDS for kbits in (64, 128, 192)], rel=0.15)
        if "new" in way:
            asked = (24, 32, 48, 64)
            sizes = [len(await client.tts(TEXT, format="opus", opus_bitrate=kbits)) for kbits in asked]
            assert sizes == sorted(set(sizes))
            assert await client.tts(TEXT, format="opus", opus_bitrate=-1000)


@everyway
async def test_prosody_changes_tempo_and_volume(way: str) -> None:
    def samples(audio: bytes) -> np.ndarray[Any, np.dtype[np.int16]]:
        return np.frombuffer(audio, "<i2")

    async with live_server() as server, fish_client(way, server.url) as client:
        plain = samples(await client.tts(TEXT, format="pcm"))
        fast = samples(await client.tts(TEXT, format="pcm", prosody={"speed": 2.0}))
        loud = samples(await client.tts(TEXT, format="pcm", prosody={"speed": 1.0, "volume": 6.0}))
    assert fast.size == pytest.approx(plain.size / 2, rel=0.02)
    assert np.abs(loud).max() == pytest.approx(2 * np.abs(plain).max(), rel=0.02)


@everyway
async def test_a_voice_is_named_and_the_default_speaks_otherwise(way: str) -> None:
    engine = FakeEngine(voices=("fake", "other"))
    async with live_server(engine) as server, fish_client(way, server.url) as client:
        await client.tts("One.", reference_id="other")
        await client.tts("Two.", reference_id=None)
    assert [(said.voice.id, text) for said, text in engine.spoken] == [("other", "One."), ("fake", "Two.")]


@everyway
async def test_recordings_that_come_along_reach_the_engine_whole(way: str) -> None:
    engine = FakeEngine(clones=True)
    recordings = [(speech(3.0), "One."), (bytes(range(256)) * 40, "Two.")]
    async with live_server(engine) as server, fish_client(way, server.url) as client:
        await client.tts("Hello.", references=recordings)
    assert engine.spoken[0][0].references == tuple(InlineReference(*one) for one in recordings)


@everyway
async def test_the_other_fields_reach_the_engine_or_do_no_harm(way: str) -> None:
    engine = FakeEngine()
    text = "There are 42 cats here, and they all sleep on one mat. " * 6
    async with live_server(engine) as server, fish_client(way, server.url) as client:
        await client.tts(text, chunk_length=100, temperature=0.25, top_p=0.5, latency="normal")
        pieces = [piece for _, piece in engine.spoken]
        assert max(map(len, pieces)) <= 100
        assert "forty-two" in pieces[0] and engine.spoken[0][0].sampling.temperature == 0.25
        engine.spoken.clear()
        await client.tts(text, normalize=False, temperature=0.0, latency="balanced")
        assert any("42" in piece for _, piece in engine.spoken)


@everyway
async def test_voices_are_made_listed_changed_and_removed(way: str) -> None:
    engine = FakeEngine(clones=True)
    async with live_server(engine) as server, fish_client(way, server.url) as client:
        made = await client.create(
            title="Anna",
            description="Reads aloud.",
            voices=[speech(4.0), speech(5.0)],
            texts=["One.", "Two."],
            tags=["calm", "female"],
            cover_image=PNG,
            visibility="unlist",
        )
        assert (made.title, made.description, made.tags) == ("Anna", "Reads aloud.", ["calm", "female"])
        assert (made.state, made.visibility, made.samples[0].text) == ("trained", "unlist", "One. Two.")
        assert await client.get(made.id) == made
        await client.tts("Hello.", reference_id=made.id)
        assert engine.spoken[-1][0].voice.id == made.id

        everyone = await client.list()
        assert (everyone.total, [voice.id for voice in everyone.items]) == (1, ["fake"])
        for wanted in ({}, {"title": "ann"}, {"tag": "calm"}, {"tag": ["calm", "female"]}):
            own = await client.list(self_only=True, sort_by="created_at", **wanted)
            assert [voice.id for voice in own.items] == [made.id]
        assert (await client.list(self_only=True, tag=["calm", "loud"])).total == 0
        assert (await client.list(language=["en", "ja"])).total == 1
        assert (await client.list(author_id="nobody", page_size=5, page_number=2)).total == 0

        await client.update(made.id, title="Berta", visibility="public", tags=["one"])
        await client.update(made.id, cover_image=b"GIF89a and so on")
        await client.update(made.id)
        changed = await client.get(made.id)
        assert (changed.title, changed.visibility, changed.tags) == ("Berta", "public", ["one"])
        assert changed.description == "Reads aloud." and changed.updated_at > made.updated_at
        picture = await server.fake.http.get(changed.cover_image)
        assert picture.content == b"GIF89a and so on"

        await client.delete(made.id)
        assert (await client.list(self_only=True)).total == 0


@everyway
async def test_a_voice_needs_nothing_but_a_title_and_a_recording(way: str) -> None:
    async with live_server() as server, fish_client(way, server.url) as client:
        made = await client.create(title="Anna", voices=[speech()])
        assert (made.description, made.tags, made.cover_image, made.visibility) == ("", [], "", "private")


@everyway
async def test_the_wallet_can_be_read(way: str) -> None:
    async with live_server() as server, fish_client(way, server.url) as client:
        assert (await client.credit()).credit > 0
        assert (await client.package()).balance > 0


async def refusal(call: Any) -> tuple[int, str]:
    """Status and message of the error that the interface itself raises."""
    with pytest.raises((OldError, NewError)) as refused:
        await call
    return refused.value.status, refused.value.message


@everyway
async def test_refusals_are_raised_with_their_message(way: str) -> None:
    async with live_server() as server, fish_client(way, server.url) as client:
        expected = [
            (client.get("nobody"), 404, "'nobody'"),
            (client.delete("nobody"), 404, "'nobody'"),
            (client.delete("fake"), 403, "built-in"),
            (client.update("fake", title="Mine"), 403, "built-in"),
            (client.update("nobody", title="x"), 404, "'nobody'"),
            (client.create(title="Anna", voices=[b"these are words"]), 400, "voices: 15 bytes of text"),
            (client.create(title=" ", voices=[speech()]), 422, "title"),
            (client.create(title="Anna", voices=[speech()], cover_image=b"<svg>"), 422, "cover_image"),
            (client.list(page_size=0), 422, "page_size"),
            (client.list(title_language="en"), 422, "title_language"),
        ]
        for call, status, part in expected:
            found = await refusal(call)
            assert found[0] == status and part in found[1], found


@everyway
async def test_speech_that_cannot_be_is_raised_with_its_status(way: str) -> None:
    """The old interface streams the reply and does not read what is in a refused one."""
    async with live_server() as server, fish_client(way, server.url) as client:
        expected: list[tuple[dict[str, Any], int, str]] = [
            ({"reference_id": "nobody"}, 404, "'nobody'"),
            ({"sample_rate": 44_100_000}, 422, "sample_rate"),
            ({"references": [(b"x", "y")]}, 422, "clone"),
            ({"text": "..."}, 400, "spoken"),
        ]
        for fields, status, part in expected:
            found = await refusal(client.tts(**({"text": TEXT} | fields)))
            assert found[0] == status, found
            assert part in found[1] or way.startswith("old"), found


@everyway
async def test_a_wrong_key_is_raised_as_401(way: str) -> None:
    async with live_server(api_key="right") as server:
        async with fish_client(way, server.url, "wrong") as client:
            for call in (client.tts(TEXT), client.list(), client.credit(), client.delete("x")):
                assert (await refusal(call))[0] == 401
        async with fish_client(way, server.url, "right") as client:
            assert await client.tts(TEXT)


async def test_a_stream_of_the_old_interface_is_heard_while_it_is_made() -> None:
    engine = FakeEngine(step_seconds=0.02)
    async with live_server(engine) as server, fish_audio_sdk.Session("key", base_url=server.url) as session:
        request = fish_audio_sdk.TTSRequest(text=TEXT, format="pcm")
        speaking = [engine.active async for part in session.tts.awaitable(request) if part]
        session.__exit__(None, None, None)
    assert speaking[0] == 1 and len(speaking) > 5
