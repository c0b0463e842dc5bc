"""Answers a request that was answered from the phrases before, without reading it again.

What a body asks for depends on its bytes alone, so it is read once: its digest is kept with what it was found
to ask for. Whether that can be had now is asked anew each time, of the same parts as ever (the voice, the
limits, the caller's share); where the answer is no, or the phrase is gone, the request goes the usual way.
"""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from june_tts.errors import JuneError
from june_tts.http.errors import error_response
from june_tts.http.phrase_response import Recipe
from june_tts.http.services import Services

PATHS = ("/v1/audio/speech", "/api/tts/synthesize")
"""Whose answer depends on nothing of a request but the body and its type."""
MOST_KNOWN = 4096
"""Bodies, at about 1 KB each."""
MOST_BODY_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class _Known:
    recipe: Recipe
    endpoint: Any
    route: Any
    """Where the request was answered, for metrics and traces."""


class Shortcut:
    """The innermost middleware: ids, access, terms and the body's limits have been seen to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in PATHS or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        message = await receive()
        if not _whole(message):
            await self._app(scope, _before(message, receive), send)
            return
        digest = _digest(scope, message["body"])
        known = self._known.get(digest)
        if known is None or not await self._answered(known, scope, receive, send):
            await self._app(scope, _before(message, receive), send)
            self._learn(digest, scope)
        else:
            self._known.move_to_end(digest)

    async def _answered(self, known: _Known, scope: Scope, receive: Receive, send: Send) -> bool:
        given: Services = scope["app"].state.services
        recipe, phrases = known.recipe, given.phrases
        found = await phrases.at_hand(recipe.order)
        if found.phrase is None or found.settled is None or found.settled.able.engine != recipe.engine:
            return False
        scope["endpoint"], scope["route"] = known.endpoint, known.route
        try:
            phrase = await phrases.recall(scope["state"]["request_id"], recipe.order, found)
        except JuneError as refusal:
            await error_response(scope["path"], refusal)(scope, receive, send)
            return True
        await (await recipe.response(phrase, given.stall_seconds))(scope, receive, send)
        return True

    def _learn(self, digest: bytes, scope: Scope) -> None:
        recipe = scope["state"].pop("recipe", None)
        if recipe is None:
            return
        self._known[digest] = _Known(recipe, scope.get("endpoint"), scope.get("route"))
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


def _whole(message: Message) -> bool:
    body = message.get("body", b"")
    return message["type"] == "http.request" and not message.get("more_body") and len(body) <= MOST_BODY_BYTES


def _digest(scope: Scope, body: bytes) -> bytes:
    """SHA-256 of all that the routes read of a request."""
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    return sha256(repr((scope["path"], types)).encode() + b"\n" + body).digest()


def _before(message: Message, receive: Receive) -> Receive:
    waiting = [message]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
