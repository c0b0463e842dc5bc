"""What is said on the socket: ElevenLabs' `multi-stream-input`, whose replies carry times."""

from typing import Any
from urllib.parse import quote, urlencode

from .options import Options

IDLE_SECONDS = 180
"""How long the server is asked to keep a socket on which nothing is said; the longest that it grants."""


def socket_url(options: Options) -> str:
    query = {"output_format": f"pcm_{options.sample_rate}", "inactivity_timeout": IDLE_SECONDS}
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


def ending(context: str) -> dict[str, Any]:
    """No more text; the turn ends when all of it was spoken."""
    return {"context_id": context, "close_context": True}


def cancel(context: str) -> dict[str, Any]:
    """Stop speaking, and forget what is left of the text."""
    return {"context_id": context, "cancel": True}
