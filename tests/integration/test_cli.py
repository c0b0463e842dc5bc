"""The command line with real voices, a real library and a real download."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from june_tts.cli.main import app

pytestmark = pytest.mark.integration

SENTENCE = "The quick brown fox jumps over the lazy dog, and then it rests for a while in the warm sun."


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of speech, spoken by the command itself in a process of its own."""
    folder = tmp_path_factory.mktemp("recording")
    args = [sys.executable, "-m", "june_tts.cli.main", "say", SENTENCE, "-v", "joe", "-o", "fox.wav"]
    env = {"JUNE_DATA_DIR": str(folder / "data"), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(args, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "fox.wav"


class Line:
    """The command line with a library of its own."""

    def __init__(self, data_dir: Path) -> None:
        self._env = {"JUNE_DATA_DIR": str(data_dir)}

    def __call__(self, *args: str, input: str | None = None) -> Result:
        return CliRunner().invoke(app, list(args), env=self._env, input=input)

    def json(self, *args: str) -> Any:
        result = self(*args, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def cloned(self) -> list[str]:
        return [voice["id"] for voice in self.json("voices", "list") if voice["kind"] == "cloned"]


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path / "data")


def test_a_voice_is_added_shown_exported_removed_and_imported(
    line: Line, recording: Path, tmp_path: Path
) -> None:
    given = ("--name", "Ann", "--transcript", SENTENCE, "--language", "en", "--consent", "by letter")
    added = line.json("voices", "add", "ann", str(recording), *given)
    assert added["sha256"] == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert added["report"]["duration"] > 4
    assert line.cloned() == ["ann"]

    archive = tmp_path / "voices.zip"
    assert line("voices", "export", str(archive)).exit_code == 0
    assert line("voices", "remove", "ann", "--yes").exit_code == 0
    assert line.cloned() == []

    outcome = line.json("voices", "import", str(archive))
    assert outcome == [{"voice": "ann", "outcome": "added", "reason": ""}]
    again = line.json("voices", "show", "ann")
    for field in ("name", "sha256", "transcript", "language", "consent", "report"):
        assert again[field] == added[field]


def test_an_import_goes_on_after_a_voice_that_fails(line: Line, recording: Path, tmp_path: Path) -> None:
    for voice_id in ("ann", "bea", "cleo"):
        line.json("voices", "add", voice_id, str(recording))
    archive = tmp_path / "voices.zip"
    line("voices", "export", str(archive))
    with zipfile.ZipFile(archive) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(archive, "w") as changed:
        for name, data in members.items():
            changed.writestr(name, data + b"x" if name == "recordings/00002" else data)
    for voice_id in ("bea", "cleo"):
        line("voices", "remove", voice_id, "--yes")

    result = line("voices", "import", str(archive), "--json")
    assert result.exit_code == 1
    outcomes = {row["voice"]: row for row in json.loads(result.stdout)}
    assert {name: row["outcome"] for name, row in outcomes.items()} == {
        "ann": "failed",
        "bea": "failed",
        "cleo": "added",
    }
    assert "exists already" in outcomes["ann"]["reason"]
    assert "SHA-256" in outcomes["bea"]["reason"]
    assert line.cloned() == ["ann", "cleo"]


def test_existing_voices_can_be_skipped(line: Line, recording: Path, tmp_path: Path) -> None:
    line.json("voices", "add", "ann", str(recording))
    line("voices", "export", str(tmp_path / "voices.zip"))
    (row,) = line.json("voices", "import", str(tmp_path / "voices.zip"), "--skip-existing")
    assert row["outcome"] == "skipped"


def test_an_export_does_not_replace_a_file_unasked(line: Line, tmp_path: Path) -> None:
    archive = tmp_path / "voices.zip"
    archive.write_bytes(b"precious")
    assert line("voices", "export", str(archive)).exit_code == 2
    assert archive.read_bytes() == b"precious"
    assert line("voices", "export", str(archive), "ghost", "--force").exit_code == 2
    assert archive.read_bytes() == b"precious"
    assert line("voices", "export", str(archive), "--force").exit_code == 0
    assert zipfile.is_zipfile(archive)


@pytest.mark.parametrize("voice_id", ["joe", "jf_alpha", "alloy", "default", "../x", "a b", ""])
def test_an_id_that_no_cloned_voice_may_have_is_refused(line: Line, recording: Path, voice_id: str) -> None:
    result = line("voices", "add", voice_id, str(recording))
    assert result.exit_code == 2
    assert "voice_id" in result.stderr
    assert line.cloned() == []


@pytest.mark.parametrize(
    ("content", "message"), [(b"", ""), (b"this is text, not sound", ""), (None, "cannot be read")]
)
def test_a_file_that_is_no_recording_is_refused(
    line: Line, tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "file.wav"
    if content is not None:
        file.write_bytes(content)
    result = line("voices", "add", "ann", str(file))
    assert result.exit_code == 2
    assert result.stderr.startswith("june-tts: ")
    assert message in result.stderr
    assert line.cloned() == []


def test_removing_asks_first(line: Line, recording: Path) -> None:
    line.json("voices", "add", "ann", str(recording))
    assert line("voices", "remove", "ann", input="n\n").exit_code == 1
    assert line.cloned() == ["ann"]
    assert line("voices", "remove", "ann", input="y\n").exit_code == 0
    assert line.cloned() == []


@pytest.mark.parametrize("voice_id", ["ghost", "joe"])
def test_a_voice_that_is_not_in_the_library_cannot_be_removed(line: Line, voice_id: str) -> None:
    result = line("voices", "remove", voice_id, "--yes")
    assert result.exit_code == 2
    assert voice_id in result.stderr


def test_a_cloned_voice_is_not_spoken_by_an_engine_that_cannot_clone(line: Line, recording: Path) -> None:
    line.json("voices", "add", "ann", str(recording))
    result = line("say", "Hello.", "-v", "ann", "-o", str(recording.parent / "never.wav"))
    assert result.exit_code == 2
    assert "cannot" in result.stderr or "can speak" in result.stderr
    assert not (recording.parent / "never.wav").exists()


def test_built_in_voices_are_shown_with_engine_and_licence(line: Line) -> None:
    shown = line.json("voices", "show", "joe")
    assert (shown["engine"], shown["license"], shown["sample_rate"]) == ("piper", "CC0", 22_050)
    assert "jf_alpha" in line("voices", "show", "jf_alpha").stdout


def test_models_are_listed_as_a_table_and_as_json(line: Line) -> None:
    names = [model["name"] for model in line.json("models", "list")]
    assert names == ["joe", "kokoro-packaged", "kokoro int8", "kokoro fp32", "fish/s1-mini"]
    table = line("models", "list").stdout
    assert all(name in table for name in names)
    assert "any cloned voice" in table


def test_every_check_of_the_doctor_is_well_here(tmp_path: Path) -> None:
    env = {"JUNE_DATA_DIR": str(tmp_path), "WRAPPER_PORT": "0"}
    result = CliRunner().invoke(app, ["doctor", "--json"], env=env)
    assert [found for found in json.loads(result.stdout) if found["state"] == "fail"] == []
    assert result.exit_code == 0
