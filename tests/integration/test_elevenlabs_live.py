"""ElevenLabs' sockets over a real connection and a fake engine: texts, contexts, interruptions, limits."""

import asyncio
import json
from typing import Any

import pytest
from tests.eleven_socket import MULTI, STREAM, Message, heard, said, seconds, talking
from tests.live_server import LiveServer, becomes, live_server
from websockets.exceptions import InvalidStatus

from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.http.live_limits import LiveLimits

pytestmark = pytest.mark.integration

TEXT = "Hello there, this is a sentence of words. "
SLOW = 0.05
"""Seconds for each 80 ms of audio."""


def spoken(server: LiveServer) -> list[str]:
    return [text for _, text in server.fake.engine.spoken]


def idle(server: LiveServer) -> bool:
    return not server.fake.engine.speaking and server.fake.services.admission.active == 0


async def test_a_text_is_spoken_its_end_is_told_and_the_socket_is_closed() -> None:
    async with live_server() as server:
        async with talking(server, STREAM) as talk:
            await talk.send(text=" ", voice_settings={"stability": 0.5, "speed": 1.0})
            for text in ("Hello the", "re, this is a senten", "ce of words. ", "And more. ", ""):
                await talk.send(text=text)
            found, code, _ = await talk.closed()
    assert code == 1000
    assert [message.get("isFinal") for message in found] == [None] * (len(found) - 1) + [True]
    assert " ".join(spoken(server)) == "Hello there, this is a sentence of words. And more."
    assert seconds(found) == pytest.approx(sum(map(len, spoken(server))) * SECONDS_PER_CHARACTER, rel=0.02)
    assert said(found) == "Hello there, this is a sentence of words. And more. "


@pytest.mark.parametrize("kind", [STREAM, MULTI])
async def test_audio_comes_while_the_text_is_still_being_written(kind: str) -> None:
    async with live_server() as server, talking(server, kind) as talk:
        await talk.send(text=" ")
        await talk.send(text="If you look closely at it, you")
        assert heard([await talk.next()])
        assert spoken(server) == ["If you look closely at it,"]


@pytest.mark.parametrize("kind", [STREAM, MULTI])
async def test_a_flush_speaks_what_is_there_and_the_text_goes_on(kind: str) -> None:
    async with live_server() as server, talking(server, kind) as talk:
        for part in ("Only half a ", "sentence here "):
            await talk.send(text=part)
            await talk.send(text="", flush=True)
            assert said(await talk.until("alignment")), "it is heard before the next part is written"
            await becomes(lambda part=part: spoken(server)[-1][:-1] == part.strip())
        assert spoken(server) == ["Only half a.", "sentence here."]


async def test_in_auto_mode_every_message_is_spoken_at_once() -> None:
    async with live_server() as server:
        async with talking(server, MULTI, auto_mode="true") as talk:
            await talk.send(text=" ", context_id="a")
            await talk.send(text="Half a sentence ", context_id="a")
            assert heard([await talk.next()])
        assert spoken(server) == ["Half a sentence."]
        async with talking(server, MULTI) as talk:
            await talk.send(text="And another half ", context_id="a")
            with pytest.raises(TimeoutError):
                await talk.next(0.3)


async def test_the_speed_is_that_of_the_first_message() -> None:
    async with live_server() as server:
        lengths = []
        for speed in (1.0, 2.0):
            async with talking(server, STREAM) as talk:
                await talk.send(text=" ", voice_settings={"speed": speed})
                await talk.send(text=TEXT, try_trigger_generation=True)
                await talk.send(text="")
                lengths.append(seconds((await talk.closed())[0]))
    assert lengths[1] == pytest.approx(lengths[0] / 2, rel=0.1)


async def test_the_query_says_format_seed_normalization_and_language() -> None:
    async with live_server() as server:

        async def speak(text: str = TEXT, **query: Any) -> bytes:
            async with talking(server, STREAM, **query) as talk:
                await talk.send(text=text)
                await talk.send(text="")
                return heard((await talk.closed())[0])

        plain = await speak()
        assert len(await speak(output_format="ulaw_8000")) == pytest.approx(len(plain) / 6, rel=0.05)
        assert (await speak(output_format="mp3_22050_32"))[:1] == b"\xff"
        assert await speak(seed=3) != plain
        await speak("It is 5. ", apply_text_normalization="off", language_code="de")
        utterance, text = server.fake.engine.spoken[-1]
    assert (utterance.language, text) == ("de-DE", "It is 5.")


def starts(message: Message) -> list[int]:
    found: list[int] = message["alignment"]["charStartTimesMs"]
    return found


@pytest.mark.parametrize("absolute", [True, False])
async def test_times_count_from_the_context_or_from_where_the_last_message_ended(absolute: bool) -> None:
    query: dict[str, Any] = {"sync_alignment": "true"} if absolute else {}
    async with live_server() as server, talking(server, MULTI, **query) as talk:
        await talk.send(text="It is so. And not so. ", context_id="a")
        await talk.send(context_id="a", text="", flush=True)
        await talk.send(context_id="a", close_context=True)
        found = [message for message in await talk.final("a") if message.get("alignment")]
    assert len(found) > 3 and said(found) == "It is so. And not so. "
    clock, times = 0, []
    for message in found:
        aligned = message["alignment"]
        assert message["normalizedAlignment"] == aligned
        assert len(aligned["chars"]) == len(starts(message)) == len(aligned["charDurationsMs"])
        times += [clock + start for start in starts(message)]
        clock += 0 if absolute else starts(message)[-1] + aligned["charDurationsMs"][-1]
    # the fake engine's characters last 60 ms each, between sentences too
    assert times == pytest.approx([60 * at for at in range(len(times))], abs=62)
    assert times == sorted(times)


async def test_contexts_are_spoken_side_by_side_each_in_its_own_voice_settings() -> None:
    async with live_server(FakeEngine(step_seconds=SLOW)) as server, talking(server, MULTI) as talk:
        for name, speed in (("a", 1.0), ("b", 2.0)):
            await talk.send(text=" ", context_id=name, voice_settings={"speed": speed})
            await talk.send(text=TEXT, context_id=name, flush=True)
            await talk.send(context_id=name, close_context=True)
        found, finals = [], 0
        while finals < 2:
            found.append(await talk.next())
            finals += bool(found[-1].get("isFinal"))
    order = [message["contextId"] for message in found]
    assert order.index("b") < max(at for at, name in enumerate(order) if name == "a"), (
        "one waited for the other"
    )
    lengths = {name: seconds([m for m in found if m["contextId"] == name]) for name in "ab"}
    assert lengths["b"] == pytest.approx(lengths["a"] / 2, rel=0.1)
    assert all(message["contextId"] == message["context_id"] for message in found)
    idents = {utterance.request_id for utterance, _ in server.fake.engine.spoken}
    assert len(idents) == 2, "logs tell them apart"


async def test_a_context_that_was_not_flushed_is_cancelled_at_once_when_it_is_closed() -> None:
    async with live_server(FakeEngine(step_seconds=SLOW)) as server, talking(server, MULTI) as talk:
        await talk.send(text=20 * TEXT, context_id="a")
        await talk.next()
        await talk.send(context_id="a", close_context=True)
        await talk.final("a")
        assert idle(server)
        assert len(spoken(server)) < 4
        await talk.send(text=TEXT, context_id="b", flush=True)
        await talk.send(text=20 * TEXT, context_id="b")
        await talk.send(context_id="b", close_context=True)
        assert seconds(await talk.final("b")) < 4, "what was written since the flush was not flushed"
        await talk.send(text=TEXT, context_id="a", flush=True)
        assert heard([await talk.next()]), "the id can be used again"


async def test_what_was_flushed_is_still_spoken_and_a_second_close_cancels_it() -> None:
    async with live_server(FakeEngine(step_seconds=SLOW)) as server, talking(server, MULTI) as talk:
        await talk.send(text=TEXT, context_id="a", flush=True)
        await talk.send(context_id="a", close_context=True)
        assert seconds(await talk.final("a")) == pytest.approx(
            sum(map(len, spoken(server))) * SECONDS_PER_CHARACTER, rel=0.02
        )
        await talk.send(text=20 * TEXT, context_id="b", flush=True)
        for _ in range(2):
            await talk.send(context_id="b", close_context=True)
        assert seconds(await talk.final("b")) < 4
        assert idle(server)


async def test_closing_the_socket_waits_for_what_was_flushed() -> None:
    async with live_server() as server, talking(server, MULTI) as talk:
        await talk.send(text=TEXT, context_id="a", flush=True)
        await talk.send(text=" ", context_id="b")
        await talk.send(close_socket=True)
        await talk.send(text="Too late.", context_id="c")
        found, code, _ = await talk.closed()
    assert code == 1000
    assert {m["contextId"] for m in found if m.get("isFinal")} == {"a", "b"}
    assert said(found) == TEXT


async def test_messages_without_words_keep_contexts_and_sockets_alive() -> None:
    async with live_server() as server, talking(server, MULTI, inactivity_timeout=1) as talk:
        await talk.send(text=" ", context_id="a")
        for _ in range(4):
            await asyncio.sleep(0.4)
            await talk.send(text="", context_id="a")
            await talk.send(text="")
        await talk.send(text=TEXT, context_id="a", flush=True)
        assert said(await talk.until("alignment")), "it is still the same context, and no other was opened"
        assert (await talk.final("a"))[-1]["isFinal"], "and it ends when it is quiet"
        _, code, reason = await talk.closed()
    assert code == 1001 and "nothing was sent for 1 s" in reason


async def test_a_stream_that_is_quiet_speaks_what_it_has_and_ends() -> None:
    async with live_server() as server, talking(server, STREAM, inactivity_timeout=1) as talk:
        await talk.send(text="Half a sentence ")
        found, code, _ = await talk.closed()
    assert said(found) == "Half a sentence " and code == 1000


async def test_a_socket_without_words_is_closed() -> None:
    async with live_server() as server, talking(server, STREAM, inactivity_timeout=1) as talk:
        found, code, _ = await talk.closed()
    assert found[0]["error"] == "body_too_slow" and code == 1008


@pytest.mark.parametrize("kind", [STREAM, MULTI])
async def test_who_hangs_up_frees_everything_at_once(kind: str) -> None:
    async with live_server(FakeEngine(step_seconds=SLOW)) as server:
        async with talking(server, kind) as talk:
            await talk.send(text=50 * TEXT)
            await talk.next()
            assert not idle(server)
            talk.connection.transport.abort()
        await becomes(lambda: idle(server), 2)


@pytest.mark.parametrize("kind", [STREAM, MULTI])
async def test_a_reader_that_takes_nothing_is_cut_off_and_frees_everything(kind: str) -> None:
    async with live_server(stall_seconds=0.5) as server, talking(server, kind) as talk:
        # the rest is held in sockets' buffers, which take some megabytes
        talk.connection.transport.pause_reading()
        for _ in range(30):
            await talk.send(text=3 * TEXT, context_id="a", flush=True)
        await becomes(lambda: not idle(server))
        await becomes(lambda: idle(server), 20)
        assert server.fake.services.recorder.totals.cancelled == 1
        talk.connection.transport.abort()


@pytest.mark.parametrize("kind", [STREAM, MULTI])
@pytest.mark.parametrize(
    "message",
    [
        b"\x81\xa5event",
        "",
        "nonsense",
        "[" * 100_000,
        '["text"]',
        '{"text": 5}',
        '{"text": "hi", "flush": "yes"}',
        '{"text": "hi", "context_id": 7}',
        '{"text": "hi", "context_id": "' + 300 * "x" + '"}',
        '{"text": "hi", "voice_settings": {"speed": 99}}',
        '{"text": "hi", "generation_config": {"chunk_length_schedule": ["long"]}}',
        '{"text": "hi", "pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "a"}]}',
    ],
)
async def test_garbage_is_refused_by_name_and_ends_the_socket(kind: str, message: str | bytes) -> None:
    async with live_server() as server, talking(server, kind) as talk:
        await talk.connection.send(message)
        found, code, reason = await talk.closed()
        assert idle(server)
    assert code == 1008
    assert found[-1]["error"] == "invalid_request" and found[-1]["code"] == 1008
    assert found[-1]["message"].startswith(reason) and len(found[-1]["message"]) < 300


async def test_a_message_that_is_too_large_ends_the_socket() -> None:
    async with live_server(frame_bytes=10_000) as server, talking(server, STREAM) as talk:
        await talk.send(text=20_000 * "x")
        assert (await talk.closed())[1] == 1009


async def test_more_text_than_a_turn_may_have_is_refused_for_that_context_alone() -> None:
    limits = LiveLimits(turn_chars=1000)
    async with live_server(live=limits) as server, talking(server, MULTI) as talk:
        await talk.send(text=TEXT, context_id="b")
        for _ in range(30):
            await talk.send(text=TEXT, context_id="a")
        found = await talk.final("a")
        assert [m["error"] for m in found if "error" in m] == ["text_too_long"]
        await talk.send(context_id="b", text="", flush=True)
        await talk.send(context_id="b", close_context=True)
        assert said(await talk.final("b")) == TEXT


async def test_one_context_too_many_is_refused_and_the_others_go_on() -> None:
    async with live_server(live=LiveLimits(contexts=2)) as server, talking(server, MULTI) as talk:
        for name in ("a", "b", "c"):
            await talk.send(text="One moment ", context_id=name)
        found = await talk.final("c")
        assert [m["error"] for m in found if "error" in m] == ["overloaded"]
        await talk.send(context_id="a", close_context=True)
        await talk.final("a")
        await talk.send(text=TEXT, context_id="c", flush=True)
        assert heard([await talk.next()])


async def test_the_speed_cannot_change_in_the_middle() -> None:
    async with live_server() as server, talking(server, MULTI) as talk:
        await talk.send(text=" ", context_id="a", voice_settings={"speed": 1.5})
        await talk.send(text="Same. ", context_id="a", voice_settings={"speed": 1.5})
        await talk.send(text="Other. ", context_id="a", voice_settings={"speed": 2})
        found = await talk.final("a")
    assert [m["error"] for m in found if "error" in m] == ["invalid_request"]


async def test_an_engine_that_fails_is_told_to_its_context_and_the_socket_stays() -> None:
    async with live_server(FakeEngine(fail_at=2)) as server, talking(server, MULTI) as talk:
        for _ in range(2):
            await talk.send(text=TEXT, context_id="a", flush=True)
            found = await talk.final("a")
            assert [(m["error"], m["contextId"]) for m in found if "error" in m] == [("engine_failed", "a")]
        assert idle(server)


async def test_a_stream_whose_engine_fails_says_so_last() -> None:
    async with live_server(FakeEngine(fail_at=2)) as server, talking(server, STREAM) as talk:
        await talk.send(text=TEXT, flush=True)
        found, code, _ = await talk.closed()
    assert code == 1011
    assert found[-1]["error"] == "engine_failed" and "told to fail" in found[-1]["message"]


async def test_a_text_of_one_language_in_another_is_refused_by_the_context() -> None:
    async with live_server() as server, talking(server, MULTI, language_code="fr") as talk:
        await talk.send(text=TEXT, context_id="a", flush=True)
        found = await talk.final("a")
    assert "fake speaks en-US, de-DE" in found[0]["message"]


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ({"voice": "nobody"}, 404, "nobody"),
        ({"output_format": "mp3_1"}, 400, "mp3_1"),
        ({"model_id": "gpt-9"}, 404, "gpt-9"),
        ({"inactivity_timeout": 0}, 400, "inactivity_timeout"),
        ({"auto_mode": "perhaps"}, 400, "auto_mode"),
        ({"enable_ssml_parsing": "true"}, 422, "enable_ssml_parsing"),
    ],
)
@pytest.mark.parametrize("kind", [STREAM, MULTI])
async def test_a_handshake_that_asks_for_what_there_is_not_is_refused(
    kind: str, query: dict[str, Any], status: int, word: str
) -> None:
    async with live_server() as server:
        with pytest.raises(InvalidStatus) as refused:
            async with talking(server, kind, **query):
                pass
    assert refused.value.response.status_code == status
    assert word in json.loads(refused.value.response.body or b"")["detail"]["message"]


@pytest.mark.parametrize("kind", [STREAM, MULTI])
async def test_the_key_may_come_in_a_header_or_in_the_query(kind: str) -> None:
    async with live_server(api_key="sesame") as server:

        async def status(headers: dict[str, str] | None = None, **query: Any) -> int:
            try:
                async with talking(server, kind, headers=headers, **query):
                    return 101
            except InvalidStatus as refused:
                return refused.response.status_code

        assert await status({"xi-api-key": "sesame"}) == 101
        assert await status({"Authorization": "Bearer sesame"}) == 101
        in_query: dict[str, Any] = {"xi-api-key": "sesame"}
        assert await status(**in_query) == 101
        assert await status(authorization="Bearer%20sesame") == 101
        assert await status({"xi-api-key": "wrong"}) == 401
        assert await status(authorization="sesame") == 401
        assert await status() == 401


async def test_many_turns_leave_nothing_behind() -> None:
    async with live_server() as server, talking(server, MULTI) as talk:
        before = len(asyncio.all_tasks())
        for number in range(50):
            await talk.send(text=TEXT, context_id=f"{number}", flush=number % 2 == 0)
            await talk.send(context_id=f"{number}", close_context=True)
            await talk.final(f"{number}")
        assert idle(server)
        await becomes(lambda: len(asyncio.all_tasks()) <= before)
