"""Jobs as a client meets them: made, followed, ended, downloaded in parts; each caller sees its own."""

import asyncio
import io
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message
from tests.fake_server import MAX_JOB_CHARS, FakeServer, fake_server
from tests.live_server import becomes

from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.errors import JobNotFound, RangeNotSatisfiable
from june_tts.http.ranges import wanted
from june_tts.http.routes.jobs import viewer_of
from june_tts.http.stored_audio import StoredAudio
from june_tts.jobs import BLOCK_BYTES, JobRules
from june_tts.service.job_runner import RunnerRules
from june_tts.types import Caller, SpeechRequest

pytestmark = pytest.mark.unit

URL = "/v1/jobs"
CHAPTER = "The rain had not stopped for days. Nobody spoke of it. " * 24
WAIT_SECONDS = 20.0
WORKING = RunnerRules(passage_chars=400)


async def made(server: FakeServer, **fields: Any) -> dict[str, Any]:
    reply = await server.http.post(URL, json={"text": "Hello there.", **fields})
    assert reply.status_code == 202, reply.text
    found: dict[str, Any] = reply.json()
    assert reply.headers["location"] == f"{URL}/{found['id']}"
    return found


async def ended(server: FakeServer, job: dict[str, Any]) -> dict[str, Any]:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found: dict[str, Any] = (await server.http.get(f"{URL}/{job['id']}")).json()
            if found["state"] not in ("queued", "running"):
                return found
            await asyncio.sleep(0.01)


async def audio(server: FakeServer, job: dict[str, Any], **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await server.http.get(f"{URL}/{job['id']}/audio", headers=sent)


async def test_a_long_text_is_spoken_and_downloaded_as_one_file() -> None:
    async with fake_server(runner=WORKING) as server:
        job = await made(server, text=CHAPTER, audio_format="wav", title="Chapter 1")
        assert (job["state"], job["characters"], job["audio_bytes"]) == ("queued", len(CHAPTER), None)
        done = await ended(server, job)
        whole = await audio(server, done)
    assert (done["state"], done["progress"], done["error"]) == ("done", 1.0, None)
    assert done["pieces"] >= len(CHAPTER) // 400
    assert done["title"] == "Chapter 1" and done["started_at"] >= done["created_at"]
    assert whole.headers["content-type"] == "audio/wav"
    assert len(whole.content) == done["audio_bytes"] == int(whole.headers["content-length"])
    # the header states the true length
    assert int.from_bytes(whole.content[40:44], "little") == len(whole.content) - 44
    assert int.from_bytes(whole.content[4:8], "little") == len(whole.content) - 8
    said = soundfile.info(io.BytesIO(whole.content)).duration
    assert said == pytest.approx(done["audio_duration_seconds"], abs=0.01)
    spoken = len(CHAPTER) * SECONDS_PER_CHARACTER
    # no blank between two passages is spoken, and the pauses are longer than one
    assert 0.9 * spoken < said < 1.1 * spoken


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "pcm", "ulaw"])
async def test_every_format_is_there(format: str) -> None:
    async with fake_server(runner=WORKING) as server:
        done = await ended(server, await made(server, text=CHAPTER[:500], audio_format=format))
        whole = await audio(server, done)
    assert done["state"] == "done" and len(whole.content) == done["audio_bytes"]
    if format in ("mp3", "opus", "flac"):
        samples, rate = soundfile.read(io.BytesIO(whole.content))
        assert len(samples) / rate == pytest.approx(done["audio_duration_seconds"], abs=0.1)
    if format == "flac":
        assert soundfile.info(io.BytesIO(whole.content)).frames == len(samples)


async def test_the_first_piece_of_a_passage_is_not_cut_short() -> None:
    sentence = "This is a sentence of some sixty characters, and one clause."
    async with fake_server(runner=WORKING) as server:
        await ended(server, await made(server, text=sentence))
        assert [text for _, text in server.engine.spoken] == [sentence]


async def test_a_job_is_followed_while_it_is_spoken() -> None:
    seen: list[dict[str, Any]] = []
    async with fake_server(FakeEngine(step_seconds=0.0005), runner=WORKING) as server:
        job = await made(server, text=CHAPTER)
        async with asyncio.timeout(WAIT_SECONDS):
            while not seen or seen[-1]["state"] in ("queued", "running"):
                seen.append((await server.http.get(f"{URL}/{job['id']}")).json())
                await asyncio.sleep(0.01)
    progress = [one["progress"] for one in seen]
    assert progress == sorted(progress) and len(set(progress)) > 2
    assert "running" in {one["state"] for one in seen}


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"text": "a" * (MAX_JOB_CHARS + 1)}, 413, "text_too_long"),
        ({"text": "***"}, 400, "nothing_to_speak"),
        ({"voice_id": "nobody"}, 404, "voice_not_found"),
        ({"top_p": 0.5}, 422, "unsupported_parameter"),
        ({"language": "fr"}, 400, "invalid_request"),
        ({"speed": 9}, 400, "invalid_request"),
        ({"audio_format": "ulaw", "sample_rate": 44_100}, 400, "invalid_request"),
        ({"title": "two\nlines"}, 400, "invalid_request"),
        ({"room_name": "lobby"}, 400, "invalid_request"),
        ({"text": "\ud800"}, 400, "invalid_request"),
    ],
)
async def test_what_can_never_be_spoken_is_refused_at_once(
    fields: dict[str, Any], status: int, code: str
) -> None:
    async with fake_server() as server:
        body = json.dumps({"text": "Hello.", **fields})
        reply = await server.http.post(URL, content=body, headers={"content-type": "application/json"})
        listed = (await server.http.get(URL)).json()
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert set(reply.json()["error"]) == {"code", "message", "param", "retryable"}
    assert listed == {"jobs": [], "next": None}


async def test_a_text_may_be_longer_than_that_of_a_request_and_have_what_no_database_keeps() -> None:
    text = "Five\0six. " * 550
    async with fake_server(runner=RunnerRules()) as server:
        done = await ended(server, await made(server, text=text))
        alone = await server.http.post("/api/tts/synthesize", json={"text": text})
    assert (done["state"], done["characters"]) == ("done", len(text))
    assert alone.status_code == 413


async def test_a_job_too_many_is_told_to_come_back() -> None:
    async with fake_server(job_rules=JobRules(waiting=2)) as server:
        first = await made(server)
        await made(server)
        reply = await server.http.post(URL, json={"text": "Hello."})
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
        assert reply.headers["retry-after"]
        await server.http.post(f"{URL}/{first['id']}/cancel")
        await made(server)


async def test_lists_come_in_pages() -> None:
    async with fake_server() as server:
        ids = [(await made(server))["id"] for _ in range(5)]
        await server.http.post(f"{URL}/{ids[0]}/cancel")
        found, query = [], "?limit=2"
        while query:
            page = (await server.http.get(f"{URL}{query}")).json()
            assert len(page["jobs"]) <= 2
            found += [job["id"] for job in page["jobs"]]
            query = f"?limit=2&before={page['next']}" if page["next"] else ""
        cancelled = (await server.http.get(f"{URL}?state=cancelled&state=done")).json()
        bad = [(await server.http.get(f"{URL}?{q}")).status_code for q in ("state=x", "limit=0", "before=x")]
    assert found == list(reversed(ids))
    assert [job["id"] for job in cancelled["jobs"]] == [ids[0]]
    assert bad == [400, 400, 404]


async def test_a_cancelled_job_stops_at_once_and_stays_in_the_list() -> None:
    async with fake_server(FakeEngine(step_seconds=0.02), runner=RunnerRules()) as server:
        job = await made(server, text=CHAPTER)
        await becomes(lambda: server.engine.speaking)
        reply = await server.http.post(f"{URL}/{job['id']}/cancel")
        await becomes(lambda: not server.engine.speaking)
        again = await server.http.post(f"{URL}/{job['id']}/cancel")
        refused = await audio(server, job)
        metrics = (await server.http.get("/metrics")).text
    assert reply.json()["state"] == again.json()["state"] == "cancelled"
    assert reply.json()["ended_at"] and reply.json()["kept_until"]
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "job_unfinished")
    assert 'tts_jobs_total{state="cancelled"} 1.0' in metrics


async def test_a_removed_job_is_gone() -> None:
    async with fake_server(runner=WORKING) as server:
        done = await ended(server, await made(server))
        assert (await server.http.delete(f"{URL}/{done['id']}")).json() == {
            "status": "success",
            "id": done["id"],
        }
        replies = [
            await server.http.get(f"{URL}/{done['id']}"),
            await audio(server, done),
            await server.http.delete(f"{URL}/{done['id']}"),
            await server.http.post(f"{URL}/{done['id']}/cancel"),
        ]
    assert {(reply.status_code, reply.json()["error"]["code"]) for reply in replies} == {
        (404, "job_not_found")
    }


async def test_a_caller_sees_its_own_jobs_and_an_admin_all() -> None:
    async with fake_server() as server:
        jobs = server.services.jobs
        assert jobs is not None
        job = await jobs.submit("ada", None, SpeechRequest("r", "Hello there.", "fake"), "mp3", None)
        calls: list[Callable[[str | None], Awaitable[object]]] = [
            lambda viewer: jobs.get(job.id, viewer),
            lambda viewer: jobs.finished(job.id, viewer),
            lambda viewer: jobs.list(viewer, (), job.id, 10),
            lambda viewer: jobs.cancel(job.id, viewer),
            lambda viewer: jobs.remove(job.id, viewer),
        ]
        assert [len(await jobs.list(viewer, (), None, 10)) for viewer in ("ada", "bob", None)] == [1, 0, 1]
        for call in calls:
            with pytest.raises(JobNotFound):
                await call("bob")
        for viewer in ("ada", None):
            assert (await jobs.get(job.id, viewer)).owner == "ada"


@pytest.mark.parametrize(
    ("caller", "viewer"),
    [
        (None, None),
        (Caller("k1", "Ada", frozenset({"speak"})), "k1"),
        (Caller("k2", "Eve", frozenset({"speak", "admin"})), None),
    ],
)
def test_whose_jobs_are_there_follows_from_the_key(caller: Caller | None, viewer: str | None) -> None:
    assert viewer_of(Request({"type": "http", "state": {"caller": caller}})) == viewer


async def test_a_download_goes_on_where_it_was_cut() -> None:
    async with fake_server(runner=WORKING) as server:
        # more than one block of the store
        done = await ended(server, await made(server, text=CHAPTER, audio_format="wav"))
        whole = await audio(server, done)
        data, etag, size = whole.content, whole.headers["etag"], done["audio_bytes"]
        assert size > 2 * BLOCK_BYTES
        draw = random.Random(5)
        asked = [(0, 0), (0, size - 1), (BLOCK_BYTES - 1, BLOCK_BYTES), (BLOCK_BYTES, 2 * BLOCK_BYTES - 1)]
        asked += [(at, draw.randrange(at, size + 10)) for at in (draw.randrange(size) for _ in range(20))]
        for first, last in asked:
            part = await audio(server, done, range=f"bytes={first}-{last}", if_range=etag)
            assert part.status_code == 206
            assert part.content == data[first : last + 1]
            assert part.headers["content-range"] == f"bytes {first}-{min(last, size - 1)}/{size}"
            assert int(part.headers["content-length"]) == len(part.content)
        assert (await audio(server, done, range="bytes=-100")).content == data[-100:]
        assert (await audio(server, done, range=f"bytes={size - 5}-")).content == data[-5:]
        # another file by now: the whole of it
        other = await audio(server, done, range="bytes=5-9", if_range='"another"')
        assert (other.status_code, other.content) == (200, data)
        for ignored in ("bytes=1-2,5-6", "lines=1-2", "bytes=9-5", "bytes=", "bytes=a-b"):
            assert (await audio(server, done, range=ignored)).status_code == 200, ignored
        refused = await audio(server, done, range=f"bytes={size}-")
        assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{size}")
        assert refused.json()["error"]["code"] == "range_not_satisfiable"
        same = await audio(server, done, if_none_match=f'"x", {etag}')
        assert (same.status_code, same.content) == (304, b"")


@given(st.binary(min_size=1, max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_what_slicing_gives(data: bytes, first: int, last: int) -> None:
    for header, expected in [
        (f"bytes={first}-{last}", data[first : last + 1]),
        (f"bytes={first}-", data[first:]),
        (f"bytes=-{last}", data[-last:] if last else b""),
    ]:
        try:
            found = wanted(header, len(data))
        except RangeNotSatisfiable:
            assert not expected
            continue
        if found is None:
            assert header == f"bytes={first}-{last}" and last < first
        else:
            assert data[slice(*found)] == expected != b""


@given(st.text(max_size=40) | st.from_regex(r"bytes=[0-9,\- ]{0,30}"), st.integers(1, 10**12))
def test_no_header_is_more_than_the_file(header: str, size: int) -> None:
    try:
        found = wanted(header, size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= size


async def test_a_client_that_hangs_up_ends_its_download() -> None:
    read: list[bytes] = []

    async def blocks() -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(1000):
                read.append(b"x")
                yield b"x"
        finally:
            read.append(b"closed")

    response = StoredAudio(blocks(), status=200, media_type="audio/wav", headers={}, stall_seconds=0.05)

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def waits(message: Message) -> None:
        await asyncio.sleep(3600)

    async with asyncio.timeout(WAIT_SECONDS):
        await response({"type": "http", "asgi": {"spec_version": "2.3"}}, gone, waits)
    assert read == [b"closed"] or read == []


async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    sent: list[Message] = []

    async def blocks() -> AsyncGenerator[bytes, None]:
        yield b"x"
        yield b"x"

    async def stays() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError

    async def takes_one(message: Message) -> None:
        sent.append(message)
        if len(sent) > 2:
            await asyncio.sleep(3600)

    response = StoredAudio(blocks(), status=200, media_type="audio/wav", headers={}, stall_seconds=0.05)
    async with asyncio.timeout(WAIT_SECONDS):
        await response({"type": "http", "asgi": {"spec_version": "2.3"}}, stays, takes_one)
    assert all(message.get("more_body", True) for message in sent)
