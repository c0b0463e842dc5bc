"""Which bytes of a file a request asks for: RFC 9110, section 14."""

import re

from june_tts.errors import RangeNotSatisfiable

_ONE = re.compile(r"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.ASCII | re.IGNORECASE)


def wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte, and the one behind the last; None where all are to be sent.

    Several ranges, other units and what is no range at all are as if nobody had asked, as the RFC allows.

    Args:
        size: of the file; more than 0.

    Raises:
        RangeNotSatisfiable: the file ends before the range begins.
    """
    found = _ONE.fullmatch(header or "")
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
        if found[2] and int(found[2]) < start:
            return None
    if start >= min(size, stop):
        raise RangeNotSatisfiable(f"Range is {header!r}: the audio has {size} bytes")
    return start, stop


def still(if_range: str | None, etag: str) -> bool:
    """Whether a range is of the same file as the parts that the client has."""
    return if_range is None or if_range.strip() == etag


def unchanged(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has the file already."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or "*" in tags
