"""Sends one request and listens to its answer."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import aiohttp

from june_tts.load.listener import Listener
from june_tts.load.outcome import Outcome
from june_tts.load.target import Target
from june_tts.load.wav import NotAudio

_DETAIL_CHARS = 200


class _Refused(Exception):
    """The server answered with something else than speech. Never leaves this file."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Client:
    """Connections to one target, kept open between requests. Use it as an async context manager.

    Args:
        timeout: seconds after which a request is given up, however much of it has arrived.
        clock: seconds that only grow.
    """

    def __init__(
        self, target: Target, *, timeout: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.clock = clock
        self._target = target
        self._timeout = timeout
        self._headers = target.headers()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # measured on two cores, first audio of 8 at once: 8 ms of it the client's own, 51 ms with httpx.
        # no proxy from the environment either: it would be measured along
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def speak(self, text: str, due: float | None = None) -> Outcome:
        """Ask for one text and hear it to its end. Failures are outcomes; only cancelling raises.

        Args:
            due: when the request should have begun; None: now.
        """
        sent = self.clock()
        due = sent if due is None else due
        listener = Listener(self._target.counter())
        failure = await self._listen(text, listener)
        kind, detail = failure or (None, None)
        return Outcome(
            chars=len(text),
            begun=due,
            ended=self.clock(),
            send_lag=max(0.0, sent - due),
            error=kind,
            detail=detail,
            ttfa=None if listener.first_at is None else listener.first_at - due,
            audio_seconds=listener.audio_seconds,
            gaps=tuple(listener.gaps),
            underruns=listener.underruns,
            dry=listener.dry,
        )

    async def _listen(self, text: str, listener: Listener) -> tuple[str, str] | None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._receive(text, listener)
        except TimeoutError:
            return "timeout", f"no end after {self._timeout:g} s"
        except _Refused as refused:
            return refused.kind, str(refused)
        except NotAudio as bad:
            return "not audio", str(bad)
        except aiohttp.ClientConnectorError as bad:
            return "connect", _short(str(bad))
        except aiohttp.ClientError as bad:
            return "broken", _short(str(bad) or type(bad).__name__)
        return None if listener.first_at is not None else ("no audio", "the answer held no audio")

    async def _receive(self, text: str, listener: Listener) -> None:
        if self._session is None:
            raise RuntimeError("enter the client first: async with Client(…) as client")
        url, body = self._target.endpoint, self._target.body(text)
        async with self._session.post(url, json=body, headers=self._headers, allow_redirects=False) as answer:
            await _check(answer)
            async for data in answer.content.iter_any():
                listener.feed(self.clock(), data)


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status != 200:
        raise _Refused(f"http {answer.status}", await _first_words(answer))
    kind = answer.headers.get("content-type", "")
    # Piper's server labels its WAV text/html, so only what is surely no audio is refused
    if kind.startswith(("application/json", "text/event-stream")):
        raise _Refused("not audio", f"content-type {_short(kind)}")


async def _first_words(answer: aiohttp.ClientResponse) -> str:
    data = await answer.content.read(4 * _DETAIL_CHARS)
    return _short(data.decode("utf-8", "replace"))


def _short(text: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(line.split())[:_DETAIL_CHARS]
