"""fish-speech's own client, unchanged, against `june-tts fish serve`."""

import asyncio
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import uvicorn
from tests.fish_client import client
from tests.services import free_port, missing
from tests.unit.http.test_fish_references import speech

from june_tts.bootstrap import running_alone
from june_tts.engine.fake import FakeCodec, FakeEngine
from june_tts.http.app import create_app
from june_tts.settings import load
from june_tts.store.reference_folders import ReferenceFolders

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
TEXT = "Hello there, this is a sentence of words."
RATE = 44_100
START_SECONDS = 120


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if client() is None:
        missing("fish-speech 0.1.0")


class InCodes(FakeEngine):
    def __init__(self) -> None:
        super().__init__(clones=True)
        self.codec = FakeCodec()


@asynccontextmanager
async def fish_server(engine: FakeEngine, folder: Path, **settings: str) -> AsyncIterator[str]:
    """The server of the command, with another engine."""
    port = free_port()
    async with running_alone(load({}, settings).settings, ReferenceFolders(folder), engine) as services:
        app = create_app(services, fish_alone=True)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        for _ in range(500):
            await asyncio.sleep(0 if server.started else 0.01)
        try:
            yield f"http://127.0.0.1:{port}/v1/tts"
        finally:
            server.should_exit = True
            await serving


def command(url: str, out: Path, *options: str) -> list[str]:
    said = ["--url", url, "--text", TEXT, "--output", str(out), "--no-play"]
    return [sys.executable, "-m", "tests.fish_client", *said, *options]


async def speak(url: str, out: Path, *options: str) -> str:
    """What the client printed."""
    process = await asyncio.create_subprocess_exec(
        *command(url, out, *options), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


async def test_whole_mode_saves_a_wav_that_opens(tmp_path: Path) -> None:
    async with fish_server(InCodes(), tmp_path) as url:
        printed = await speak(url, tmp_path / "out")
    assert "has been saved" in printed
    samples, rate = soundfile.read(tmp_path / "out.wav")
    assert rate == RATE
    assert samples.size / rate == pytest.approx(len(TEXT) * 0.06, rel=0.15)


async def test_streaming_mode_saves_a_wav_that_opens(tmp_path: Path) -> None:
    """The client takes every byte for sound: our header is half a millisecond of it."""
    async with fish_server(InCodes(), tmp_path) as url:
        await speak(url, tmp_path / "out", "--streaming", "True")
    samples, rate = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert rate == RATE
    assert samples[:2].tobytes() == b"RIFF"
    assert samples.size / rate == pytest.approx(len(TEXT) * 0.06, rel=0.15)
    assert np.abs(samples[22:]).max() < 8000


async def test_mp3_is_saved_as_such(tmp_path: Path) -> None:
    async with fish_server(InCodes(), tmp_path) as url:
        await speak(url, tmp_path / "out", "--format", "mp3")
    assert soundfile.info(tmp_path / "out.mp3").format == "MP3"


async def test_its_recordings_and_its_ids_reach_the_engine(tmp_path: Path) -> None:
    recording = tmp_path / "me.wav"
    recording.write_bytes(speech())
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "a.wav").write_bytes(b"anna's")
    (tmp_path / "anna" / "a.lab").write_text("Anna's words.")
    engine = InCodes()
    async with fish_server(engine, tmp_path) as url:
        both = ("--reference_audio", str(recording), "--reference_text", "My words.")
        await speak(url, tmp_path / "one", *both, "--seed", "7")
        await speak(url, tmp_path / "two", "--reference_id", "anna")
        unknown = await speak(url, tmp_path / "three", "--reference_id", "nobody")
    first, second = engine.spoken[0][0], engine.spoken[-1][0]
    assert [(r.audio, r.text) for r in first.references] == [(recording.read_bytes(), "My words.")]
    assert first.sampling.seed == 7
    assert [(r.audio, r.text) for r in second.references] == [(b"anna's", "Anna's words.")]
    assert "status code 404" in unknown and "nobody" in unknown


async def test_its_key_is_asked_for(tmp_path: Path) -> None:
    async with fish_server(InCodes(), tmp_path, JUNE_API_KEY="right") as url:
        refused = await speak(url, tmp_path / "out")
        await speak(url, tmp_path / "out", "--api_key", "right")
    assert "status code 401" in refused
    assert (tmp_path / "out.wav").exists()


@contextmanager
def fish_serve(folder: Path, *flags: str) -> Iterator[str]:
    """The command itself, in a process of its own, with the flags of the original."""
    # the model's answers are noise: what is looked at is that they come
    environ = {k: v for k, v in os.environ.items() if not k.startswith("JUNE_")}
    port = free_port()
    line = [sys.executable, "-m", "june_tts.cli.main", "fish", "serve", "--listen", f"127.0.0.1:{port}"]
    with (folder / "log").open("w+") as out:
        process = subprocess.Popen(
            [*line, "--device", "cpu", *flags], cwd=folder, stdout=out, stderr=out, env=environ | small()
        )
        try:
            end = time.monotonic() + START_SECONDS
            while not re.search("/v1/tts", (folder / "log").read_text()):
                assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1/tts"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (0, -signal.SIGTERM), (folder / "log").read_text()


def small() -> dict[str, str]:
    return {"JUNE_FISH_SLOTS": "2", "JUNE_FISH_POSITIONS": "1024", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tiny model with the codec at its full size, 1.6 GB, of random weights."""
    if importlib.util.find_spec("torch") is None:
        missing("torch (make fish)")
    from bench.fish_checkpoint import write_checkpoint
    from bench.fish_codec_file import write_codec

    folder = write_checkpoint(tmp_path_factory.mktemp("checkpoint"), "tiny", seed=7)
    codec = write_codec(folder / "codec.pth", size="full")
    yield folder
    codec.unlink()  # pytest keeps the folders of three runs


async def test_the_command_speaks_from_a_checkpoint_in_both_modes(checkpoint: Path, tmp_path: Path) -> None:
    flags = ("--llama-checkpoint-path", str(checkpoint))
    codec = ("--decoder-checkpoint-path", str(checkpoint / "codec.pth"))
    (tmp_path / "references" / "anna").mkdir(parents=True)
    (tmp_path / "references" / "anna" / "a.wav").write_bytes(speech())
    (tmp_path / "references" / "anna" / "a.lab").write_text("Anna's words.")
    with fish_serve(tmp_path, *flags, *codec, "--decoder-config-name", "modded_dac_vq") as url:
        few = ("--max_new_tokens", "40", "--seed", "1")
        await speak(url, tmp_path / "whole", *few)
        await speak(url, tmp_path / "stream", *few, "--streaming", "True")
        await speak(url, tmp_path / "anna", *few, "--reference_id", "anna")
        refused = await speak(url, tmp_path / "none", "--reference_id", "nobody")
    for name in ("whole", "stream", "anna"):
        samples, rate = soundfile.read(tmp_path / f"{name}.wav")
        assert rate == RATE and samples.size > 0.1 * RATE, name
    assert "status code 404" in refused
