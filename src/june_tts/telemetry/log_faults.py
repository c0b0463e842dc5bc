"""Tracebacks as they are logged: where and what kind, without the words of an exception.

Those of a library may repeat its input, and so what a user wrote: `KeyError('their word')`.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from traceback import TracebackException
from types import TracebackType

import structlog
from structlog.typing import EventDict, WrappedLogger

from june_tts.errors import JuneError

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def told(error: BaseException) -> str:
    """The traceback of an error and of those behind it; messages of our own errors alone."""
    return "".join(_lines(TracebackException.from_exception(error), error)).rstrip()


def _lines(trace: TracebackException, error: BaseException) -> list[str]:
    before: list[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    behind = trace.__cause__ or trace.__context__
    if cause is not None and behind is not None:
        before = [*_lines(behind, cause), "\nwhich led to:\n"]
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    message = f": {error.code}" if isinstance(error, JuneError) else ""
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    within = [line for one in inner for line in _lines(TracebackException.from_exception(one), one)]
    return [*before, *trace.stack.format(), f"{name}{message}\n", *within]


def wordless(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A processor of structlog: `exc_info` to `exception`."""
    given = event.pop("exc_info", None)
    error = sys.exception() if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = told(error)
    return event


class PlainLines(logging.Formatter):
    """What libraries log, for people."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def formatException(self, ei: ExcInfo) -> str:
        return told(ei[1]) if ei[1] is not None else ""


class JsonLines(PlainLines):
    """The same for machines, with the fields of the request that it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            **structlog.contextvars.get_contextvars(),
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = told(record.exc_info[1])
        return json.dumps(fields, default=str)
