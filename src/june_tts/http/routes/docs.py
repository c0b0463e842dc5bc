"""What the OpenAPI document says of replies that are audio or refusals."""

from typing import Any

from june_tts.audio.formats import MEDIA_TYPES

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_OBJECT = {"application/json": {"schema": {"type": "object"}}}

AUDIO_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Audio, sent while it is being made",
        "content": {
            **{media: _BINARY for media in MEDIA_TYPES.values()},
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}

_MEANINGS = {
    400: "A field is not valid; the error names it, its value and what was expected",
    401: "The API key is missing or wrong",
    404: "No such voice or model",
    408: "The body did not arrive in time",
    413: "The text or the body is too large",
    415: "The content type is not the one expected",
    422: "The engine of this voice cannot do what was asked",
    502: "The engine failed; trying again may help",
    503: "Busy, stopping, or not configured; see `Retry-After`",
}

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning, "content": _OBJECT} for status, meaning in _MEANINGS.items()
}
