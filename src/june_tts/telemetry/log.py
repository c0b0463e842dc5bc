"""Structured logs on stderr: a static message plus fields, never what a user wrote."""

import logging
import sys

import structlog

from june_tts.telemetry.log_faults import JsonLines, PlainLines, wordless


def configure(level: str, style: str) -> None:
    """Set up once, at the start of a command. `style` is `console` or `json`."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            wordless,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # looked up at every line: whoever redirects stderr (a test, a daemon) gets what comes after
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # libraries log through the standard module, and only what goes wrong
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(JsonLines() if style == "json" else PlainLines())
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[lines])
    # a form that is broken is its sender's fault, who is told; a flood of them must not fill the log
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
