"""One error tree to HTTP: a status per code, and the shape that each API's clients read."""

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from june_tts.errors import InvalidRequest, JuneError

STATUS = {
    "internal": 500,
    "invalid_request": 400,
    "unsupported_parameter": 422,
    "unsupported_media_type": 415,
    "nothing_to_speak": 400,
    "text_too_long": 413,
    "body_too_large": 413,
    "body_too_slow": 408,
    "voice_not_found": 404,
    "model_not_found": 404,
    "utterance_not_found": 404,
    "job_not_found": 404,
    "job_unfinished": 409,
    "range_not_satisfiable": 416,
    "voice_exists": 409,
    "voice_read_only": 403,
    "invalid_recording": 400,
    "cannot_clone": 422,
    "unauthorized": 401,
    "forbidden": 403,
    "key_not_found": 404,
    "rate_limited": 429,
    "overloaded": 503,
    "deadline_missed": 503,
    "not_configured": 503,
    "engine_failed": 502,
    "store_unavailable": 503,
    "room_unavailable": 503,
    "settings": 500,
    "model_unavailable": 503,
}

OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
OPENAI_FIELDS = {"text": "input", "voice_id": "voice", "audio_format": "response_format"}
"""Fields have June's names inside; OpenAI's clients know them by these."""
UNION_TAGS = ("str", "VoiceRef")
"""What pydantic puts behind the name of a field that may be one of two things; no client sent it."""


FISH_PATHS = ("/v1/tts", "/v1/health", "/v1/vqgan/", "/v1/references/", "/model", "/wallet/")
FISH_STATUS = {"invalid_request": 422, "text_too_long": 400}
"""Where fish-speech has another status than STATUS."""

JUNE_PATHS = ("/v1/batch", "/v1/jobs")
"""June's own under /v1/, which otherwise has OpenAI's shape."""

ELEVENLABS_PATHS = ("/v1/text-to-speech/", "/v1/voices", "/v2/voices")
ELEVENLABS_FIELDS = {"language": "language_code"}


class UnsupportedMediaType(InvalidRequest):
    """The content type of the body is not the one expected."""

    code = "unsupported_media_type"


class ModelNotFound(InvalidRequest):
    """No model has this name."""

    code = "model_not_found"


def error_response(path: str, error: JuneError) -> Response:
    """The error in the shape of the API that the path belongs to."""
    fish = path.startswith(FISH_PATHS)
    status = FISH_STATUS.get(error.code, STATUS[error.code]) if fish else STATUS[error.code]
    return _response(path, error, status)


def _response(path: str, error: JuneError, status: int) -> Response:
    headers = {}
    if path.startswith(FISH_PATHS):
        body = _fish(error, status)
    elif path.startswith(ELEVENLABS_PATHS):
        body = elevenlabs_error(error)
    else:
        openai = path.startswith("/v1/") and not path.startswith(JUNE_PATHS)
        body = _openai(error, status) if openai else _june(error)
    if error.retry_after is not None:
        # never early: who comes back a moment too soon is refused again
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers)


def _june(error: JuneError) -> dict[str, Any]:
    # `detail` is where callers of the service before this one look
    return {"error": error_object(error), "detail": str(error)}


def error_object(error: JuneError) -> dict[str, Any]:
    """An error as June's API tells it, also of a part of a request."""
    return {
        "code": error.code,
        "message": str(error),
        "param": error.param,
        "retryable": error.retryable,
    }


def _openai(error: JuneError, status: int) -> dict[str, Any]:
    kind = OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    param = OPENAI_FIELDS.get(error.param, error.param) if error.param else None
    return {"error": {"message": str(error), "type": kind, "param": param, "code": error.code}}


def _fish(error: JuneError, status: int) -> dict[str, Any]:
    """The first three as fish-speech has them, the others as the clients of Fish's own service read them."""
    return {
        "statusCode": status,
        "message": str(error),
        "error": HTTPStatus(status).phrase,
        "status": status,
        "detail": str(error),
        "reason": error.code,
    }


def elevenlabs_error(error: JuneError) -> dict[str, Any]:
    """`status` is a word there, not a number."""
    param = ELEVENLABS_FIELDS.get(error.param, error.param) if error.param else None
    return {"detail": {"status": error.code, "message": str(error), "param": param}}


async def on_june_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, JuneError):
        raise error
    return error_response(request.scope["path"], error)


async def on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return error_response(request.scope["path"], _explain(request, error))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such path, wrong method, broken multipart) in the same shapes."""
    if not isinstance(error, HTTPException):
        raise error
    refusal, path = InvalidRequest(_detail(request, error)), request.scope["path"]
    # Fish's shape has the status in it, the others tell a kind of error by the code
    fish = path.startswith(FISH_PATHS)
    response = _response(path, refusal, error.status_code) if fish else error_response(path, refusal)
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    if error.status_code == 405 and (methods := _allowed(request)):
        response.headers["Allow"] = ", ".join(methods)
    return response


def _detail(request: Request, error: HTTPException) -> str:
    """FastAPI says "error parsing the body" of numbers with 5,000 digits, deep nesting and odd charsets."""
    if error.__cause__ is None or error.status_code != 400:
        return str(error.detail)
    kind = "a form" if sent_type(request).startswith("multipart/") else "JSON"
    return f"the body cannot be read as {kind} ({type(error.__cause__).__name__})"


def _allowed(request: Request) -> list[str]:
    """Every method that an API's path has; Starlette names those of the first route that fits."""
    routes: list[Route] = request.app.state.api_routes
    fitting = (route for route in routes if route.matches(request.scope)[0] != Match.NONE)
    return sorted({method for route in fitting for method in route.methods or ()})


async def on_unexpected(request: Request, _: Exception) -> Response:
    """A fault of ours; the server logs its traceback, the caller gets no more than the fact."""
    response = error_response(
        request.scope["path"], JuneError("june-tts failed on this request; its log says why")
    )
    # this answer is made outside of the middleware that adds it
    response.headers["x-request-id"] = request.state.request_id
    return response


def _explain(request: Request, error: RequestValidationError) -> JuneError:
    """The first thing wrong, by field, value and expectation. Long values are cut, text is not repeated."""
    first = _first(error.errors(), 2)
    top, *below = first["loc"][1:] or ("body",)
    place = [str(top), *(str(part) for part in below if part not in UNION_TAGS)]
    kind = first["type"]
    if kind == "json_invalid":
        return InvalidRequest(f"the body is not JSON: {first.get('ctx', {}).get('error', first['msg'])}")
    if len(first["loc"]) == 1 and not _is_json(sent_type(request)):
        return UnsupportedMediaType(
            f"Content-Type is {sent_type(request)[:80] or 'none'!r}: expected application/json"
        )
    return _field(first, place)


def refusal(found: ValidationError) -> InvalidRequest:
    """The first thing wrong with fields that came in a message of a socket."""
    first = _first(found.errors(), 1)
    return _field(first, [str(part) for part in first["loc"] if part not in UNION_TAGS] or ["request"])


def _field(first: Any, place: list[str]) -> InvalidRequest:
    name, param, kind = ".".join(place), place[0][:60], first["type"]
    if kind == "missing":
        return InvalidRequest(f"{name} is missing", param=param)
    if kind == "extra_forbidden":
        return InvalidRequest(f"{name[:60]} is not a field of this request", param=param)
    value = first.get("input")
    # a list or an object may have texts in it
    shown = "" if place[-1] in ("text", "input") or isinstance(value, dict | list) else f" is {_short(value)}"
    return InvalidRequest(f"{name}{shown}: {_lower(first['msg'])}", param=param)


def _first(found: Sequence[Any], top: int) -> Any:
    """Of a field that may be one of two things, what came nearest: `id is empty`, not `expected a string`.

    `top`: how many names lead to the field.
    """
    return max(
        (one for one in found if one["loc"][:top] == found[0]["loc"][:top]), key=lambda one: len(one["loc"])
    )


def sent_type(request: Request) -> str:
    """The content type without its parameters, in lower case; empty where there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def _short(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
