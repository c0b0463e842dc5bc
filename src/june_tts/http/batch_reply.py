"""A batch's results on the wire, one after the other: lines of JSON, or parts of a MIME message."""

import base64
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from june_tts.audio.formats import MEDIA_TYPES
from june_tts.http.errors import STATUS, error_object
from june_tts.service.batch import BatchResult

NDJSON = "application/x-ndjson"
MULTIPART = "multipart/mixed"
SLICE_BYTES = 3 << 18
"""Of audio, sent at a time; a multiple of 3, so that base64 has no padding inside."""

Results = AsyncGenerator[BatchResult, None]


def wants_parts(accept: str) -> bool:
    """Whether a client that accepts this prefers multipart/mixed; lines are for whoever says nothing."""
    best, parts = 0.0, False
    for choice in accept.lower().split(","):
        media, _, rest = choice.partition(";")
        weight = _weight(rest)
        if media.strip() in (NDJSON, MULTIPART) and weight > best:
            best, parts = weight, media.strip() == MULTIPART
    return parts


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


async def lines(results: Results) -> AsyncGenerator[bytes, None]:
    """An object a line: one for each item, then one that counts them."""
    counts = _Counts()
    async with aclosing(results):
        async for result in results:
            counts.add(result)
            about = json.dumps(_about(result), separators=(",", ":")).encode()
            if result.error:
                yield about + b"\n"
                continue
            yield about[:-1] + b',"audio":"'
            for data in _slices(result.audio):
                yield base64.b64encode(data)
            yield b'"}\n'
    yield json.dumps(counts.json(), separators=(",", ":")).encode() + b"\n"


async def parts(results: Results, boundary: str) -> AsyncGenerator[bytes, None]:
    """A part for each item: its audio as it is, or the error as JSON; then one that counts them."""
    counts = _Counts()
    async with aclosing(results):
        async for result in results:
            counts.add(result)
            if result.error:
                yield _head(boundary, result, "application/json")
                yield json.dumps(_about(result)).encode()
            else:
                yield _head(boundary, result, MEDIA_TYPES[result.item.format])
                for data in _slices(result.audio):
                    yield data
            yield b"\r\n"
    yield f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{json.dumps(counts.json())}\r\n".encode()
    yield f"--{boundary}--\r\n".encode()


class _Counts:
    """The last thing of a reply: without it, the reply was cut."""

    def __init__(self) -> None:
        self._succeeded = self._failed = 0

    def add(self, result: BatchResult) -> None:
        self._succeeded += result.error is None
        self._failed += result.error is not None

    def json(self) -> dict[str, Any]:
        return {"status": "complete", "succeeded": self._succeeded, "failed": self._failed}


def _about(result: BatchResult) -> dict[str, Any]:
    item = result.item
    if result.error:
        error = error_object(result.error)
        return {"id": item.id, "status": "error", "http_status": STATUS[result.error.code], "error": error}
    return {
        "id": item.id,
        "status": "success",
        "audio_format": item.format,
        "sample_rate": result.sample_rate,
        "audio_duration_seconds": round(result.seconds, 3),
    }


def _head(boundary: str, result: BatchResult, media_type: str) -> bytes:
    """An id has no character that a header could not have; the route sees to that."""
    about = _about(result)
    given = {
        "Content-Type": media_type,
        "Content-ID": f"<{result.item.id}>",
        "X-Status": about["status"],
        "X-Audio-Duration-Seconds": about.get("audio_duration_seconds"),
        "X-Sample-Rate": about.get("sample_rate"),
        "Content-Length": None if result.error else len(result.audio),
    }
    headers = [f"{name}: {value}" for name, value in given.items() if value is not None]
    return "\r\n".join([f"--{boundary}", *headers, "", ""]).encode()


def _slices(audio: bytes) -> Iterator[bytes]:
    for at in range(0, len(audio), SLICE_BYTES):
        yield audio[at : at + SLICE_BYTES]
