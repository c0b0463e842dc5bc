"""The download against a real server on a real socket, which misbehaves in the ways that servers do."""

import hashlib
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from june_tts.cli.main import app
from june_tts.errors import InvalidRequest, ModelUnavailable
from june_tts.models import catalogue
from june_tts.models.catalogue import Release
from june_tts.models.fetch import Fetcher
from june_tts.models.pull import pull
from june_tts.models.verified import Published
from june_tts.models.web import Patience

pytestmark = pytest.mark.integration

CONTENT = random.Random(7).randbytes(3_000_000)
FILE = Published("model.onnx", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@dataclass
class Mirror:
    """What the server does next, and what it has been asked."""

    url: str = ""
    content: bytes = CONTENT
    etag: str | None = '"one"'
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    """Answered first, one per request."""
    cut_after: list[int] = field(default_factory=list)
    """Bytes of body after which the connection is reset, one per request."""
    pause: float = 0.0
    """Seconds between blocks of 256 KiB."""
    stall: bool = False
    chunked: bool = False
    location: str | None = None
    asked: list[str | None] = field(default_factory=list)
    """The Range header of each request."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: Mirror

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        mirror = self.mirror
        mirror.asked.append(self.headers["range"])
        if mirror.location and not self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("location", mirror.location)
            self.send_header("content-length", "0")
            self.end_headers()
        elif mirror.statuses:
            self.send_response(mirror.statuses.pop(0))
            self.send_header("retry-after", "7")
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self._send_file(mirror)

    def _send_file(self, mirror: Mirror) -> None:
        start = 0
        fresh = self.headers["if-range"] in (None, mirror.etag)
        if mirror.ranges and fresh and self.headers["range"]:
            start = int(self.headers["range"].removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            whole = len(mirror.content)
            self.send_header("content-range", f"bytes {start}-{whole - 1}/{whole}")
        if mirror.etag:
            self.send_header("etag", mirror.etag)
        if mirror.chunked:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(len(mirror.content) - start))
        self.end_headers()
        self._send_body(mirror, mirror.content[start:])

    def _send_body(self, mirror: Mirror, body: bytes) -> None:
        cut = mirror.cut_after.pop(0) if mirror.cut_after else None
        for at in range(0, len(body), 1 << 18):
            if cut is not None and at >= cut:
                # linger 0: the client gets a reset, as from a broken line
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()
                return
            block = body[at : at + (1 << 18)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if mirror.chunked else block)
            time.sleep(30 if mirror.stall else mirror.pause)
        if mirror.chunked:
            self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        return  # the client hanging up is part of the tests


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    state = Mirror()
    server = Server(("127.0.0.1", 0), type("MirrorHandler", (Handler,), {"mirror": state}))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def fetcher(waits: list[float]) -> Iterator[Fetcher]:
    fetcher = Fetcher(Patience(attempts=3, read_timeout=0.5), sleep=waits.append)
    yield fetcher
    fetcher.close()


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix not in (".lock", ".stamp")}


def test_a_whole_file_arrives_with_its_progress(mirror: Mirror, fetcher: Fetcher, tmp_path: Path) -> None:
    seen: list[int] = []
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE, seen.append)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert seen[0] == 0
    assert seen[-1] == len(CONTENT)
    assert seen == sorted(seen)
    assert left(tmp_path) == {"f"}


def test_a_file_that_is_there_is_not_asked_for(mirror: Mirror, fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert mirror.asked == []


def test_a_cut_connection_goes_on_where_it_stopped(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path, waits: list[float]
) -> None:
    mirror.cut_after = [1_000_000]
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert len(waits) == 1
    assert mirror.asked[0] is None
    # how much of it had left the kernel when the reset came is the kernel's to say; none of it may come twice
    assert len(mirror.asked) == 2


def test_an_interrupted_pull_is_resumed_by_the_next_one(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path
) -> None:
    def interrupt(done: int) -> None:
        if done >= 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE, interrupt)
    kept = (tmp_path / "f.part").stat().st_size
    assert kept >= 1_000_000
    assert not (tmp_path / "f").exists()
    seen: list[int] = []
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE, seen.append)
    assert mirror.asked == [None, f"bytes={kept}-"]
    assert seen[0] == kept
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert left(tmp_path) == {"f"}


def halfway(mirror: Mirror, fetcher: Fetcher, target: Path) -> int:
    """Leave about half a download; returns its bytes."""

    def interrupt(done: int) -> None:
        if done >= len(CONTENT) // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetcher.fetch(f"{mirror.url}/f", target, FILE, interrupt)
    return target.with_name(f"{target.name}.part").stat().st_size


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path
) -> None:
    mirror.content = bytes(len(CONTENT))
    halfway(mirror, fetcher, tmp_path / "f")
    mirror.content, mirror.etag = CONTENT, '"two"'
    seen: list[int] = []
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE, seen.append)
    assert seen[0] == 0
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_file_that_changed_unnoticed_is_fetched_once_more(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path
) -> None:
    mirror.etag = None
    mirror.content = bytes(len(CONTENT))
    kept = halfway(mirror, fetcher, tmp_path / "f")
    mirror.content = CONTENT
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert mirror.asked == [None, f"bytes={kept}-", None]
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(mirror: Mirror, fetcher: Fetcher, tmp_path: Path) -> None:
    mirror.ranges = False
    halfway(mirror, fetcher, tmp_path / "f")
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_part_of_another_release_is_not_continued(mirror: Mirror, fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(b"x" * 1000)
    (tmp_path / "f.part.note").write_text('{"sha256": "another"}')
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert mirror.asked == [None]


def test_a_wrong_hash_names_both_and_removes_the_file(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path
) -> None:
    mirror.content = bytes(len(CONTENT))
    actual = hashlib.sha256(mirror.content).hexdigest()
    with pytest.raises(ModelUnavailable, match=f"{actual}, expected {FILE.sha256}"):
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert left(tmp_path) == set()


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final_and_names_address_and_status(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path, status: int
) -> None:
    mirror.statuses = [status]
    with pytest.raises(ModelUnavailable, match=rf"/f: HTTP {status}"):
        fetcher.fetch(f"{mirror.url}/f?token=hush", tmp_path / "f", FILE)
    assert len(mirror.asked) == 1


def test_a_busy_server_is_asked_again_as_late_as_it_wishes(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path, waits: list[float]
) -> None:
    mirror.statuses = [503, 429]
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert waits == [7.0, 7.0]


def test_a_server_that_stays_busy_is_given_up(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path, waits: list[float]
) -> None:
    mirror.statuses = [503] * 9
    with pytest.raises(ModelUnavailable, match="HTTP 503; gave up after 3 attempts"):
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert len(mirror.asked) == 3
    assert len(waits) == 2


def test_a_slow_server_is_waited_for(mirror: Mirror, fetcher: Fetcher, tmp_path: Path) -> None:
    mirror.pause = 0.02
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_server_that_stalls_is_given_up_and_its_bytes_kept(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path
) -> None:
    mirror.stall = True
    with pytest.raises(ModelUnavailable, match="timed out"):
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert (tmp_path / "f.part").stat().st_size >= 1 << 18


def test_nobody_listening_is_said(fetcher: Fetcher, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ModelUnavailable, match="gave up after 3 attempts"):
        fetcher.fetch(f"http://127.0.0.1:{port}/f", tmp_path / "f", FILE)


def test_too_little_space_is_said_before_anything_is_fetched(mirror: Mirror, tmp_path: Path) -> None:
    fetcher = Fetcher(free_bytes=lambda folder: 1 << 20)
    with pytest.raises(ModelUnavailable, match=r"19 MiB needed for model\.onnx, 1 MiB free"):
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    fetcher.close()
    assert mirror.asked == []


def test_a_file_of_another_size_is_refused_by_its_length(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path
) -> None:
    mirror.content = b"<html>not here any more</html>"
    with pytest.raises(ModelUnavailable, match="offers 30 bytes, expected 3000000"):
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)


def test_a_body_without_end_is_cut_off_at_the_published_size(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path
) -> None:
    mirror.chunked = True
    mirror.content = CONTENT + b"more"
    with pytest.raises(ModelUnavailable, match="more than its 3000000 bytes"):
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert left(tmp_path) == set()


def test_a_body_that_ends_early_is_not_taken_for_whole(
    mirror: Mirror, fetcher: Fetcher, tmp_path: Path
) -> None:
    mirror.chunked = True
    mirror.content = CONTENT[:-5]
    with pytest.raises(ModelUnavailable, match="gave up"):
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert not (tmp_path / "f").exists()


def test_a_redirect_is_followed_with_its_range(mirror: Mirror, fetcher: Fetcher, tmp_path: Path) -> None:
    mirror.location = "/moved/f?signature=1"
    kept = halfway(mirror, fetcher, tmp_path / "f")
    fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
    assert mirror.asked[-1] == f"bytes={kept}-"
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_redirects_in_a_circle_end(mirror: Mirror, fetcher: Fetcher, tmp_path: Path) -> None:
    mirror.location = "/f"
    with pytest.raises(ModelUnavailable, match="more than 10 redirects"):
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)


@pytest.mark.parametrize("url", ["ftp://host/f", "file:///etc/passwd", "host/f", "", "http://", "http://[::"])
def test_an_address_that_is_not_http_is_refused(fetcher: Fetcher, tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidRequest):
        fetcher.fetch(url, tmp_path / "f", FILE)


def test_two_pulls_at_once_fetch_it_once(mirror: Mirror, tmp_path: Path) -> None:
    mirror.pause = 0.01

    def one(_: int) -> bytes:
        fetcher = Fetcher()
        fetcher.fetch(f"{mirror.url}/f", tmp_path / "f", FILE)
        fetcher.close()
        return (tmp_path / "f").read_bytes()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(one, range(2))) == [CONTENT, CONTENT]
    assert mirror.asked == [None]


def test_a_release_is_pulled_file_by_file(mirror: Mirror, fetcher: Fetcher, tmp_path: Path) -> None:
    release = Release("toy", "Toy", "http://unused", "CC0", ("en",), {"int8": FILE}, (FILE,))
    told: dict[str, int] = {}
    folder = pull(
        release,
        None,
        tmp_path,
        fetcher,
        url=f"{mirror.url}/",
        told=lambda file, done: told.update({file.name: done}),
    )
    assert (folder / FILE.name).read_bytes() == CONTENT
    assert told == {FILE.name: len(CONTENT)}


def test_the_command_pulls_from_a_mirror(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Release("toy", "Toy", "http://unused.invalid", "CC0", ("en",), {"int8": FILE}, ())
    monkeypatch.setattr(catalogue, "RELEASES", (release,))
    args = ["models", "pull", "toy", "--from", mirror.url]
    result = CliRunner().invoke(app, args, env={"JUNE_DATA_DIR": str(tmp_path)})
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "models" / "toy" / FILE.name).read_bytes() == CONTENT
    assert "Toy (CC0) is in" in result.stderr


def test_the_command_says_what_went_wrong(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"JUNE_DATA_DIR": str(tmp_path)}
    mirror.statuses = [404]
    result = CliRunner().invoke(app, ["models", "pull", "kokoro", "--from", mirror.url], env=env)
    assert result.exit_code == 1
    assert "voices-v1.0.bin: HTTP 404" in result.stderr
    refused = CliRunner().invoke(app, ["models", "pull", "kokoro", "--variant", "int4"], env=env)
    assert refused.exit_code == 2
    assert "kokoro has int8, fp32" in refused.stderr
