"""The download against a real server on a real socket, which misbehaves in the ways that servers do."""

import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.mirror import CONTENT, FILE, Mirror, mirroring
from typer.testing import CliRunner

from june_tts.cli.main import app
from june_tts.errors import InvalidRequest, ModelUnavailable
from june_tts.models import catalogue
from june_tts.models.catalogue import Release
from june_tts.models.fetch import Fetcher
from june_tts.models.pull import pull
from june_tts.models.web import Patience

pytestmark = pytest.mark.integration


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with mirroring() as state:
        yield state


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
