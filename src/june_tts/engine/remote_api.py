"""The two APIs that remote servers speak: what is asked, and what their voices are called."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from june_tts.types import InlineReference, Sampling, Utterance

Kind = Literal["openai", "fish"]

MOST_VOICES = 1000
MOST_NAME = 200
UNNAMED = "remote"
"""The voice of a Fish server that is asked without a reference."""


@dataclass(frozen=True, slots=True)
class Api:
    """Paths and abilities of one kind of server."""

    kind: Kind
    speech: str
    health: str
    voices: str
    raw_rate: int
    """Hz of PCM without a header."""
    parameters: frozenset[str]
    """Fields of `Sampling` that it has."""
    clones: bool


APIS: Mapping[Kind, Api] = {
    "openai": Api(
        "openai", "/v1/audio/speech", "/v1/models", "/v1/audio/voices", 24_000, frozenset(), clones=False
    ),
    "fish": Api(
        "fish",
        "/v1/tts",
        "/v1/health",
        "/v1/references/list",
        44_100,
        frozenset({"temperature", "top_p", "repetition_penalty", "seed", "max_frames"}),
        clones=True,
    ),
}


def openai_body(text: str, utterance: Utterance, model: str) -> dict[str, Any]:
    body = {"model": model, "input": text, "voice": utterance.voice.id, "response_format": "pcm"}
    return body if utterance.speed == 1.0 else body | {"speed": utterance.speed}


def fish_body(text: str, utterance: Utterance, references: tuple[InlineReference, ...]) -> dict[str, Any]:
    """Base64 where the API has bytes: JSON is read by every release, msgpack is not."""
    body: dict[str, Any] = {"text": text, "format": "wav", "streaming": True, **_sampling(utterance.sampling)}
    if references:
        body["references"] = [
            {"audio": base64.b64encode(one.audio).decode("ascii"), "text": one.text} for one in references
        ]
        # the original encodes them again for each request unless it is asked not to
        body["use_memory_cache"] = "on"
    elif utterance.voice.id != UNNAMED:
        body["reference_id"] = utterance.voice.id
    return body


def _sampling(sampling: Sampling) -> dict[str, Any]:
    names = {"max_frames": "max_new_tokens"}
    return {names.get(name, name): getattr(sampling, name) for name in sampling.given()}


def listed_voices(reply: Any) -> tuple[str, ...] | None:
    """The ids in what a server says of its voices; None where it says nothing that we understand.

    Seen: a list of names or of objects with `id` or `voice_id` or `name`, under `voices` or `data` or
    `reference_ids`, or by itself.
    """
    if isinstance(reply, dict):
        keys = ("voices", "data", "reference_ids")
        reply = next((reply[key] for key in keys if isinstance(reply.get(key), list)), None)
    if not isinstance(reply, list):
        return None
    names = (_name(entry) for entry in reply[:MOST_VOICES])
    return tuple(dict.fromkeys(name for name in names if name))


def _name(entry: Any) -> str | None:
    if isinstance(entry, dict):
        entry = next((entry[key] for key in ("id", "voice_id", "name") if entry.get(key)), None)
    fits = isinstance(entry, str) and 0 < len(entry) <= MOST_NAME and entry.isprintable()
    return entry if fits else None
