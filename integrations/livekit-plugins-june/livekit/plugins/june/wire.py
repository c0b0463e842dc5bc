"""What is said on the socket: ElevenLabs' `multi-stream-input`, whose replies carry times."""

from typing import Any
from urllib.parse import quote, urlencode

from .options import Options

QUIET_SECONDS = 600
"""How long a turn may pause before the server takes it to be over."""


def socket_url(options: Options) -> str:
    query = {
        "output_format": f"pcm_{options.sample_rate}",
        "inactivity_timeout": QUIET_SECONDS,
        # times count from the turn's first sample, not from each reply's
        "sync_alignment": "true",
    }
    if options.language:
        query["language_code"] = options.language
    path = f"/v1/text-to-speech/{quote(options.voice_id, safe='')}/multi-stream-input"
    return "ws" + options.url(f"{path}?{urlencode(query)}").removeprefix("http")


def opening(context: str, options: Options) -> dict[str, Any]:
    """Begins a turn."""
    return {"context_id": context, "text": " ", "voice_settings": {"speed": options.speed}}


def more(context: str, text: str) -> dict[str, Any]:
    """A piece of text as the language model wrote it: the server finds the clauses."""
    return {"context_id": context, "text": text}


def flush(context: str) -> dict[str, Any]:
    """Speak what is there now."""
    return {"context_id": context, "text": "", "flush": True}


def closing(context: str) -> dict[str, Any]:
    """The turn ends when what was flushed is spoken; at once where nothing was, or when closed twice."""
    return {"context_id": context, "close_context": True}
