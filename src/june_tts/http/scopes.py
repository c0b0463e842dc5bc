"""Which route asks for which scope of a key. A route that is not here fails a test."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from june_tts.types import Scope

Asked = Scope | Literal["any", "open"]
"""`any`: a key, whatever its scopes; `open`: none."""

PROTECTED = ("/api/", "/v1/", "/v2/", "/model", "/wallet/", "/stats")
"""Below these a key is asked for also where no route is: without one, nobody learns what there is."""

_ROUTES: Mapping[Asked, Iterable[str]] = {
    "speak": (
        "POST /v1/audio/speech",
        "POST /api/tts/synthesize",
        "POST /api/tts/stop",
        "GET /api/tts/utterances/{utterance_id}",
        "POST /v1/batch",
        "POST /v1/jobs",
        "GET /v1/jobs",
        "GET /v1/jobs/{job_id}",
        "DELETE /v1/jobs/{job_id}",
        "POST /v1/jobs/{job_id}/cancel",
        "GET /v1/jobs/{job_id}/audio",
        "POST /v1/tts",
        "POST /v1/tts/stream/with-timestamp",
        "SOCKET /v1/tts/live",
        "POST /v1/vqgan/encode",
        "POST /v1/vqgan/decode",
        "POST /v1/text-to-speech/{voice_id}",
        "POST /v1/text-to-speech/{voice_id}/stream",
        "POST /v1/text-to-speech/{voice_id}/with-timestamps",
        "POST /v1/text-to-speech/{voice_id}/stream/with-timestamps",
        "SOCKET /v1/text-to-speech/{voice_id}/stream-input",
        "SOCKET /v1/text-to-speech/{voice_id}/multi-stream-input",
    ),
    "voices": (
        "POST /api/voices/clone",
        "DELETE /api/voices/{voice_id}",
        # what somebody sounds like, not only that they are there
        "GET /api/voices/{voice_id}/audio",
        "POST /v1/audio/voices",
        "DELETE /v1/audio/voices/{voice_id}",
        "POST /v1/references/add",
        "DELETE /v1/references/delete",
        "POST /v1/references/update",
        "POST /model",
        "PATCH /model/{voice_id}",
        "DELETE /model/{voice_id}",
    ),
    "admin": (
        "GET /api/admin/keys",
        "POST /api/admin/keys",
        "GET /api/admin/keys/{key_id}",
        "PATCH /api/admin/keys/{key_id}",
        "DELETE /api/admin/keys/{key_id}",
        "GET /api/admin/audit",
    ),
    # whoever may speak has to find a voice, and so has whoever may change them
    "any": (
        "GET /api/voices",
        "GET /api/voices/{voice_id}",
        "GET /v1/audio/voices",
        "GET /v1/models",
        "GET /v1/models/{model}",
        "GET /v1/voices",
        "GET /v1/voices/{voice_id}",
        "GET /v2/voices",
        "GET /v1/references/list",
        "GET /v1/health",
        "POST /v1/health",
        "GET /model",
        "GET /model/{voice_id}",
        "GET /model/{voice_id}/cover",
        "GET /wallet/self/api-credit",
        "GET /wallet/self/package",
        "GET /stats",
    ),
    "open": (
        "GET /",
        "GET /static",
        "GET /docs",
        "GET /docs/oauth2-redirect",
        "GET /openapi.json",
        "GET /static-offline-docs",
        "GET /health",
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
    ),
}
SCOPES_OF: Mapping[str, Asked] = {route: asked for asked, routes in _ROUTES.items() for route in routes}
"""`POST /v1/audio/speech` to what it asks for."""

_EXACT = {route: asked for route, asked in SCOPES_OF.items() if "{" not in route}
_PATTERNS = tuple(
    (re.compile(re.sub(r"\{\w+\}", "[^/]+", route)), asked)
    for route, asked in SCOPES_OF.items()
    if "{" in route
)


def asked(method: str, path: str) -> Asked:
    """What a request asks for; `any` for paths below PROTECTED that nobody has, `open` for others.

    Args:
        method: `SOCKET` for a WebSocket's handshake.
    """
    # routes match a path with a newline at its end as well: `$` does, and so does a parameter
    written = f"{method} {path}"
    called = written.removesuffix("\n")
    if found := _EXACT.get(called):
        return found
    if path.startswith(PROTECTED):
        for pattern, wanted in _PATTERNS:
            if pattern.fullmatch(written) or pattern.fullmatch(called):
                return wanted
    # a slash too many is answered with the way to the path without it
    return _EXACT.get(called.rstrip("/")) or ("any" if path.startswith(PROTECTED) else "open")
