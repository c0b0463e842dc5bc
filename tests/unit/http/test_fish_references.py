"""`/v1/references/…` over the voice library and over folders: the same requests, the same replies."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgpack
import numpy as np
import pytest
import soundfile
from tests.fake_server import FakeServer, fake_server

from june_tts.engine.fake import FakeEngine
from june_tts.store.reference_folders import ReferenceFolders

pytestmark = pytest.mark.unit

WORDS = "The words that are spoken."


def speech(seconds: float = 5.0) -> bytes:
    """What the judge takes for speech: a gliding buzz in syllables."""
    rate = 24_000
    at = np.arange(int(seconds * rate)) / rate
    pitch = 140 + 30 * np.sin(2 * np.pi * 0.7 * at)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    buzz = sum(np.sin(n * phase) / n for n in range(1, 8))
    loud = np.clip(np.sin(2 * np.pi * 2.1 * at), 0, 1)
    noise = np.random.default_rng(0).normal(0, 0.0003, at.size)
    out = io.BytesIO()
    soundfile.write(out, 0.2 * buzz * loud + noise, rate, format="WAV")
    return out.getvalue()


@pytest.fixture(params=["library", "folders"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FakeServer]:
    folders = ReferenceFolders(tmp_path / "references") if request.param == "folders" else None
    async with fake_server(FakeEngine(clones=True), references=folders) as opened:
        yield opened


async def add(server: FakeServer, id: str = "anna", **changed: Any) -> httpx.Response:
    audio = changed.pop("audio", None) or speech()
    files = {"audio": ("a.wav", audio), "id": (None, id), "text": (None, WORDS)} | changed
    return await server.http.post("/v1/references/add", files=files)


async def ids(server: FakeServer) -> list[str]:
    reply = (await server.http.get("/v1/references/list")).json()
    assert reply["success"] is True
    return [found for found in reply["reference_ids"] if found != "fake"]


async def speak(server: FakeServer, reference_id: str) -> httpx.Response:
    return await server.http.post("/v1/tts", json={"text": "Hello.", "reference_id": reference_id})


async def test_what_is_added_is_listed_and_speaks(server: FakeServer) -> None:
    reply = await add(server)
    assert reply.status_code == 200, reply.text
    assert (reply.json()["success"], reply.json()["reference_id"]) == (True, "anna")
    assert await ids(server) == ["anna"]
    assert (await speak(server, "anna")).status_code == 200
    assert server.engine.spoken[-1][0].voice.id == "anna"


async def test_the_same_as_msgpack(server: FakeServer) -> None:
    body = msgpack.packb({"id": "anna", "audio": speech(), "text": WORDS})
    reply = await server.http.post(
        "/v1/references/add", content=body, headers={"Content-Type": "application/msgpack"}
    )
    assert reply.status_code == 200, reply.text
    assert await ids(server) == ["anna"]


async def test_an_id_that_is_taken_is_409(server: FakeServer) -> None:
    await add(server)
    reply = await add(server)
    assert (reply.status_code, reply.json()["error"]) == (409, "Conflict")
    assert await ids(server) == ["anna"]


@pytest.mark.parametrize("id", ["", "../anna", "a/b", "a.b", "ä", "x" * 256])
async def test_an_id_that_is_none_is_refused(server: FakeServer, id: str) -> None:
    assert (await add(server, id)).status_code == 422
    assert await ids(server) == []


async def test_what_is_no_recording_is_refused_and_leaves_nothing(server: FakeServer) -> None:
    reply = await add(server, audio=b"these are words and no recording")
    assert reply.status_code == 400, reply.text
    assert await ids(server) == []


async def test_a_voice_without_its_words_is_refused(server: FakeServer) -> None:
    assert (await add(server, text=(None, ""))).status_code == 422


async def test_what_is_deleted_is_gone(server: FakeServer) -> None:
    await add(server)
    delete: dict[str, Any] = {"url": "/v1/references/delete", "json": {"reference_id": "anna"}}
    assert (await server.http.request("DELETE", **delete)).json()["reference_id"] == "anna"
    assert await ids(server) == []
    assert (await speak(server, "anna")).status_code == 404
    assert (await server.http.request("DELETE", **delete)).status_code == 404


async def test_a_voice_that_is_renamed_speaks_under_its_new_id_alone(server: FakeServer) -> None:
    await add(server)
    body = {"old_reference_id": "anna", "new_reference_id": "berta"}
    reply = await server.http.post("/v1/references/update", json=body)
    assert reply.status_code == 200, reply.text
    assert await ids(server) == ["berta"]
    assert (await speak(server, "berta")).status_code == 200
    assert (await server.http.post("/v1/references/update", json=body)).status_code == 404


async def test_a_rename_to_a_taken_id_is_409_and_changes_nothing(server: FakeServer) -> None:
    await add(server)
    await add(server, "berta")
    body = {"old_reference_id": "anna", "new_reference_id": "berta"}
    assert (await server.http.post("/v1/references/update", json=body)).status_code == 409
    assert sorted(await ids(server)) == ["anna", "berta"]


async def test_folders_give_every_recording_with_its_words_in_order(tmp_path: Path) -> None:
    voice = tmp_path / "anna b-c_1"
    voice.mkdir()
    for name in ("2.wav", "1.wav"):
        (voice / name).write_bytes(name.encode())
    (voice / "1.lab").write_text(" One.\n")
    (voice / "notes.txt").write_text("not a recording")
    found = await ReferenceFolders(tmp_path).find("anna b-c_1")
    assert [(r.audio, r.text) for r in found] == [(b"1.wav", "One."), (b"2.wav", "")]


async def test_no_id_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.wav").write_bytes(speech())
    (tmp_path / "references").mkdir()
    async with fake_server(
        FakeEngine(clones=True), references=ReferenceFolders(tmp_path / "references")
    ) as server:
        for id in ("../secret", str(tmp_path / "secret"), "..", ".", "secret\0"):
            assert (await speak(server, id)).status_code == 404
    assert not (tmp_path / "references" / "nobody").exists()


async def test_an_empty_folder_is_no_voice(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    async with fake_server(FakeEngine(clones=True), references=ReferenceFolders(tmp_path)) as server:
        assert (await speak(server, "anna")).status_code == 404
        assert await ids(server) == []
