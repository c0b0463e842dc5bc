"""Getting bytes over HTTP: redirects by hand, a token for one server alone, failures told apart."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from june_tts.errors import InvalidRequest, ModelUnavailable

_BLOCK = 1 << 16
_MAX_REDIRECTS = 10
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class TryAgain(Exception):
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


@dataclass(frozen=True, slots=True)
class Trusted:
    """The one server that may see a token, and what its refusals mean."""

    url: str
    """Any address on it: scheme, host and port count."""
    explain: Callable[[int, Mapping[str, str]], str | None]
    """From a status and its headers to words for people; None where there is nothing to add."""
    token: str | None = field(default=None, repr=False)


class Web:
    """An HTTP client. `close` it after the last call."""

    def __init__(
        self,
        patience: Patience,
        *,
        trusted: Trusted | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._patience = patience
        self._trusted = trusted
        self._sleep = sleep
        timeout = httpx.Timeout(patience.read_timeout, connect=patience.connect_timeout)
        # identity: sizes and ranges must be those of the file itself
        headers = {"accept-encoding": "identity", "user-agent": "june-tts"}
        self._client = httpx.Client(transport=transport, timeout=timeout, headers=headers)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """The response after redirects, none of which may leave https.

        Raises:
            ModelUnavailable: it redirects in a circle, or away from https.
            httpx.TransportError: the connection failed.
        """
        here = httpx.URL(url)
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._client.send(self._request(here, headers), stream=True)
            try:
                if response.next_request is None:
                    yield response
                    return
            finally:
                response.close()
            there = response.next_request.url
            if here.scheme == "https" and there.scheme != "https":
                raise ModelUnavailable(f"{without_secrets(url)}: redirected away from https")
            here = there
        raise ModelUnavailable(f"{without_secrets(url)}: more than {_MAX_REDIRECTS} redirects")

    def read(self, url: str, most_bytes: int) -> bytes:
        """A small document, whole.

        Raises:
            ModelUnavailable: it cannot be fetched, or is larger than `most_bytes`.
        """
        failures = 0
        while True:
            try:
                return self._read(url, most_bytes)
            except (TryAgain, httpx.TransportError) as bad:
                failures += 1
                self.wait(url, failures, bad)

    def wait(self, url: str, failures: int, bad: Exception) -> None:
        """Sleep before the next attempt, as long as the server asked for.

        Raises:
            ModelUnavailable: `failures` were enough.
        """
        if failures >= self._patience.attempts:
            reason = str(bad) or type(bad).__name__
            raise ModelUnavailable(
                f"{without_secrets(url)}: {reason}; gave up after {failures} attempts, run it again to go on"
            ) from bad
        asked = bad.after if isinstance(bad, TryAgain) else 0.0
        backoff = self._patience.backoff * 2 ** max(0, failures - 1)
        self._sleep(min(max(backoff, asked), self._patience.longest_wait))

    def refuse(self, response: httpx.Response, url: str, expected: str) -> Exception:
        """What to raise for a response of an unwanted status: TryAgain or ModelUnavailable."""
        status = response.status_code
        if status in _TRANSIENT:
            return TryAgain(f"HTTP {status}", _retry_after(response))
        words = None
        # a file store's 403 is about a signed address, the hub's about a licence: only the hub's is explained
        if self._trusted and _same_origin(response.request.url, httpx.URL(self._trusted.url)):
            words = self._trusted.explain(status, response.headers)
        return ModelUnavailable(f"{without_secrets(url)}: HTTP {status}, {words or f'expected {expected}'}")

    def _request(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Request:
        # built anew for each redirect, so that the token is never carried along by default
        own = dict(headers)
        if self._trusted and self._trusted.token and _same_origin(url, httpx.URL(self._trusted.url)):
            own["authorization"] = f"Bearer {self._trusted.token}"
        return self._client.build_request("GET", url, headers=own)

    def _read(self, url: str, most_bytes: int) -> bytes:
        with self.open(url, {}) as response:
            if response.status_code != httpx.codes.OK:
                raise self.refuse(response, url, "a document")
            found = bytearray()
            for block in response.iter_raw(_BLOCK):
                found += block
                if len(found) > most_bytes:
                    raise ModelUnavailable(f"{without_secrets(url)}: more than {most_bytes} bytes")
            return bytes(found)


def check_address(url: str, param: str = "from") -> None:
    """Raises: InvalidRequest, where an address is not http or https."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as bad:
        raise InvalidRequest(f"{url!r}: no address ({bad})", param=param) from bad
    if parsed.scheme not in ("https", "http") or not parsed.host:
        raise InvalidRequest(f"{url!r}: expected an address with https:// or http://", param=param)


def without_secrets(url: str) -> str:
    """The address without a password or a signed query."""
    return str(httpx.URL(url).copy_with(userinfo=b"", query=None))


def _same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return _origin(one) == _origin(other)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"https": 443, "http": 80}.get(url.scheme)


def _retry_after(response: httpx.Response) -> float:
    asked = response.headers.get("retry-after", "")
    return float(asked) if asked.isascii() and asked.isdigit() else 0.0
