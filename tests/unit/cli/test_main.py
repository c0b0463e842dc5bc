import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from june_tts.cli import main as entry
from june_tts.cli.config import settings_reference
from june_tts.cli.reference import cli_reference, walk

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[3] / "docs" / "reference"
ALL = [found for name in entry.COMMANDS for found in walk(name, entry.load_command(name))]


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("JUNE_")}
    return subprocess.run(
        [sys.executable, "-m", "june_tts.cli.main", *args],
        capture_output=True,
        text=True,
        env=clean | {"COLUMNS": "120"} | env,
        timeout=60,
    )


@pytest.mark.parametrize(("path", "command"), ALL, ids=[path for path, _ in ALL])
def test_every_command_and_option_is_documented(path: str, command: Any) -> None:
    assert command.help
    for param in command.params:
        assert param.help, f"{path}: {param.name}"


@pytest.mark.parametrize("name", entry.COMMANDS)
def test_the_list_of_commands_says_what_each_one_says_of_itself(name: str) -> None:
    assert entry.load_command(name).help.partition("\n")[0] == entry.COMMANDS[name]


@pytest.mark.parametrize("path", [path for path, _ in ALL])
def test_every_command_answers_help(path: str) -> None:
    result = CliRunner().invoke(entry.app, [*path.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


def test_the_reference_of_commands_is_up_to_date() -> None:
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == cli_reference()


def test_the_reference_of_settings_is_up_to_date() -> None:
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == settings_reference()


def test_the_module_runs_as_a_program() -> None:
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout.startswith("june-tts 0.")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from june_tts.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'fastapi', 'onnxruntime', 'httpx', 'sqlalchemy', 'numpy', 'av'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.endswith("[]\n")
    assert "doctor" in result.stdout


def test_an_expected_error_is_one_line_without_a_traceback() -> None:
    result = run("config", JUNE_LANES="many")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("june-tts: JUNE_LANES='many'")
    assert "Traceback" not in result.stderr


def test_a_misspelt_command_is_corrected() -> None:
    result = CliRunner().invoke(entry.app, ["modles"])
    assert result.exit_code == 2
    assert "models" in result.stderr


def test_completion_knows_commands_and_what_is_in_them() -> None:
    found = run("", **{"_JUNE_TTS_COMPLETE": "complete_bash", "COMP_WORDS": "june-tts vo", "COMP_CWORD": "1"})
    assert found.stdout.split() == ["voices"]
    words = {"COMP_WORDS": "june-tts voices ex", "COMP_CWORD": "2"}
    found = run("", **{"_JUNE_TTS_COMPLETE": "complete_bash"}, **words)
    assert found.stdout.split() == ["export"]
