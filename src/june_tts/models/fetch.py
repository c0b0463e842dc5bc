"""Fetching one published file over HTTP: resumed where it was cut off, checked before it is used."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from june_tts.errors import ModelUnavailable
from june_tts.models.part import Part
from june_tts.models.verified import Published, is_verified
from june_tts.models.web import Patience, Trusted, TryAgain, Web, check_address, without_secrets

Progress = Callable[[int], object]
"""Told the bytes that are on disk so far; may go back where a server makes the download start over."""

_BLOCK = 1 << 16
_WORTH = 1 << 20
"""An attempt that brought this many bytes does not count as a failed one."""
_SPARE_BYTES = 16 << 20
"""Left free on the disk, for the database and the logs."""


class Fetcher:
    """Fetches files, one at a time. Safe beside other processes that fetch the same ones."""

    def __init__(
        self,
        patience: Patience | None = None,
        *,
        trusted: Trusted | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._patience = patience or Patience()
        self._free_bytes = free_bytes
        self.web = Web(self._patience, trusted=trusted, transport=transport, sleep=sleep)

    def close(self) -> None:
        self.web.close()

    def fetch(self, url: str, target: Path, published: Published, progress: Progress | None = None) -> None:
        """Have the file at `target`, whole and checked; returns at once where it is there already.

        Interrupted at any moment it leaves `<target>.part`, which the next call goes on with.

        Raises:
            InvalidRequest: the address is not http or https.
            ModelUnavailable: it cannot be fetched or is not the published file; the message says why.
        """
        check_address(url)
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
        actual = part.sha256()
        if resumed and actual != part.published.sha256:
            # the first half may have come from another version of the file
            part.drop()
            self._download(url, part, progress)
            actual = part.sha256()
        if actual != part.published.sha256:
            part.drop()
            wrong = f"SHA-256 is {actual}, expected {part.published.sha256}"
            raise ModelUnavailable(f"{without_secrets(url)}: {wrong}; the file was removed")
        part.finish()

    def _download(self, url: str, part: Part, progress: Progress) -> None:
        failures, furthest = 0, part.offset()
        while part.offset() < part.published.size:
            missing = part.published.size - part.offset()
            self.check_space(part.path.parent, missing, part.published.name)
            try:
                self._attempt(url, part, progress)
            except (TryAgain, httpx.TransportError) as bad:
                # against the furthest ever, so that a server that makes us start over cannot keep us for ever
                failures = 0 if part.offset() - furthest >= _WORTH else failures + 1
                furthest = max(furthest, part.offset())
                self.web.wait(url, failures, bad)

    def check_space(self, folder: Path, missing: int, what: str) -> None:
        """Raises: ModelUnavailable, where `folder` has no room for so many bytes more."""
        needed = missing + _SPARE_BYTES
        free = self._free_bytes(folder)
        if free < needed:
            raise ModelUnavailable(f"{folder}: {_mib(needed)} needed for {what}, {_mib(free)} free")

    def _attempt(self, url: str, part: Part, progress: Progress) -> None:
        offset = part.offset()
        headers = {"range": f"bytes={offset}-"} if offset else {}
        validator = part.validator()
        if offset and validator:
            headers["if-range"] = validator
        with self.web.open(url, headers) as response:
            offset = self._accept(response, part, offset, url)
            _write(response, part, offset, progress)
        if part.offset() < part.published.size:
            raise TryAgain(f"it ended after {part.offset()} of {part.published.size} bytes")

    def _accept(self, response: httpx.Response, part: Part, offset: int, url: str) -> int:
        """Where in the file this response's body goes."""
        status = response.status_code
        if status == httpx.codes.PARTIAL_CONTENT:
            if response.headers.get("content-range", "") == _range(offset, part.published.size):
                return offset
            part.drop()
            raise TryAgain(f"it answered with another range than the one from byte {offset}")
        if status == httpx.codes.OK:
            _check_length(response, part.published, url)
            part.begin(_validator(response))
            return 0
        if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            part.drop()
            raise TryAgain("it has no such range")
        raise self.web.refuse(response, url, f"the file {part.published.name}")


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
        offered = f"offers {length} bytes, expected {published.size}: not the published file"
        raise ModelUnavailable(f"{without_secrets(url)}: {offered}")


def _range(offset: int, size: int) -> str:
    return f"bytes {offset}-{size - 1}/{size}"


def _validator(response: httpx.Response) -> str | None:
    etag = response.headers.get("etag", "")
    # a weak ETag promises the same meaning, not the same bytes (RFC 9110, 13.1.5)
    strong: str = etag if etag.startswith('"') else response.headers.get("last-modified", "")
    return strong or None


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"
