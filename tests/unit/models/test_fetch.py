import hashlib
from pathlib import Path

import httpx
import pytest

from june_tts.errors import ModelUnavailable
from june_tts.models.fetch import Fetcher
from june_tts.models.verified import Published
from june_tts.models.web import Patience

pytestmark = pytest.mark.unit

FILE = Published("model.onnx", 4, hashlib.sha256(b"data").hexdigest())


def fetcher(*replies: httpx.Response | Exception, waits: list[float] | None = None) -> Fetcher:
    """One that meets these replies in turn."""
    coming = iter(replies)

    def answer(request: httpx.Request) -> httpx.Response:
        reply = next(coming)
        if isinstance(reply, Exception):
            raise reply
        return reply

    slept: list[float] = [] if waits is None else waits
    patience = Patience(attempts=4, backoff=1.0, longest_wait=3.0)
    return Fetcher(patience, transport=httpx.MockTransport(answer), sleep=slept.append)


def moved(where: str) -> httpx.Response:
    return httpx.Response(302, headers={"location": where})


def test_a_redirect_to_another_host_is_followed_over_https(tmp_path: Path) -> None:
    one = fetcher(
        moved("https://mirror.invalid/x?signed=1"), httpx.Response(200, stream=httpx.ByteStream(b"data"))
    )
    one.fetch("https://host.invalid/model.onnx", tmp_path / "m", FILE)
    assert (tmp_path / "m").read_bytes() == b"data"


def test_a_redirect_away_from_https_is_refused(tmp_path: Path) -> None:
    one = fetcher(moved("http://host.invalid/x"), httpx.Response(200, stream=httpx.ByteStream(b"data")))
    with pytest.raises(ModelUnavailable, match="redirected away from https"):
        one.fetch("https://host.invalid/model.onnx", tmp_path / "m", FILE)
    assert not (tmp_path / "m").exists()


def test_waits_double_up_to_the_longest(tmp_path: Path) -> None:
    waits: list[float] = []
    one = fetcher(*[httpx.ConnectError("refused")] * 4, waits=waits)
    with pytest.raises(ModelUnavailable, match="refused; gave up after 4 attempts"):
        one.fetch("https://host.invalid/model.onnx", tmp_path / "m", FILE)
    assert waits == [1.0, 2.0, 3.0]


def test_an_error_shows_neither_password_nor_query(tmp_path: Path) -> None:
    one = fetcher(httpx.Response(403))
    with pytest.raises(ModelUnavailable) as caught:
        one.fetch("https://me:hush@host.invalid/model.onnx?token=hush", tmp_path / "m", FILE)
    assert "hush" not in str(caught.value)
    assert "https://host.invalid/model.onnx" in str(caught.value)


@pytest.mark.parametrize("found", ["bytes 0-3/4", "bytes 2-3/9", "nonsense", ""])
def test_another_range_than_the_asked_one_starts_over(tmp_path: Path, found: str) -> None:
    (tmp_path / "m.part").write_bytes(b"da")
    (tmp_path / "m.part.note").write_text(f'{{"sha256": "{FILE.sha256}", "validator": null}}')
    odd = httpx.Response(206, headers={"content-range": found}, stream=httpx.ByteStream(b"ta"))
    one = fetcher(odd, httpx.Response(200, stream=httpx.ByteStream(b"data")))
    one.fetch("https://host.invalid/model.onnx", tmp_path / "m", FILE)
    assert (tmp_path / "m").read_bytes() == b"data"
