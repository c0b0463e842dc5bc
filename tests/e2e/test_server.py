"""`june-tts serve` as its users meet it: a real process, a real socket, a real voice, a real client."""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import openai
import psutil
import pytest
import soundfile
from tests.e2e.page_server import serving
from tests.listening import word_error

pytestmark = pytest.mark.e2e

TEXT = "The train leaves the station at nine, and the children look out of the window."
LONG = " ".join([TEXT] * 40)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server"), JUNE_ENGINES="piper,kokoro") as address:
        yield address


def speech(server: str, **fields: object) -> httpx.Response:
    body = {"input": TEXT, "voice": "joe", **fields}
    return httpx.post(f"{server}/v1/audio/speech", json=body, timeout=60).raise_for_status()


def pcm_as_wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(24_000)
        out.writeframes(pcm)
    return file.getvalue()


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
@pytest.mark.parametrize("container", ["wav", "pcm", "mp3", "opus", "aac", "flac"])
def test_the_words_are_heard_in_every_format(server: str, container: str, stream_format: str) -> None:
    def misheard() -> float:
        reply = speech(server, response_format=container, stream_format=stream_format)
        audio = reply.content
        if stream_format == "sse":
            events = [json.loads(e.removeprefix("data: ")) for e in reply.text.split("\n\n") if e]
            audio = b"".join(base64.b64decode(e["audio"]) for e in events if e["type"].endswith("delta"))
        return word_error(TEXT, pcm_as_wav(audio) if container == "pcm" else audio)

    # a voice is drawn anew each time, and now and then the small recogniser mishears two words of a good take
    assert min(misheard() for _ in range(2)) <= 0.25


@pytest.mark.parametrize("voice", ["joe", "jf_alpha", "jm_kumo", "alloy"])
def test_the_words_are_heard_in_every_kind_of_voice(server: str, voice: str) -> None:
    assert word_error(TEXT, speech(server, voice=voice, response_format="wav").content) <= 0.25


def test_audio_comes_while_the_rest_is_being_made(server: str) -> None:
    body = {"input": LONG, "voice": "joe", "response_format": "pcm"}
    with httpx.stream("POST", f"{server}/v1/audio/speech", json=body, timeout=60) as reply:
        began = time.monotonic()
        chunks = reply.iter_raw()
        next(chunks)
        first = time.monotonic() - began
        assert sum(len(chunk) for chunk in chunks) > 60 * 48_000
    # a share, not a speed: a reply made whole before it is sent has both at once
    assert first < 0.25 * (time.monotonic() - began)


def test_a_streamed_wav_opens_in_every_reader(server: str) -> None:
    data = speech(server, response_format="wav").content
    samples, rate = soundfile.read(io.BytesIO(data))
    with wave.open(io.BytesIO(data)) as file:
        assert len(file.readframes(file.getnframes())) == 2 * len(samples)
    with av.open(io.BytesIO(data), "r") as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == len(samples)
    assert rate == 22_050


def test_openais_own_client_speaks_and_lists(server: str, tmp_path: Path) -> None:
    client = openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0)
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="nova", input=TEXT, response_format="wav"
    ) as reply:
        reply.stream_to_file(tmp_path / "speech.wav")
        assert reply.headers["x-request-id"]
    assert word_error(TEXT, (tmp_path / "speech.wav").read_bytes()) <= 0.25
    assert "june" in [model.id for model in client.models.list()]
    with pytest.raises(openai.NotFoundError, match="nobody"):
        client.audio.speech.create(model="june", voice="nobody", input="Hello.")
    with pytest.raises(openai.BadRequestError, match="nothing in it") as refused:
        client.audio.speech.create(model="june", voice="nova", input="  ")
    assert refused.value.param == "input"


def test_a_client_that_hangs_up_leaves_no_work(server: str) -> None:
    for _ in range(5):
        body = {"input": LONG, "voice": "joe", "response_format": "mp3"}
        with httpx.stream("POST", f"{server}/v1/audio/speech", json=body, timeout=60) as reply:
            next(reply.iter_raw())
    assert becomes_idle(server)
    assert httpx.get(f"{server}/stats").json()["cancelled"] >= 5


def becomes_idle(server: str) -> bool:
    for _ in range(100):
        metrics = httpx.get(f"{server}/metrics").text
        if 'tts_engine_runs{engine="piper"} 0.0' in metrics and "tts_active_requests 0.0" in metrics:
            return True
        time.sleep(0.05)
    return False


def test_a_chapter_streams_in_constant_memory(server: str) -> None:
    chapter = (TEXT + " ") * (100_000 // (len(TEXT) + 1))
    body = {"input": chapter, "voice": "joe", "response_format": "pcm", "speed": 4.0}
    with httpx.stream("POST", f"{server}/v1/audio/speech", json=body, timeout=60) as reply:
        chunks = reply.iter_raw()
        next(chunks)
        early = rss_mb(server)
        for _, _ in zip(range(200), chunks, strict=False):
            pass
        assert rss_mb(server) < early + 30
    assert becomes_idle(server)


def rss_mb(server: str) -> int:
    return int(httpx.get(f"{server}/health").json()["resources"]["memory_rss_mb"])


def test_a_megabyte_of_text_is_refused_and_the_next_request_works(server: str) -> None:
    refused = httpx.post(f"{server}/v1/audio/speech", json={"input": "a " * 600_000}, timeout=60)
    assert refused.status_code == 413
    assert speech(server, input="Still here.").content


def run_serve(folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    environ = {key: value for key, value in os.environ.items() if not key.startswith("JUNE_")}
    return subprocess.run(
        [sys.executable, "-m", "june_tts.cli.main", "serve"],
        env=environ | {"JUNE_DATA_DIR": str(folder)} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"JUNE_COLOUR": "red"}, ["JUNE_COLOUR", "unknown setting"]),
        ({"WRAPPER_PORT": "many"}, ["WRAPPER_PORT", "'many'", "integer"]),
        ({"JUNE_ENGINES": "piper,cassette"}, ["JUNE_ENGINES", "cassette", "kokoro"]),
        ({"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "nobody"}, ["JUNE_DEFAULT_VOICE", "nobody"]),
        ({"DATABASE_URL": "mysql://u:secret@h/d", "JUNE_ENGINES": "fake"}, ["DATABASE_URL", "postgresql"]),
    ],
)
def test_a_bad_setting_stops_the_start_and_is_named(
    tmp_path: Path, settings: dict[str, str], words: list[str]
) -> None:
    done = run_serve(tmp_path, **settings)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr and "secret" not in done.stderr
    for word in words:
        assert word in done.stderr.replace("\n", " "), done.stderr


def test_a_port_that_is_taken_is_named_before_models_load(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run_serve(tmp_path, WRAPPER_PORT=port)
    assert done.returncode != 0
    assert port in done.stderr and "Traceback" not in done.stderr


def test_sigterm_lets_a_playing_stream_finish(tmp_path: Path) -> None:
    settings = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake"}
    with serving(tmp_path, **settings) as address:
        received: list[int] = []

        def client() -> None:
            reply = httpx.post(
                f"{address}/v1/audio/speech", json={"input": LONG, "voice": "fake"}, timeout=60
            )
            received.append(reply.status_code)

        listening = threading.Thread(target=client)
        listening.start()
        time.sleep(0.2)
        os.kill(pid_of(address), signal.SIGTERM)
        listening.join(30)
    assert received == [200]


def pid_of(address: str) -> int:
    local = ("127.0.0.1", int(address.rsplit(":", 1)[1]))
    for connection in psutil.net_connections("tcp"):
        if connection.status == "LISTEN" and tuple(connection.laddr) == local and connection.pid:
            return connection.pid
    raise AssertionError(f"nothing listens on {address}")
