"""Recordings, good and bad, sent to a real server: kept as they came, or refused with nothing left behind."""

import hashlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from tests.e2e.page_server import serving
from tests.e2e.recordings import RATE, containers, hours_of_silence, speech, wav
from tests.e2e.server_process import process_of
from tests.unit.audio.sounds import noise, record, tone

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake", "JUNE_VOICE_ALIASES": "nick=fake"}
    with serving(tmp_path_factory.mktemp("uploads"), **settings) as address:
        yield address


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return containers(tmp_path_factory.mktemp("good"))


def upload(server: str, voice_id: str, audio: bytes, name: str = "speech.wav") -> httpx.Response:
    fields = {"voice_id": voice_id, "voice_name": "Ada"}
    return httpx.post(f"{server}/api/voices/clone", data=fields, files={"file": (name, audio)}, timeout=60)


def cloned(server: str) -> list[str]:
    voices = httpx.get(f"{server}/api/voices").json()["voices"]
    return [voice["voice_id"] for voice in voices if voice["kind"] == "cloned"]


def error_of(reply: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = reply.json()["error"]
    assert reply.json()["detail"] == error["message"]
    return error


@pytest.mark.parametrize(
    "name", ["speech.wav", "speech.mp3", "speech.flac", "speech.m4a", "speech.ogg", "speech.webm"]
)
def test_every_promised_container_is_kept_byte_by_byte(
    server: str, good: dict[str, bytes], name: str
) -> None:
    voice_id = name.replace(".", "-")
    reply = upload(server, voice_id, good[name], name)
    assert reply.status_code == 200, reply.text
    kept = httpx.get(f"{server}/api/voices/{voice_id}/audio")
    assert hashlib.sha256(kept.content).hexdigest() == reply.json()["sha256"]
    assert kept.content == good[name]
    assert reply.json()["report"]["format"] == name.partition(".")[2]
    assert 4 < reply.json()["audio_duration_seconds"] < 8
    assert voice_id in cloned(server)
    assert httpx.delete(f"{server}/api/voices/{voice_id}").status_code == 200
    assert httpx.get(f"{server}/api/voices/{voice_id}/audio").status_code == 404


def bad_recordings() -> dict[str, bytes]:
    mp3 = record(speech(), RATE, "mp3", "libmp3lame")
    return {
        "text named .wav": b"These are words and no sound.\n" * 100,
        "no bytes": b"",
        "a truncated MP3": mp3[: len(mp3) // 2 + 7],
        "a truncated WAV": wav(speech())[:100_000],
        "hours in 10 MB": hours_of_silence(),
        "two seconds": wav(speech()[: 2 * RATE]),
        "a minute and a half": wav(np.tile(speech(), 1 + 90 * RATE // speech().size)),
        "telephone quality": wav(speech()[::3], 8_000),
        "silence": wav(np.zeros(5 * RATE, np.float32)),
        "noise": wav(noise(5, RATE)),
        "a tone": wav(tone(5, RATE)),
        "a header alone": wav(speech())[:44],
        "an image": b"\x89PNG\r\n\x1a\n" + bytes(5000),
    }


EXPECTED = {
    "text named .wav": "text",
    "no bytes": "0 bytes",
    "a truncated MP3": "cut off",
    "a truncated WAV": "cut off",
    "hours in 10 MB": "60 s",
    "two seconds": "3 to 60 s",
    "a minute and a half": "60 s",
    "telephone quality": "16000 Hz",
    "silence": "silent",
    "noise": "no speech",
    "a tone": "no speech",
    "a header alone": "expected",
    "an image": "expected",
}


@pytest.fixture(scope="module")
def bad() -> dict[str, bytes]:
    return bad_recordings()


@pytest.mark.parametrize("what", EXPECTED)
def test_a_recording_that_is_none_is_refused_and_leaves_nothing(
    server: str, bad: dict[str, bytes], what: str
) -> None:
    reply = upload(server, "refused", bad[what])
    assert reply.status_code == 400, reply.text
    error = error_of(reply)
    assert error["param"] == "file" and EXPECTED[what] in error["message"]
    assert cloned(server) == []
    assert httpx.get(f"{server}/api/voices/refused").status_code == 404


def test_ten_megabytes_that_decode_to_hours_are_not_decoded(server: str, bad: dict[str, bytes]) -> None:
    hours = bad["hours in 10 MB"]
    assert 9_000_000 < len(hours) < 12_000_000
    process = process_of(server)
    before, began = process.memory_info().rss, sum(process.cpu_times()[:2])
    assert upload(server, "hours", hours).status_code == 400
    # an hour of it as float32 takes 230 MB; decoding a minute takes well below a second
    assert process.memory_info().rss - before < 100 * 2**20
    assert sum(process.cpu_times()[:2]) - began < 5


@pytest.mark.parametrize(
    ("voice_id", "status"),
    [
        ("../x", 400),
        ("..", 400),
        ("x/y", 400),
        (".hidden", 400),
        ("x" * 300, 400),
        ("é", 400),
        ("🎉", 400),
        ("a b", 400),
        ("a\nb", 400),
        ("a\0b", 400),
        ("", 400),
        ("fake", 409),
        ("nick", 409),
        ("alloy", 409),
        ("default", 409),
    ],
)
def test_an_id_that_cannot_be_had_is_refused(server: str, voice_id: str, status: int) -> None:
    reply = upload(server, voice_id, wav(speech()))
    assert reply.status_code == status, reply.text
    assert error_of(reply)["param"] == "voice_id"
    assert cloned(server) == []


def test_the_first_of_two_with_one_id_stays(server: str, good: dict[str, bytes]) -> None:
    assert upload(server, "ada", good["speech.wav"]).status_code == 200
    second = upload(server, "ada", good["speech.flac"])
    assert second.status_code == 409 and error_of(second)["code"] == "voice_exists"
    assert httpx.get(f"{server}/api/voices/ada/audio").content == good["speech.wav"]
    assert httpx.delete(f"{server}/api/voices/ada").status_code == 200


def test_a_cloned_voice_cannot_be_spoken_here_and_fish_is_named(server: str, good: dict[str, bytes]) -> None:
    assert upload(server, "ada", good["speech.wav"]).status_code == 200
    june = httpx.post(f"{server}/api/tts/synthesize", json={"text": "Hello.", "voice_id": "ada"})
    openai = httpx.post(f"{server}/v1/audio/speech", json={"input": "Hello.", "voice": "ada"})
    for reply, param in ((june, "voice_id"), (openai, "voice")):
        error = reply.json()["error"]
        assert (reply.status_code, error["code"], error["param"]) == (422, "cannot_clone", param)
        assert "fish" in error["message"]
    assert httpx.delete(f"{server}/api/voices/ada").status_code == 200


def test_an_upload_that_is_cut_off_leaves_nothing_and_no_one_waits(server: str) -> None:
    """The client promises more than it sends, then hangs up."""
    address = httpx.URL(server)

    head = (
        "POST /api/voices/clone HTTP/1.1\r\nHost: june\r\nContent-Length: 500000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )
    for _ in range(20):
        with socket.create_connection((address.host, address.port or 80)) as client:
            client.sendall(head.encode() + b"a" * 100_000)
    began = time.monotonic()
    assert cloned(server) == []
    assert time.monotonic() - began < 5
