"""What the fields of a request may be, given the voice and the engine that speak it."""

import math

from june_tts.errors import InvalidRequest, TextTooLong, UnsupportedParameter
from june_tts.types import Capabilities, SpeechRequest, Utterance, Voice

SLOWEST, FASTEST = 0.25, 4.0
SHORTEST_PIECE = 40
"""Characters. Shorter pieces are asked for in vain: they sound torn."""
RANGES = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0), "repetition_penalty": (0.5, 2.0)}


def check_length(characters: int, most: int) -> None:
    """Raises: TextTooLong."""
    if characters > most:
        raise TextTooLong(f"the text has {characters} characters, at most {most} are accepted", param="text")


def check_numbers(request: SpeechRequest) -> None:
    """Raises: InvalidRequest, naming the field."""
    _in_range("speed", request.speed, SLOWEST, FASTEST)
    for name, (low, high) in RANGES.items():
        value = getattr(request.sampling, name)
        if value is not None:
            _in_range(name, value, low, high)


def inline_voice(request: SpeechRequest) -> Voice:
    """The voice of recordings that came with the request; every engine that clones can speak it."""
    return Voice(request.voice_id, "inline", "cloned", None, (), None, "as agreed with the speaker")


def utterance(request: SpeechRequest, voice: Voice, able: Capabilities) -> Utterance:
    """The request as the engine is given it.

    Raises:
        UnsupportedParameter: the engine has no such parameter.
        InvalidRequest: the voice does not speak the language.
    """
    for name in sorted(request.sampling.given() - able.parameters):
        offered = ", ".join(sorted(able.parameters)) or "none"
        raise UnsupportedParameter(
            f"{name}: the engine {able.engine}, which speaks {voice.id}, has no such parameter "
            f"(it has: {offered})",
            param=name,
        )
    language = _language(request.language, voice, able)
    return Utterance(request.request_id, voice, language, request.speed, request.sampling, request.references)


def reproducible(utterance: Utterance, able: Capabilities) -> bool:
    """Whether it sounds the same each time."""
    if able.repeats == "always":
        return True
    drawn_from = utterance.sampling.seed is not None or utterance.sampling.temperature == 0
    seeded = drawn_from or (able.repeats == "own_voices" and utterance.voice.kind == "builtin")
    return seeded and able.repeats != "never"


def longest_piece(request: SpeechRequest, able: Capabilities) -> int:
    """In characters."""
    return min(able.piece_chars, max(SHORTEST_PIECE, request.piece_chars or able.piece_chars))


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise InvalidRequest(f"{name} is {value}: expected a number from {low:g} to {high:g}", param=name)


def _language(asked: str | None, voice: Voice, able: Capabilities) -> str:
    """The voice's own tag that matches: "en" is spoken as "en-US" by a voice that has no other English."""
    spoken = voice.languages or able.languages
    if not asked:
        return spoken[0]
    wanted = asked.replace("_", "-").lower()
    for tag in spoken:
        if tag.lower() == wanted or tag.lower().startswith(f"{wanted}-"):
            return tag
    raise InvalidRequest(
        f"language is {asked[:40]!r}: the voice {voice.id} speaks {', '.join(spoken)}", param="language"
    )
