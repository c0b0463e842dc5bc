"""Runs LiveKit Agents' own TTS tests against this plugin and a real june-tts server, with the voice joe.

    git clone --depth 1 https://github.com/livekit/agents /tmp/agents
    python integrations/livekit-plugins-june/tests/run_framework_suite.py /tmp/agents

To be run from this repository's root, in the environment of its tests. Nothing of the framework is kept here:
its tests are copied to a folder to throw away, and adapted in the places that `prepare` names.

- The provider june is added to their two lists, as a pull request would add it.
- They listen to the speech with Deepgram; here Whisper answers Deepgram's request (tests/listening.py).
- Their proxy, which plays a dead network, is the same program, on ports that need no root:
  `GOBIN=$PWD/.bin/toxiproxy go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0`.
- Their language model writes in OpenAI's tokens, whose list tiktoken would fetch; here it writes in pieces of
  words that are as long.
- Modules of providers that are not installed are stood in for by empty ones; their tests are not selected.
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from json import dumps
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from tests.e2e.page_server import serving  # noqa: E402  (found after its folder was added above)
from tests.listening import heard  # noqa: E402
from tests.services import free_port  # noqa: E402

SUITE = "tests/test_tts.py"
STAND_INS = """\
import re
import sys
from types import ModuleType

import livekit.plugins
import tiktoken

for name in {names}:
    module = ModuleType(f"livekit.plugins.{{name}}")
    sys.modules[module.__name__] = module
    setattr(livekit.plugins, name, module)


class Tokens(list):
    def encode(self, text):
        self[:] = re.findall(r"\\s?\\w{{1,5}}|\\s?[^\\w\\s]|\\s", text)
        return range(len(self))

    def decode(self, tokens):
        return "".join(self[token] for token in tokens)


tiktoken.encoding_for_model = lambda model: Tokens()
"""
ENTRY = """[
    pytest.param(
        lambda: {{
            "tts": june.TTS(base_url="http://127.0.0.1:{proxy}", voice_id="joe"),
            "proxy-upstream": "{upstream}",
        }},
        id="june",
    ),
"""


@dataclass(frozen=True)
class Ports:
    proxy: int
    proxy_control: int
    deepgram: int
    recogniser: int


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("checkout", type=Path, help="a checkout of github.com/livekit/agents")
    arguments.add_argument("--toxiproxy", type=Path, default=ROOT / ".bin" / "toxiproxy" / "server")
    given, for_pytest = arguments.parse_known_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="june-suite-")))
        ports = Ports(free_port(), free_port(), free_port(), stack.enter_context(recogniser()))
        stack.enter_context(program(str(given.toxiproxy), "-port", str(ports.proxy_control)))
        address = stack.enter_context(serving(folder))
        prepare(given.checkout, folder, ports, address.removeprefix("http://"))
        return run(folder, for_pytest)


def run(folder: Path, for_pytest: list[str]) -> int:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("JUNE_")}
    # after it what is there already, such as another release of the framework
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    command = [sys.executable, "-m", "pytest", SUITE, "--tts", "-v", "-p", "stand_ins", *for_pytest]
    done = subprocess.run(
        command,
        cwd=folder,
        env=inherited | {"PLUGIN": "june", "DEEPGRAM_API_KEY": "none", "PYTHONPATH": path},
    )
    return done.returncode


def prepare(checkout: Path, folder: Path, ports: Ports, upstream: str) -> None:
    """Copy what the suite needs, and adapt it."""
    shutil.copytree(checkout / "tests", folder / "tests")
    shutil.copy(checkout / "pyproject.toml", folder)
    suite = folder / SUITE
    missing = [name for name in providers(suite) if find_spec(f"livekit.plugins.{name}") is None]
    (folder / "stand_ins.py").write_text(STAND_INS.format(names=missing))
    entry = ENTRY.format(proxy=ports.proxy, upstream=upstream)
    edit(
        suite,
        {
            "    inworld,\n    lmnt,": "    inworld,\n    june,\n    lmnt,",
            "\nSYNTHESIZE_TTS = [\n": f"\nSYNTHESIZE_TTS = {entry}",
            "\nSTREAM_TTS = [\n": f"\nSTREAM_TTS = {entry}",
            '"0.0.0.0:443"': f'"127.0.0.1:{ports.proxy}"',
            '"0.0.0.0:500"': f'"127.0.0.1:{ports.deepgram}"',
            "https://toxiproxy:500/v1/listen": f"http://127.0.0.1:{ports.recogniser}/v1/listen",
        },
    )
    edit(
        folder / "tests" / "toxic_proxy.py",
        {
            'host: str = "toxiproxy"': 'host: str = "127.0.0.1"',
            "port: int = 8474": f"port: int = {ports.proxy_control}",
        },
    )


def edit(file: Path, changes: dict[str, str]) -> None:
    """Each must fit exactly once: a suite that has changed is looked at by a person."""
    text = file.read_text(encoding="utf-8")
    for old, new in changes.items():
        if text.count(old) != 1:
            raise SystemExit(
                f"{file.name} has {old!r} {text.count(old)} times, expected once: adapt this script"
            )
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def providers(suite: Path) -> list[str]:
    """The plugins that the suite imports."""
    imports = [node for node in ast.walk(ast.parse(suite.read_text())) if isinstance(node, ast.ImportFrom)]
    return [alias.name for node in imports if node.module == "livekit.plugins" for alias in node.names]


@contextmanager
def program(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


class Recogniser(BaseHTTPRequestHandler):
    """As much of Deepgram's API as the suite reads, answered by Whisper."""

    def do_POST(self) -> None:
        words = heard(self.rfile.read(int(self.headers["Content-Length"])))
        found = {"results": {"channels": [{"alternatives": [{"transcript": words}]}]}}
        body = dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def recogniser() -> Iterator[int]:
    """Its port; the model is loaded before the first test counts seconds."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Recogniser) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    sys.exit(main())
