import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from june_tts.cli.main import app
from june_tts.settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "june.toml"
    path.write_text('max_streams = 3\ndatabase_url = "postgresql://june:hush@db/june"\n')
    return path


def test_each_value_is_shown_with_where_it_came_from(file: Path) -> None:
    env = {"JUNE_CONFIG_FILE": str(file), "WRAPPER_PORT": "9", "JUNE_VOICE_ALIASES": "nova=jf_alpha"}
    result = CliRunner().invoke(app, ["config", "--json"], env=env)
    assert result.exit_code == 0, result.stderr
    shown = json.loads(result.stdout)
    assert set(shown) == {field.alias for field in Settings.model_fields.values()}
    assert shown["WRAPPER_PORT"] == {"value": 9, "origin": "environment"}
    assert shown["JUNE_MAX_STREAMS"] == {"value": 3, "origin": str(file)}
    assert shown["JUNE_VOICE_ALIASES"]["value"] == {"nova": "jf_alpha"}
    assert shown["JUNE_ENGINES"] == {"value": ["piper", "kokoro"], "origin": "default"}


@pytest.mark.parametrize("args", [["config"], ["config", "--json"]])
def test_a_secret_is_never_shown(file: Path, args: list[str]) -> None:
    env = {"JUNE_CONFIG_FILE": str(file), "JUNE_API_KEY": "hush-too", "DB_PASSWORD": "hush"}
    result = CliRunner().invoke(app, args, env=env)
    assert result.exit_code == 0
    assert result.stdout.count("(secret)") == 3
    assert "hush" not in result.output


def test_the_reference_has_every_setting_and_no_path_of_this_machine() -> None:
    result = CliRunner().invoke(app, ["config", "--reference"])
    for field in Settings.model_fields.values():
        assert f"| `{field.alias}` |" in result.stdout
    assert str(Path.home()) not in result.stdout
