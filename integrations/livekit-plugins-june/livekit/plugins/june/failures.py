"""What can go wrong on the way to the server, in the framework's own errors.

The framework tries again where an error is retryable: connections, timeouts and 5xx are, and of the 4xx those
that pass (408, 429, 499).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError

MOST_ERROR_BYTES = 64 * 1024
_POLICY_VIOLATION = 1008
"""What the server closes a socket with whose request was not valid: it would not be the next time either."""


@contextmanager
def as_api_errors() -> Iterator[None]:
    """Raises the framework's errors in the place of aiohttp's.

    Nothing is chained: what aiohttp says may carry the headers, and with them the key.
    """
    try:
        yield
    except TimeoutError:
        raise APITimeoutError() from None
    except aiohttp.WSServerHandshakeError as refused:
        raise APIStatusError(
            refused.message, status_code=refused.status, request_id=_request_id(refused.headers)
        ) from None
    except aiohttp.ClientError as lost:
        raise APIConnectionError(f"june-tts cannot be reached ({type(lost).__name__})") from None
    except OSError as lost:
        raise APIConnectionError(f"june-tts cannot be reached ({lost.strerror})") from None


async def refusal(reply: aiohttp.ClientResponse) -> APIStatusError:
    """The error that a reply other than 200 stands for, in the server's own words."""
    data = b""
    async for part in reply.content.iter_any():
        data += part
        if len(data) > MOST_ERROR_BYTES:
            break
    try:
        body: Any = json.loads(data)
        message = str(body["error"]["message"])
    except (ValueError, KeyError, TypeError):
        body, message = None, reply.reason or "june-tts refused"
    return APIStatusError(message, status_code=reply.status, request_id=_request_id(reply.headers), body=body)


def spoken_error(reply: dict[str, Any]) -> APIStatusError | None:
    """The error that a reply stands for, if it does; its status is one of a WebSocket's close codes."""
    if "error" not in reply:
        return None
    code = int(reply.get("code") or 0)
    return APIStatusError(
        str(reply.get("message") or reply["error"]),
        status_code=code,
        body=reply,
        retryable=code != _POLICY_VIOLATION,
    )


def _request_id(headers: Any) -> str | None:
    return headers.get("x-request-id") if headers else None
