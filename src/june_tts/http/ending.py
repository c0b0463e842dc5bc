"""The end of what a stopping server can wait for no longer: live turns are told of it, replies are cut."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from june_tts.http.errors import error_response
from june_tts.service.admission import stopping

log = structlog.get_logger(__name__)


class Ending:
    """One for a server. `end` is called once; every turn that is open then, or opens later, times out."""

    def __init__(self) -> None:
        self.come = False
        self._open: set[asyncio.Timeout] = set()

    @property
    def open(self) -> int:
        """Turns that have begun and not ended."""
        return len(self._open)

    @contextmanager
    def during(self, limit: asyncio.Timeout) -> Iterator[None]:
        """A turn, and the timeout that it has anyway. For code within that timeout."""
        if self.come:
            limit.reschedule(0.0)
        self._open.add(limit)
        try:
            yield
        finally:
            self._open.discard(limit)

    def end(self) -> None:
        self.come = True
        for limit in self._open:
            if not limit.expired():
                limit.reschedule(0.0)


class Cut:
    """What is cancelled because the server ends is no fault that needs a traceback.

    A reply that has begun is cut, by returning without its end; one that has not is a 503.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            log.warning("cut short", path=scope["path"], reason="the server is stopping")
            if scope["type"] == "http" and not begun:
                await error_response(scope["path"], stopping())(scope, receive, send)
