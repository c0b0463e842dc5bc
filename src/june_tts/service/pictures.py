"""Pictures of voices: which files are taken for one. They are kept and handed out, never decoded here."""

from june_tts.errors import InvalidRequest
from june_tts.types import Picture

MOST_BYTES = 4 << 20
_SIGNS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def checked_picture(data: bytes) -> Picture:
    """By its first bytes, whatever a client calls it: an SVG or a page of HTML could carry a script.

    Raises:
        InvalidRequest: it is no picture, or too large.
    """
    if len(data) > MOST_BYTES:
        raise _refusal(f"has {len(data)} bytes: expected {MOST_BYTES} at most")
    kind = next((kind for sign, kind in _SIGNS if data.startswith(sign)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "image/webp"
    if kind is None:
        raise _refusal(f"has {len(data)} bytes that are no picture: expected PNG, JPEG, GIF or WebP")
    return Picture(kind, data)


def _refusal(reason: str) -> InvalidRequest:
    return InvalidRequest(f"cover_image {reason}", param="cover_image")
