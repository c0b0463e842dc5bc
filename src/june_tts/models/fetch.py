"""Fetching one published file over HTTP: resumed where it was cut off, checked before it is used."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from june_tts.errors import InvalidRequest, ModelUnavailable
from june_tts.models.part import Part
from june_tts.models.verified import Published, is_verified

Progress = Callable[[int], object]
"""Told the bytes that are on disk so far; may go back where a server makes the download start over."""

_BLOCK = 1 << 16
_MAX_REDIRECTS = 10
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_WORTH = 1 << 20
"""An attempt that brought this many bytes does not count as a failed one."""
_SPARE_BYTES = 16 << 20
"""Left free on the disk, for the database and the logs."""


class _TryAgain(Exception):
    """This attempt failed; the next one may not. Carries the reason, and the server's Retry-After if any."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to bear with a bad connection. Seconds, but for `attempts`."""

    attempts: int = 5
    backoff: float = 1.0
    """Before the second attempt; doubled each time."""
    longest_wait: float = 60.0
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    lock_timeout: float = 3600.0
    """For another process that is fetching the same file."""


class Fetcher:
    """Fetches files, one at a time. Safe beside other processes that fetch the same ones."""

    def __init__(
        self,
        patience: Patience | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._patience = patience or Patience()
        self._sleep = sleep
        self._free_bytes = free_bytes
        timeout = httpx.Timeout(self._patience.read_timeout, connect=self._patience.connect_timeout)
        # identity: sizes and ranges must be those of the file itself
        headers = {"accept-encoding": "identity", "user-agent": "june-tts"}
        self._client = httpx.Client(transport=transport, timeout=timeout, headers=headers)

    def close(self) -> None:
        self._client.close()

    def fetch(self, url: str, target: Path, published: Published, progress: Progress | None = None) -> None:
        """Have the file at `target`, whole and checked; returns at once where it is there already.

        Interrupted at any moment it leaves `<target>.part`, which the next call goes on with.

        Raises:
            InvalidRequest: the address is not http or https.
            ModelUnavailable: it cannot be fetched or is not the published file; the message says why.
        """
        _check_address(url)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_name(f"{target.name}.lock"), timeout=self._patience.lock_timeout):
                if not is_verified(target, published):
                    self._fetch(url, Part(target, published), progress or (lambda done: None))
        except Timeout as busy:
            raise ModelUnavailable(f"{target}: another process is still fetching it") from busy
        except OSError as bad:
            raise ModelUnavailable(f"{target}: cannot be written ({bad})") from bad

    def _fetch(self, url: str, part: Part, progress: Progress) -> None:
        resumed = part.offset() > 0
        self._download(url, part, progress)
        if resumed and part.sha256() != part.published.sha256:
            # the first half may have come from another version of the file
            part.drop()
            self._download(url, part, progress)
        actual = part.sha256()
        if actual != part.published.sha256:
            part.drop()
            raise ModelUnavailable(
                f"{_shown(url)}: SHA-256 is {actual}, expected {part.published.sha256}; the file was removed"
            )
        part.finish()

    def _download(self, url: str, part: Part, progress: Progress) -> None:
        failures, furthest = 0, part.offset()
        while part.offset() < part.published.size:
            self._check_space(part)
            try:
                self._attempt(url, part, progress)
            except (_TryAgain, httpx.TransportError) as bad:
                # against the furthest ever, so that a server that makes us start over cannot keep us for ever
                failures = 0 if part.offset() - furthest >= _WORTH else failures + 1
                furthest = max(furthest, part.offset())
                if failures >= self._patience.attempts:
                    reason = str(bad) or type(bad).__name__
                    raise ModelUnavailable(
                        f"{_shown(url)}: {reason}; gave up after {failures} attempts, run it again to go on"
                    ) from bad
                self._wait(failures, bad.after if isinstance(bad, _TryAgain) else 0.0)

    def _wait(self, failures: int, asked: float) -> None:
        backoff = self._patience.backoff * 2 ** max(0, failures - 1)
        self._sleep(min(max(backoff, asked), self._patience.longest_wait))

    def _check_space(self, part: Part) -> None:
        needed = part.published.size - part.offset() + _SPARE_BYTES
        free = self._free_bytes(part.path.parent)
        if free < needed:
            raise ModelUnavailable(
                f"{part.path.parent}: {_mib(needed)} needed for {part.published.name}, {_mib(free)} free"
            )

    def _attempt(self, url: str, part: Part, progress: Progress) -> None:
        offset = part.offset()
        headers = {"range": f"bytes={offset}-"} if offset else {}
        validator = part.validator()
        if offset and validator:
            headers["if-range"] = validator
        with self._open(url, headers) as response:
            offset = _accept(response, part, offset, url)
            _write(response, part, offset, progress)
        if part.offset() < part.published.size:
            raise _TryAgain(f"it ended after {part.offset()} of {part.published.size} bytes")

    @contextmanager
    def _open(self, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """The response after redirects, none of which may leave https."""
        request = self._client.build_request("GET", url, headers=headers)
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._client.send(request, stream=True)
            try:
                if response.next_request is None:
                    yield response
                    return
            finally:
                response.close()
            if request.url.scheme == "https" and response.next_request.url.scheme != "https":
                raise ModelUnavailable(f"{_shown(url)}: redirected away from https")
            request = response.next_request
        raise ModelUnavailable(f"{_shown(url)}: more than {_MAX_REDIRECTS} redirects")


def _check_address(url: str) -> None:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as bad:
        raise InvalidRequest(f"{url!r}: no address ({bad})", param="from") from bad
    if parsed.scheme not in ("https", "http") or not parsed.host:
        raise InvalidRequest(f"{url!r}: expected an address with https:// or http://", param="from")


def _accept(response: httpx.Response, part: Part, offset: int, url: str) -> int:
    """Where in the file this response's body goes."""
    status = response.status_code
    if status == httpx.codes.PARTIAL_CONTENT:
        if response.headers.get("content-range", "") == _range(offset, part.published.size):
            return offset
        part.drop()
        raise _TryAgain(f"it answered with another range than the one from byte {offset}")
    if status == httpx.codes.OK:
        _check_length(response, part.published, url)
        part.begin(_validator(response))
        return 0
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
        part.drop()
        raise _TryAgain("it has no such range")
    if status in _TRANSIENT:
        raise _TryAgain(f"HTTP {status}", _retry_after(response))
    raise ModelUnavailable(f"{_shown(url)}: HTTP {status}, expected the file {part.published.name}")


def _write(response: httpx.Response, part: Part, offset: int, progress: Progress) -> None:
    progress(offset)
    with part.path.open("ab") as file:
        for block in response.iter_raw(_BLOCK):
            offset += len(block)
            if offset > part.published.size:
                file.close()
                part.drop()
                raise ModelUnavailable(
                    f"{part.published.name}: the server sends more than its {part.published.size} bytes"
                )
            file.write(block)
            progress(offset)


def _check_length(response: httpx.Response, published: Published, url: str) -> None:
    length = response.headers.get("content-length")
    if length is not None and length != str(published.size):
        raise ModelUnavailable(
            f"{_shown(url)}: offers {length} bytes, expected {published.size}: not the published file"
        )


def _range(offset: int, size: int) -> str:
    return f"bytes {offset}-{size - 1}/{size}"


def _validator(response: httpx.Response) -> str | None:
    etag = response.headers.get("etag", "")
    # a weak ETag promises the same meaning, not the same bytes (RFC 9110, 13.1.5)
    strong: str = etag if etag.startswith('"') else response.headers.get("last-modified", "")
    return strong or None


def _retry_after(response: httpx.Response) -> float:
    asked = response.headers.get("retry-after", "")
    return float(asked) if asked.isascii() and asked.isdigit() else 0.0


def _shown(url: str) -> str:
    """The address without a password or a signed query."""
    return str(httpx.URL(url).copy_with(userinfo=b"", query=None))


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
