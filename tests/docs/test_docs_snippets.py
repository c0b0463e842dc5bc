"""The snippets of the documentation, run as they stand against a real server."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
import httpx
import pytest
import soundfile
from tests.docs.markdown import Block, blocks, name, pages
from tests.e2e.page_server import serving

HOST = "127.0.0.1:8000"
"""Of the server in the snippets, behind `http://` or `ws://`."""
RUN_SECONDS = 60
SENTENCE = "The old ferry crosses the river every morning, and the captain waves to the children. "


@dataclass(frozen=True)
class Server:
    address: str
    data_dir: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data_dir = tmp_path_factory.mktemp("docs")
    with serving(data_dir, JUNE_ENGINES="piper,kokoro") as address:
        yield Server(address, data_dir)


@pytest.fixture(scope="module")
def recording(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of speech, for the pages that add a voice."""
    wish = {"input": 2 * SENTENCE, "voice": "joe", "response_format": "wav"}
    reply = httpx.post(f"{server.address}/v1/audio/speech", json=wish, timeout=60).raise_for_status()
    folder = tmp_path_factory.mktemp("recording")
    samples, rate = soundfile.read(BytesIO(reply.content))
    soundfile.write(folder / "me.wav", samples, rate, subtype="PCM_16")
    return folder / "me.wav"


def to_run(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.note.split(":")[0] == "run"]


def command(block: Block, body: str, folder: Path) -> list[str]:
    """How a snippet is run; the test is skipped where its interpreter is missing."""
    if block.language == "sh":
        return ["bash", "-euo", "pipefail", "-c", body]
    file = folder / f"snippet.{block.language}"
    file.write_text(body, encoding="utf-8")
    if block.language == "python":
        return [sys.executable, str(file)]
    assert block.language == "js", f"nothing here runs {block.language}"
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    return [node, str(file)]


def seconds(file: Path) -> float:
    """Of audio that a player can decode."""
    with av.open(str(file)) as container:
        frames = list(container.decode(audio=0))
    return sum(frame.samples for frame in frames) / frames[0].sample_rate


SNIPPETS = [
    pytest.param(page, at, id=f"{name(page)}-{at}-{block.language}")
    for page in pages()
    for at, block in enumerate(to_run(page))
]


@pytest.mark.e2e
@pytest.mark.parametrize(("page", "at"), SNIPPETS)
def test_the_snippet_does_what_the_page_says(
    page: Path, at: int, server: Server, recording: Path, tmp_path: Path
) -> None:
    block = to_run(page)[at]
    shutil.copy(recording, tmp_path)
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("JUNE_", "WRAPPER_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command(block, block.body.replace(HOST, server.address.removeprefix("http://")), tmp_path),
        cwd=tmp_path,
        env=mine | {"PATH": path, "JUNE_DATA_DIR": str(server.data_dir)},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for file in block.note.partition(":")[2].split():
        assert seconds(tmp_path / file) > 0.5, file


@pytest.mark.unit
def test_the_pages_that_newcomers_read_have_snippets_that_run() -> None:
    with_snippets = {name(page) for page in pages() if to_run(page)}
    assert {
        "docs/quick-start.md",
        "docs/how-to/livekit-agents.md",
        "docs/how-to/openai-clients.md",
        "docs/how-to/pipecat.md",
        "docs/how-to/own-voices.md",
    } <= with_snippets
    languages = {block.language for page in pages() for block in to_run(page)}
    assert {"sh", "python", "js"} <= languages


@pytest.mark.unit
@pytest.mark.parametrize("page", pages(), ids=name)
def test_python_that_is_shown_but_not_run_is_python(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.body)
