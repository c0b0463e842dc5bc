"""`LLAMA_CHECKPOINT_PATH` set: the real engine in its process, with random weights, beside another engine."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.services import missing

from june_tts.bootstrap import running
from june_tts.errors import ModelUnavailable, SettingsError
from june_tts.http.app import create_app
from june_tts.settings import Settings, load

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model and codec of random weights."""
    if importlib.util.find_spec("torch") is None:
        missing("torch (make fish)")
    from bench.fish_checkpoint import write_checkpoint
    from bench.fish_codec_file import write_codec

    folder = tmp_path_factory.mktemp("fish")
    write_checkpoint(folder, "tiny", seed=7)
    write_codec(folder / "codec.pth", size="tiny")
    return folder


def settings(data: Path, **given: Any) -> Settings:
    environ = {
        "JUNE_DATA_DIR": str(data),
        "JUNE_ENGINES": "fake",
        "JUNE_DEFAULT_VOICE": "fake",
        "JUNE_FISH_DTYPE": "float32",
        "JUNE_FISH_SEMANTIC_ONLY": "true",
        "JUNE_THREADS": "1",
    }
    return load(environ | given).settings


async def test_the_model_speaks_over_http_and_health_and_metrics_show_its_process(
    checkpoint: Path, tmp_path: Path
) -> None:
    given = settings(tmp_path, LLAMA_CHECKPOINT_PATH=str(checkpoint))
    async with running(given) as services:
        transport = httpx.ASGITransport(create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://june", timeout=60) as http:
            speech = {"input": "Hello.", "voice": "fish", "response_format": "wav"}
            spoken = await http.post("/v1/audio/speech", json=speech)
            health = (await http.get("/health")).json()
            metrics = (await http.get("/metrics")).text
    assert spoken.status_code == 200, spoken.text
    assert spoken.content[:4] == b"RIFF" and len(spoken.content) > 44 + 2048
    assert health["services"]["engines"] == {"fake": True, "fish": True}
    process = health["services"]["processes"]["fish"]
    assert (health["status"], process["status"], process["restarts"]) == ("ok", "ready", 0)
    assert 'tts_audio_seconds_total{engine="fish"}' in metrics
    assert "tts_fish_slots 16.0" in metrics


async def test_a_checkpoint_that_is_not_there_leaves_the_engine_out(checkpoint: Path, tmp_path: Path) -> None:
    given = settings(tmp_path, LLAMA_CHECKPOINT_PATH=str(checkpoint / "nowhere"))
    async with running(given) as services:
        assert [engine.name for engine in services.engines] == ["fake"]


async def test_a_codec_that_is_not_there_is_named(checkpoint: Path, tmp_path: Path) -> None:
    given = settings(
        tmp_path,
        LLAMA_CHECKPOINT_PATH=str(checkpoint),
        DECODER_CHECKPOINT_PATH=str(tmp_path / "none.pth"),
        JUNE_ENGINES="fish",
        JUNE_DEFAULT_VOICE="fish",
    )
    with pytest.raises(ModelUnavailable, match=r"none\.pth"):
        async with running(given):
            pass


def test_starting_the_engine_does_not_import_the_compiler_of_torch(checkpoint: Path) -> None:
    """It takes five seconds and 150 MB, at every restart too; torch imports it at the first use of much."""
    program = f"""
import sys
from june_tts.fish.loading import load_engine
from june_tts.fish.options import EngineOptions
from june_tts.fish.serving import warm_up
options = EngineOptions({str(checkpoint)!r}, {str(checkpoint / "codec.pth")!r}, device="cpu", slots=1)
warm_up(load_engine(options))
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


async def test_naming_the_engine_without_a_checkpoint_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LLAMA_CHECKPOINT_PATH"):
        async with running(settings(tmp_path, JUNE_ENGINES="fish")):
            pass
