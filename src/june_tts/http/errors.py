"""One error tree to HTTP: a status per code, and the shape that each API's clients read."""

from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

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
    "voice_exists": 409,
    "voice_read_only": 403,
    "invalid_recording": 400,
    "cannot_clone": 422,
    "unauthorized": 401,
    "overloaded": 503,
    "not_configured": 503,
    "engine_failed": 502,
    "store_unavailable": 503,
    "settings": 500,
    "model_unavailable": 503,
}

OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
OPENAI_FIELDS = {"text": "input", "voice_id": "voice", "audio_format": "response_format"}
"""Fields have June's names inside; OpenAI's clients know them by these."""


class UnsupportedMediaType(InvalidRequest):
    """The content type of the body is not the one expected."""

    code = "unsupported_media_type"


class ModelNotFound(InvalidRequest):
    """No model has this name."""

    code = "model_not_found"


def error_response(path: str, error: JuneError) -> Response:
    """The error in the shape of the API that the path belongs to."""
    status = STATUS[error.code]
    body = _openai(error, status) if path.startswith("/v1/") else _june(error)
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers)


def _june(error: JuneError) -> dict[str, Any]:
    inside = {
        "code": error.code,
        "message": str(error),
        "param": error.param,
        "retryable": error.retryable,
    }
    # `detail` is where callers of the service before this one look
    return {"error": inside, "detail": str(error)}


def _openai(error: JuneError, status: int) -> dict[str, Any]:
    kind = OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    param = OPENAI_FIELDS.get(error.param, error.param) if error.param else None
    return {"error": {"message": str(error), "type": kind, "param": param, "code": error.code}}


async def on_june_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, JuneError):
        raise error
    return error_response(request.url.path, error)


async def on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return error_response(request.url.path, _explain(request, error))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such path, wrong method, broken multipart) in the same shapes."""
    if not isinstance(error, HTTPException):
        raise error
    refusal = InvalidRequest(str(error.detail))
    response = error_response(request.url.path, refusal)
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    return response


async def on_unexpected(request: Request, _: Exception) -> Response:
    """A fault of ours; the server logs its traceback, the caller gets no more than the fact."""
    return error_response(request.url.path, JuneError("june-tts failed on this request; its log says why"))


def _explain(request: Request, error: RequestValidationError) -> JuneError:
    """The first thing wrong, by field, value and expectation. Long values are cut, text is not repeated."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    kind = first["type"]
    if kind == "json_invalid":
        return InvalidRequest(f"the body is not JSON: {first.get('ctx', {}).get('error', first['msg'])}")
    if not place and not request.headers.get("content-type", "").startswith("application/json"):
        sent = request.headers.get("content-type", "none")[:80]
        return UnsupportedMediaType(f"Content-Type is {sent!r}: expected application/json")
    name = ".".join(place) or "body"
    if kind == "missing":
        return InvalidRequest(f"{name} is missing", param=name)
    if kind == "extra_forbidden":
        return InvalidRequest(f"{name[:60]} is not a field of this request", param=name[:60])
    shown = "" if name in ("text", "input") else f" is {_short(first.get('input'))}"
    return InvalidRequest(f"{name}{shown}: {_lower(first['msg'])}", param=name)


def _short(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
