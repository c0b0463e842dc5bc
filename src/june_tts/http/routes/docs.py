"""What the OpenAPI document says of replies that are audio or refusals."""

from typing import Any

from june_tts.audio.formats import MEDIA_TYPES

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_EVENT = {
    "type": "object",
    "description": "One event; its data is JSON with a `type` and, in deltas, `audio` in base64",
    "properties": {"data": {"type": "string", "contentMediaType": "application/json"}},
    "required": ["data"],
}

AUDIO_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Audio, sent while it is being made",
        "content": {
            **{media: _BINARY for media in MEDIA_TYPES.values()},
            "text/event-stream": {"schema": _EVENT},
        },
    }
}

_UTTERANCE = {
    "type": "object",
    "description": "How an utterance in a room is, or how it ended",
    "properties": {
        "status": {"enum": ["success", "queued", "speaking", "stopped"]},
        "mode": {"const": "livekit"},
        **{name: {"type": "string"} for name in ("utterance_id", "room_name", "voice_id")},
        "priority": {"type": "integer"},
        "state": {"enum": ["queued", "speaking", "done", "stopped"]},
        "heard_seconds": {"type": "number"},
        "total_time_ms": {"type": "number"},
        "error": {"type": "null"},
    },
}
_UTTERANCE_REPLY = {"application/json": {"schema": _UTTERANCE}}

SYNTHESIZE_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Audio, sent while it is being made; with `room_name`, how the utterance ended",
        "content": {**AUDIO_REPLY[200]["content"], **_UTTERANCE_REPLY},
    },
    202: {"description": "Accepted, where `wait` is false", "content": _UTTERANCE_REPLY},
}

PICTURE_REPLY: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture, as uploaded", "content": {"image/*": _BINARY}}
}

MSGPACK_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A map, as msgpack",
        "content": {"application/msgpack": {"schema": _BINARY["schema"]}},
    }
}

_SECONDS = {"type": "array", "items": {"type": "number"}}
_ALIGNMENT = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "characters": {"type": "array", "items": {"type": "string"}},
                "character_start_times_seconds": _SECONDS,
                "character_end_times_seconds": _SECONDS,
            },
        },
        {"type": "null"},
    ]
}
_TIMED = {
    "type": "object",
    "properties": {
        "audio_base64": {"type": "string", "contentEncoding": "base64"},
        "alignment": _ALIGNMENT,
        "normalized_alignment": _ALIGNMENT,
    },
    "required": ["audio_base64", "alignment", "normalized_alignment"],
}

TIMED_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Audio, and when each character is heard",
        "content": {"application/json": {"schema": _TIMED}},
    }
}

NDJSON_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The same, a line of JSON for each stretch of audio, sent while it is being made",
        "content": {"application/x-ndjson": {"schema": _BINARY["schema"]}},
    }
}

BATCH_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The items as they end: a line of JSON, or a part, for each, and a last one that "
        "counts them",
        "content": {
            "application/x-ndjson": {"schema": _BINARY["schema"]},
            "multipart/mixed": {"schema": _BINARY["schema"]},
        },
    }
}

_JOB_FAILURE = {
    "anyOf": [
        {"type": "object", "properties": {name: {} for name in ("code", "message", "param", "retryable")}},
        {"type": "null"},
    ]
}
_JOB = {
    "type": "object",
    "description": "A job, and how far it has come",
    "properties": {
        **{name: {"type": "string"} for name in ("id", "voice_id", "audio_format", "created_at")},
        "state": {"enum": ["queued", "running", "done", "failed", "cancelled"]},
        **{name: {"type": ["string", "null"]} for name in ("title", "started_at", "ended_at", "kept_until")},
        **{name: {"type": "integer"} for name in ("characters", "characters_spoken", "pieces")},
        **{name: {"type": ["integer", "null"]} for name in ("sample_rate", "audio_bytes")},
        **{name: {"type": "number"} for name in ("progress", "audio_duration_seconds")},
        "error": _JOB_FAILURE,
    },
}
_JOB_CONTENT = {"application/json": {"schema": _JOB}}

JOB_REPLY: dict[int | str, dict[str, Any]] = {200: {"description": "The job", "content": _JOB_CONTENT}}
MADE_JOB: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "It is kept, and spoken when its turn comes",
        "content": _JOB_CONTENT,
        "headers": {"Location": {"schema": {"type": "string"}, "description": "Where to ask for it"}},
    }
}
_STORED = {media: _BINARY for media in MEDIA_TYPES.values()}
JOB_AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"description": "The audio", "content": _STORED},
    206: {"description": "The bytes that `Range` asks for", "content": _STORED},
    304: {"description": "The client has it already: `If-None-Match`"},
}

_SNAPSHOT = {
    "type": "object",
    "description": "One event; its data is JSON with `audio_base64`, `content`, `chunk_seq`, "
    "`chunk_audio_offset_sec` and `alignment`",
    "properties": {"data": {"type": "string", "contentMediaType": "application/json"}},
    "required": ["data"],
}

EVENTS_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Audio in base64 and the times of the words so far, sent while it is being made",
        "content": {"text/event-stream": {"schema": _SNAPSHOT}},
    }
}

_MEANINGS = {
    400: "A field is not valid; the error names it, its value and what was expected",
    401: "The API key is missing or wrong",
    403: "The API key lacks a scope, or a built-in voice cannot be changed",
    404: "No such voice, model or utterance",
    405: "The path has no such method; see `Allow`",
    408: "The body did not arrive in time",
    409: "The id is taken, or there is no audio yet",
    413: "The text or the body is too large",
    416: "The audio does not have these bytes",
    415: "The content type is not the one expected",
    422: "The engine of this voice cannot do what was asked",
    429: "A rate or a quota of the API key is used up; see `Retry-After`",
    500: "A fault of june-tts; its log says more",
    502: "The engine failed; trying again may help",
    503: "Busy, stopping, not configured, or LiveKit cannot be reached; see `Retry-After`",
}

_TEXT = {"type": "string"}
_MAYBE = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def _error(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


_JUNE = _error(
    {
        "error": _error({"code": _TEXT, "message": _TEXT, "param": _MAYBE, "retryable": {"type": "boolean"}}),
        "detail": _TEXT,
    }
)
_OPENAI = _error({"error": _error({"message": _TEXT, "type": _TEXT, "param": _MAYBE, "code": _TEXT})})
_NUMBER = {"type": "integer"}
_FISH = _error(
    {
        **{"statusCode": _NUMBER, "message": _TEXT, "error": _TEXT},
        **{"status": _NUMBER, "detail": _TEXT, "reason": _TEXT},
    }
)
_ELEVENLABS = _error({"detail": _error({"status": _TEXT, "message": _TEXT, "param": _MAYBE})})

_ANYWHERE = (401, 405, 500)
SPEECH = (400, 404, 408, 413, 415, 422, 502, 503)
BATCH = (400, 408, 413, 415, 503)
JOB = (400, 404, 408, 413, 415, 422, 503)
UPLOAD = (400, 408, 409, 413, 415, 503)
STOP = (400, 404, 408, 413, 415, 503)
REMOVAL = (403, 404, 408, 413, 503)


def june_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route of June's API, by status, beside those that any route has."""
    return _refusals(_JUNE, statuses)


def openai_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same in the shape that OpenAI's clients read."""
    return _refusals(_OPENAI, statuses)


def fish_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same in the shape that Fish's clients read; a field that is not valid is 422 there."""
    return _refusals(_FISH, (*statuses, 422))


def elevenlabs_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same in the shape that ElevenLabs' clients read."""
    return _refusals(_ELEVENLABS, statuses)


def _refusals(schema: dict[str, Any], statuses: tuple[int, ...]) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"schema": schema}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in sorted({*_ANYWHERE, *statuses})
    }
