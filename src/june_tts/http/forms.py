"""Uploads are as strict as JSON bodies: nothing that a form carries is silently left out."""

from collections import Counter

from fastapi import params
from fastapi.routing import APIRoute
from starlette.datastructures import UploadFile
from starlette.requests import Request

from june_tts.errors import InvalidRequest
from june_tts.http.errors import UnsupportedMediaType, sent_type


async def checked_form(request: Request) -> None:
    """A route's dependency, run before the route's own fields are read.

    Raises:
        UnsupportedMediaType: the body is no multipart form.
        InvalidRequest: a field is unknown, sent twice, a file where text is expected or the reverse.
    """
    sent = sent_type(request)
    if sent != "multipart/form-data":
        raise UnsupportedMediaType(f"Content-Type is {sent[:80] or 'none'!r}: expected multipart/form-data")
    route: APIRoute = request.scope["route"]
    files = {field.alias: isinstance(field.field_info, params.File) for field in route.dependant.body_params}
    pairs = (await request.form()).multi_items()
    for name, value in pairs:
        if name not in files:
            fields = ", ".join(files)
            raise _refusal(name, f"is not a field of this form: expected {fields}")
        if isinstance(value, UploadFile) != files[name]:
            wrong, right = ("text", "a file with a filename") if files[name] else ("a file", "text")
            raise _refusal(name, f"is {wrong}: expected {right}")
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise _refusal(name, f"was sent {times} times: expected once")


def _refusal(name: str, reason: str) -> InvalidRequest:
    # a field's name may be half a megabyte, and may have halves of surrogate pairs in it
    shown = ascii(name[:60])[1:-1]
    return InvalidRequest(f"{shown} {reason}", param=shown)
