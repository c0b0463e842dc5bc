"""The snippets of the page about rooms, run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.markdown import DOCS, Block, blocks
from tests.e2e.page_server import serving
from tests.livekit_service import LiveKit

pytestmark = pytest.mark.integration

ADDRESS = "http://127.0.0.1:8000"
SNIPPETS = [block for block in blocks(DOCS / "how-to" / "livekit-rooms.md") if block.note == "run in a room"]


def ran(block: Block, address: str) -> subprocess.CompletedProcess[str]:
    body = block.body.replace(ADDRESS, address)
    command = [sys.executable, "-c", body] if block.language == "python" else ["bash", "-euc", body]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_snippets_do_what_the_page_says(livekit: LiveKit, tmp_path: Path) -> None:
    settings = {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": livekit.secret,
    }
    with serving(tmp_path, **settings) as address:
        shell, python = (ran(block, address) for block in SNIPPETS)
    assert shell.returncode == python.returncode == 0, shell.stderr + python.stderr
    assert '"status":"success"' in shell.stdout and '"heard_seconds":' in shell.stdout
    assert python.stdout.count("'state': 'stopped'") == 2
