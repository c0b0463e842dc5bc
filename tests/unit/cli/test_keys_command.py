"""`june-tts keys` and `june-tts audit`, without a process of their own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from june_tts.cli.keys import keys
from june_tts.errors import InvalidRequest, KeyNotFound

pytestmark = pytest.mark.unit

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("JUNE_DATA_DIR", str(tmp_path))
    return lambda *words: CliRunner().invoke(keys, words)


def listed(run: Run) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("list", "--json").stdout)
    return found


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["add", "Ann", "--scope", "everything"], InvalidRequest, "speak, voices, admin"),
        (["add", "Ann", "--expires", "soon"], InvalidRequest, "90d"),
        (["add", "Ann", "--expires", "0d"], InvalidRequest, "90d"),
        (["add", " "], InvalidRequest, "name"),
        (["revoke", "nobody", "--yes"], KeyNotFound, "nobody"),
        (["limit", "nobody", "--streams", "1"], KeyNotFound, "nobody"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(
    run: Run, words: list[str], error: type[Exception], said: str
) -> None:
    refused = run(*words)
    assert isinstance(refused.exception, error)
    assert said in str(refused.exception)
    assert listed(run) == []


def test_a_key_gets_what_the_options_say(run: Run) -> None:
    made = run("add", "Ann", "--scope", "voices", "--scope", "admin", "--expires", "2w", "--streams", "3")
    key = made.stdout.strip()
    (found,) = listed(run)
    assert found["key_id"] == key.split("_")[1]
    assert (found["scopes"], found["limits"]) == (["admin", "voices"], {"streams": 3})
    assert found["expires_at"]
    run("limit", str(found["key_id"]), "--streams", "0", "--characters-per-day", "9")
    assert listed(run)[0]["limits"] == {"streams": 0, "characters_per_day": 9}
    assert "Ann" in run("list").stdout


def test_revoking_asks_first(run: Run) -> None:
    ident = run("add", "Ann").stdout.split("_")[1]
    assert run("revoke", ident).exit_code == 1
    assert listed(run)[0]["revoked_at"] is None
    run("revoke", ident, "--yes")
    assert listed(run)[0]["revoked_at"]
