"""Keys as an operator meets them: made and revoked on the command line beside a server that works."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e.page_server import serving

pytestmark = pytest.mark.e2e

PROGRAM = str(Path(sys.executable).with_name("june-tts"))
SPEECH = {"input": "Hello.", "voice": "fake", "response_format": "pcm"}


def june(data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("JUNE_", "WRAPPER_"))
    }
    env = inherited | {"JUNE_DATA_DIR": str(data_dir), "JUNE_ENGINES": "fake"}
    return subprocess.run([PROGRAM, *words], env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def address(data_dir: Path) -> Iterator[str]:
    with serving(data_dir, JUNE_ENGINES="fake", JUNE_DEFAULT_VOICE="fake") as found:
        yield found


def status(address: str, key: str) -> int:
    reply = httpx.post(
        f"{address}/v1/audio/speech", json=SPEECH, headers={"Authorization": f"Bearer {key}"}, timeout=10
    )
    return reply.status_code


def test_a_key_is_made_used_revoked_and_logged_while_the_server_works(data_dir: Path, address: str) -> None:
    assert status(address, "none is asked for") == 200
    made = june(data_dir, "keys", "add", "Ann", "--scope", "speak", "--scope", "admin")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    time.sleep(1.0)
    assert status(address, "wrong") == 401
    assert status(address, key) == 200
    bearer = {"Authorization": f"Bearer {key}"}
    keys = httpx.get(f"{address}/api/admin/keys", headers=bearer)
    assert [one["name"] for one in keys.json()["keys"]] == ["Ann"]
    assert key.split("_")[2] not in keys.text
    entries = httpx.get(f"{address}/api/admin/audit", headers=bearer).json()["entries"]
    assert [(one["actor"], one["action"]) for one in entries] == [("cli", "key.add")]
    revoked = june(data_dir, "keys", "revoke", key.split("_")[1], "--yes", "--json")
    told = time.monotonic()
    assert json.loads(revoked.stdout)["revoked_at"]
    while status(address, key) == 200:
        assert time.monotonic() - told < 1.0
        time.sleep(0.05)


def test_a_server_for_everybody_does_not_start_by_mistake(tmp_path: Path) -> None:
    refused = june(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2
    assert "june-tts keys add" in refused.stderr
    assert "JUNE_ALLOW_OPEN=1" in refused.stderr
