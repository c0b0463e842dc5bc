"""What the fields of a new voice may be. Each refusal names the field, the value and the expectation."""

import re
import unicodedata
from collections.abc import Sequence

from june_tts.errors import InvalidRequest, shown

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
# the shape of RFC 5646, not its registry: a recogniser or an engine may know a tag that we do not
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_NAME_CHARS = 255
_LANGUAGE_CHARS = 35
_TRANSCRIPT_CHARS = 5_000
"""Three times what a fast speaker says in the 60 seconds a recording may last."""
_CONSENT_CHARS = 2_000
_DESCRIPTION_CHARS = 5_000
_MOST_TAGS = 32
_TAG_CHARS = 64


def checked_id(voice_id: str) -> str:
    if not _ID.fullmatch(voice_id):
        raise InvalidRequest(
            f"voice_id is {shown(voice_id)}: expected 1 to 100 letters, digits, '_', '.' or '-', "
            "the first one a letter or digit",
            param="voice_id",
        )
    return voice_id


def checked_name(name: str) -> str:
    """Without the whitespace around it."""
    name = name.strip()
    if not name or len(name) > _NAME_CHARS or not _printable(name):
        raise InvalidRequest(
            f"name is {shown(name)}: expected 1 to {_NAME_CHARS} characters and no control characters",
            param="name",
        )
    return name


def checked_transcript(transcript: str | None) -> str | None:
    return _checked_text("transcript", transcript, _TRANSCRIPT_CHARS)


def checked_consent(consent: str | None, *, required: bool = False) -> str | None:
    stated = _checked_text("consent", consent, _CONSENT_CHARS)
    if required and stated is None:
        raise InvalidRequest(
            "consent is missing: expected a statement that the speaker agreed, which this server requires "
            "(JUNE_REQUIRE_CONSENT)",
            param="consent",
        )
    return stated


def checked_description(description: str) -> str:
    return _checked_text("description", description, _DESCRIPTION_CHARS) or ""


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Without the whitespace around them, each once; blank ones are left out."""
    found = tuple(dict.fromkeys(stripped for tag in tags if (stripped := tag.strip())))
    if len(found) > _MOST_TAGS:
        raise InvalidRequest(f"tags: there are {len(found)}: expected {_MOST_TAGS} at most", param="tags")
    for tag in found:
        if len(tag) > _TAG_CHARS or not _printable(tag):
            raise InvalidRequest(
                f"tags has {shown(tag)}: expected up to {_TAG_CHARS} characters and no control characters",
                param="tags",
            )
    return found


def checked_language(language: str | None) -> str | None:
    """Blank, as forms send what was not filled in, means unknown."""
    language = (language or "").strip().replace("_", "-")
    if not language:
        return None
    if len(language) > _LANGUAGE_CHARS or not _LANGUAGE.fullmatch(language):
        raise InvalidRequest(
            f"language is {shown(language)}: expected a BCP 47 tag such as 'en' or 'pt-BR'", param="language"
        )
    return language


def _checked_text(field: str, value: str | None, limit: int) -> str | None:
    # Its length is named and its words are not: messages are logged, and these are private.
    value = (value or "").strip()
    if len(value) > limit:
        raise InvalidRequest(f"{field} has {len(value)} characters: expected {limit} at most", param=field)
    if not _printable(value.replace("\n", " ").replace("\r", " ").replace("\t", " ")):
        raise InvalidRequest(f"{field} has a control character in it: expected plain text", param=field)
    return value or None


def _printable(text: str) -> bool:
    """No control characters and no halves of surrogate pairs, which databases refuse."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)
