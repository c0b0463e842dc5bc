"""The list of phrases to make beforehand: one a line, a text or a JSON object."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from june_tts.errors import InvalidRequest, SettingsError
from june_tts.service.coding import Coding, plain_coding
from june_tts.service.phrase_parts import PARTS
from june_tts.types import Format, Sampling, SpeechRequest

MOST_LINES = 10_000
MOST_CHARS = 2_000
"""Of a phrase."""
Listable = Literal[Format, "live"]
"""A format, or what is spoken on sockets and in LiveKit rooms."""
USUAL: tuple[Listable, ...] = ("mp3", "wav", "pcm", "live")
"""What most clients of `/v1/audio/speech` ask for, and those that speak turn by turn."""
PCM_RATE = 24_000
"""Hz, of `pcm` where nothing is said, as that API has it."""


BitRate = Literal[32_000, 48_000, 64_000, 96_000, 128_000, 192_000]
"""Bits per second, as the APIs have them that let a caller choose."""
LOSSY = ("mp3", "opus")


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list."""

    line: int
    request: SpeechRequest
    codings: tuple[Coding, ...]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    text: str = Field(min_length=1, max_length=MOST_CHARS)
    voice: str = Field("default", min_length=1, max_length=300)
    format: Listable | list[Listable] | None = Field(None, min_length=1)
    sample_rate: int | None = Field(None, ge=8_000, le=192_000)
    bit_rate: BitRate | None = None
    language: str | None = Field(None, max_length=40)
    speed: float = Field(1.0, ge=0.25, le=4.0)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, ge=0.5, le=2)
    seed: int | None = Field(None, ge=0, lt=2**31)
    max_frames: int | None = Field(None, ge=1, le=2**20)
    piece_chars: int | None = Field(None, ge=1, le=2**20)
    normalize: bool = True


def read_list(written: str) -> list[Listed]:
    """Every phrase; empty lines and those that begin with `#` are none.

    Raises:
        SettingsError: naming the first line that cannot be read, and why.
    """
    lines = written.splitlines()
    if len(lines) > MOST_LINES:
        raise SettingsError(f"{len(lines)} lines: expected at most {MOST_LINES}")
    kept = ((number, line.strip()) for number, line in enumerate(lines, 1))
    return [_listed(number, line) for number, line in kept if line and not line.startswith("#")]


def _listed(number: int, line: str) -> Listed:
    try:
        found = (
            _Line.model_validate_json(line) if line.startswith("{") else _Line.model_validate({"text": line})
        )
        request = SpeechRequest(
            f"phrases-{number}",
            found.text,
            found.voice,
            found.language,
            found.speed,
            _sampling(found),
            normalize=found.normalize,
            piece_chars=found.piece_chars,
        )
        return Listed(number, request, _codings(found))
    except ValidationError as bad:
        raise SettingsError(f"line {number}: {_told(bad.errors()[0])}") from None
    except InvalidRequest as bad:
        raise SettingsError(f"line {number}: {bad}") from None


def _codings(found: _Line) -> tuple[Coding, ...]:
    formats = found.format if isinstance(found.format, list) else [found.format] if found.format else USUAL
    if found.bit_rate and (without := [name for name in formats if name not in LOSSY]):
        raise InvalidRequest(f"bit_rate: {without[0]} has none, expected {' or '.join(LOSSY)}")
    if found.sample_rate and {*formats} == {"live"}:
        raise InvalidRequest("sample_rate: live has none, each socket and room asks for its own")
    return tuple(_coding(name, found) for name in dict.fromkeys(formats))


def _coding(name: Listable, found: _Line) -> Coding:
    if name == "live":
        return PARTS
    return plain_coding(name, found.sample_rate or (PCM_RATE if name == "pcm" else None), found.bit_rate)


def _sampling(found: _Line) -> Sampling:
    return Sampling(found.temperature, found.top_p, found.repetition_penalty, found.seed, found.max_frames)


def _told(error: Any) -> str:
    """Not with the value: it may be the phrase."""
    field = str(error["loc"][0]) if error["loc"] else "the line"
    return f"{field}: {error['msg']}"
