import io
import struct
import sys
import threading
import types
import wave
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from june_tts.audio.wav import stream_header
from june_tts.cli.main import app
from june_tts.cli.sink import FileSink, state_length
from june_tts.errors import InvalidRequest

pytestmark = pytest.mark.unit


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        "JUNE_DATA_DIR": str(tmp_path / "data"),
        "JUNE_ENGINES": "fake",
        "JUNE_DEFAULT_VOICE": "fake",
        "JUNE_MAX_TEXT_CHARS": "50",
    }


def frames(path: Path) -> int:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        return int(file.getnframes())


def test_speech_goes_into_a_file_whose_header_states_its_length(env: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "a.wav"
    result = CliRunner().invoke(app, ["say", "Hello there.", "--out", str(out)], env=env)
    assert result.exit_code == 0, result.stderr
    assert frames(out) * 2 + 44 == out.stat().st_size > 10_000
    assert result.stdout == ""
    assert f"wrote {out}" in result.stderr


def test_half_the_speed_takes_twice_the_time(env: dict[str, str], tmp_path: Path) -> None:
    for speed in ("1", "2"):
        args = ["say", "Hello there.", "--speed", speed, "--out", str(tmp_path / f"{speed}.wav")]
        assert CliRunner().invoke(app, args, env=env).exit_code == 0
    assert frames(tmp_path / "1.wav") > 1.5 * frames(tmp_path / "2.wav")


def test_standard_input_to_standard_output(env: dict[str, str]) -> None:
    for args in (["say", "--out", "-"], ["say", "-", "--out", "-"]):
        result = CliRunner().invoke(app, args, env=env, input="Hello there.")
        assert result.exit_code == 0, result.stderr
        assert result.stdout_bytes[:4] == b"RIFF"


def test_the_ending_of_the_file_tells_the_format(env: dict[str, str], tmp_path: Path) -> None:
    for name, start in (("a.flac", b"fLaC"), ("a.ogg", b"OggS"), ("a.MP3", b"\xff")):
        args = ["say", "Hello.", "-o", str(tmp_path / name)]
        assert CliRunner().invoke(app, args, env=env).exit_code == 0
        assert (tmp_path / name).read_bytes().startswith(start)


def test_a_telephony_file_is_a_byte_for_each_sample_at_8_khz(env: dict[str, str], tmp_path: Path) -> None:
    sizes = {}
    for name in ("a.ulaw", "a.alaw", "a.pcm"):
        assert CliRunner().invoke(app, ["say", "Hello.", "-o", str(tmp_path / name)], env=env).exit_code == 0
        sizes[name] = (tmp_path / name).stat().st_size
    assert sizes["a.ulaw"] == sizes["a.alaw"] == sizes["a.pcm"] * 8000 / 24000 / 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["Hello.", "--voice", "nobody", "-o", "x.wav"], "nobody"),
        (["Hello.", "--format", "tiff"], "--format is 'tiff': expected one of wav"),
        (["Hello.", "-o", "x.txt"], "the ending of --out is 'txt'"),
        (["Hello.", "--speed", "nan", "-o", "x.wav"], "speed is nan"),
        (["Hello.", "--speed", "9", "-o", "x.wav"], "speed is 9"),
        (["Hello.", "--language", "xx", "-o", "x.wav"], "language is 'xx'"),
        (["", "-o", "x.wav"], "text"),
        (["x" * 51, "-o", "x.wav"], "at most 50"),
        (["Hello.", "-o", "no/such/x.wav"], "cannot be written"),
        (["Hello.", "--server", "host"], "expected http://HOST:PORT"),
        (["Hello.", "--server", "http://h", "--language", "en"], "--language"),
    ],
)
def test_what_cannot_be_spoken_is_one_line_and_leaves_no_file(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["say", *args], env=env)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == []


def test_standard_input_that_is_no_utf_8_is_refused(env: dict[str, str]) -> None:
    result = CliRunner().invoke(app, ["say", "-o", "-"], env=env, input=b"\xff\xfe")
    assert result.exit_code == 2
    assert "not UTF-8" in result.stderr


class _Device(types.ModuleType):
    """Stands for the package sounddevice and a machine's loudspeaker."""

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.heard: list[np.ndarray[Any, Any]] = []
        self.calls: list[str] = []

    def query_devices(self, kind: str) -> object:
        return {"kind": kind}

    def OutputStream(self, samplerate: int, channels: int, dtype: str) -> Any:
        assert (channels, dtype) == (1, "float32")
        self.rate = samplerate
        return types.SimpleNamespace(
            start=lambda: self.calls.append("start"),
            stop=lambda: self.calls.append("stop"),
            close=lambda: self.calls.append("close"),
            write=self.heard.append,
        )


def test_with_a_sound_device_it_plays_and_writes_nothing(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = _Device()
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["say", "Hello there."], env=env)
    assert result.exit_code == 0, result.stderr
    assert sum(len(block) for block in device.heard) > 5_000
    assert device.heard[0].shape[1] == 1
    assert (device.rate, device.calls) == (24_000, ["start", "stop", "close"])
    assert not (tmp_path / "speech.wav").exists()


def test_without_a_sound_device_it_writes_a_file_and_says_why(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["say", "Hello there."], env=env)
    assert result.exit_code == 0, result.stderr
    assert "sounddevice is not installed" in result.stderr
    assert "wrote speech.wav" in result.stderr
    assert frames(tmp_path / "speech.wav") > 5_000


class _Handler(BaseHTTPRequestHandler):
    asked: list[tuple[str, str | None, bytes]]
    answer: tuple[int, bytes]

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.asked.append((self.path, self.headers["authorization"], body))
        status, data = self.answer
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server() -> Iterator[tuple[str, type[_Handler]]]:
    handler = type("Answering", (_Handler,), {"asked": [], "answer": (200, b"")})
    http = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}/", handler
    http.shutdown()
    http.server_close()
    thread.join()


Server = tuple[str, type[_Handler]]


def test_a_server_is_asked_with_every_option_and_the_key(
    env: dict[str, str], tmp_path: Path, server: Server
) -> None:
    url, handler = server
    handler.answer = (200, stream_header(24_000) + bytes(4_800))
    args = ["say", "Hi", "--server", url, "-v", "joe", "--speed", "2", "-o", str(tmp_path / "a.wav")]
    result = CliRunner().invoke(app, args, env=env | {"JUNE_API_KEY": "hush"})
    assert result.exit_code == 0, result.stderr
    assert frames(tmp_path / "a.wav") == 2_400
    ((path, key, body),) = handler.asked
    assert (path, key) == ("/v1/audio/speech", "Bearer hush")
    for expected in (b'"input":"Hi"', b'"voice":"joe"', b'"speed":2.0', b'"response_format":"wav"'):
        assert expected in body


def test_a_servers_speech_is_played(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    url, handler = server
    handler.answer = (200, np.array([0, 16_384, -32_768], "<i2").tobytes())
    device = _Device()
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    result = CliRunner().invoke(app, ["say", "Hi", "--server", url], env=env)
    assert result.exit_code == 0, result.stderr
    assert np.concatenate(device.heard).ravel().tolist() == [0.0, 0.5, -1.0]


@pytest.mark.parametrize(
    ("status", "body", "exit_code", "message"),
    [
        (404, b'{"error":{"message":"no voice nobody"}}', 2, "HTTP 404: no voice nobody"),
        (401, b'{"error":{"message":"the key is wrong"}}', 1, "HTTP 401: the key is wrong"),
        (503, b"<html>busy</html>", 1, "HTTP 503: <html>busy</html>"),
    ],
)
def test_a_servers_refusal_is_handed_on(
    env: dict[str, str],
    tmp_path: Path,
    server: Server,
    status: int,
    body: bytes,
    exit_code: int,
    message: str,
) -> None:
    url, handler = server
    handler.answer = (status, body)
    args = ["say", "Hi", "--server", url, "-o", str(tmp_path / "a.wav")]
    result = CliRunner().invoke(app, args, env=env)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert not list(tmp_path.glob("*.wav"))


def test_a_file_that_is_no_streamed_wav_is_left_alone(tmp_path: Path) -> None:
    for data in (b"", b"RIFF", b"x" * 100, struct.pack("<4sI36xI", b"RIFF", 1, 2)):
        file = io.BytesIO(data)
        state_length(file)
        assert file.getvalue() == data


def test_a_file_given_up_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"old")
    sink = FileSink(tmp_path / "a.wav")
    sink.write(b"new")
    sink.close()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
    with pytest.raises(InvalidRequest, match="is a folder"):
        FileSink(tmp_path)
