"""The voice library in ElevenLabs' shape: `/v1/voices`, `/v2/voices`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from june_tts.http.routes.docs import elevenlabs_refusals
from june_tts.http.services import Services, services
from june_tts.types import Voice, VoiceKind

router = APIRouter(tags=["ElevenLabs"])

Given = Annotated[Services, Depends(services)]
CATEGORIES: Mapping[VoiceKind, str] = {"builtin": "premade", "cloned": "cloned"}
VoiceType = Literal["default", "personal", "workspace", "community", "saved", "non-default", "non-community"]
VOICE_TYPES: Mapping[VoiceType, tuple[VoiceKind, ...]] = {
    "default": ("builtin",),
    "personal": ("cloned",),
    "workspace": ("cloned",),
    "community": (),
    "saved": ("cloned",),
    "non-default": ("cloned",),
    "non-community": ("cloned",),
}
"""As ElevenLabs says which of its voices each word names."""


@router.get("/v1/voices", responses=elevenlabs_refusals(400, 503))
async def voices(
    given: Given, show_legacy: Annotated[bool, Query(description="No effect: no voice is.")] = False
) -> dict[str, Any]:
    """Every voice that can be named, built-in ones first."""
    return {"voices": [elevenlabs_voice(voice) for voice in await given.library.catalogue()]}


class Search(BaseModel):
    """Which voices. Labels that a cloud's catalogue has (gender, age, accent …) are refused by name."""

    model_config = ConfigDict(extra="forbid")

    search: str | None = Field(None, max_length=200, description="Part of an id or a name.")
    category: Literal["premade", "cloned", "generated", "professional"] | None = Field(
        None, description="`premade`: built in."
    )
    voice_type: VoiceType | None = Field(None, description="`default`: built in; `personal`: cloned.")
    language: str | None = Field(None, max_length=40, description="Spoken: `en` fits `en-US`.")
    voice_ids: list[str] = Field(
        default_factory=list, max_length=100, description="These alone; without them, all."
    )
    sort: Literal["name", "created_at_unix"] | None = Field(
        None, description="Absent: built-in ones first, then by age."
    )
    sort_direction: Literal["asc", "desc"] | None = Field(None, description="Of `sort`.")
    page_size: int = Field(10, ge=1, le=100, description="Voices of one page.")
    next_page_token: str | None = Field(None, pattern="^[0-9]{1,9}$", description="Of the page before.")
    include_total_count: bool = Field(True, description="No effect: it is always there.")

    def fits(self, voice: Voice) -> bool:
        wanted = (self.search or "").strip().lower()
        language = (self.language or "").lower()
        return (
            (wanted in voice.id.lower() or wanted in voice.name.lower())
            and self.category in (None, CATEGORIES[voice.kind])
            and (self.voice_type is None or voice.kind in VOICE_TYPES[self.voice_type])
            and (not language or any(_speaks(tag, language) for tag in voice.languages))
            and (not self.voice_ids or voice.id in self.voice_ids)
        )


@router.get("/v2/voices", responses=elevenlabs_refusals(400, 503))
async def search(given: Given, wanted: Annotated[Search, Query()]) -> dict[str, Any]:
    """A page of the voices that fit."""
    found = [voice for voice in await given.library.catalogue() if wanted.fits(voice)]
    if wanted.sort:
        key = _name if wanted.sort == "name" else _age
        found.sort(key=key, reverse=wanted.sort_direction == "desc")
    begin = int(wanted.next_page_token or 0)
    end = begin + wanted.page_size
    more = end < len(found)
    return {
        "voices": [elevenlabs_voice(voice) for voice in found[begin:end]],
        "has_more": more,
        "total_count": len(found),
        "next_page_token": str(end) if more else None,
    }


@router.get("/v1/voices/{voice_id}", responses=elevenlabs_refusals(404, 503))
async def voice(voice_id: str, given: Given) -> dict[str, Any]:
    """One voice."""
    return elevenlabs_voice(await given.library.resolve(voice_id))


def elevenlabs_voice(voice: Voice) -> dict[str, Any]:
    """A catalogue entry on the wire, with the fields that clients take for granted."""
    language = voice.languages[0] if voice.languages else None
    return {
        "voice_id": voice.id,
        "name": voice.name,
        "category": CATEGORIES[voice.kind],
        "labels": {"language": language} if language else {},
        "description": None,
        "preview_url": None,
        "samples": None,
        "settings": None,
        "available_for_tiers": [],
        "high_quality_base_model_ids": [],
        "is_owner": voice.kind == "cloned",
        "is_legacy": False,
        "created_at_unix": int(voice.created_at.timestamp()) if voice.created_at else None,
    }


def elevenlabs_models(given: Services) -> list[dict[str, Any]]:
    """What `GET /v1/models` answers where `xi-api-key` was sent: one, as the voice decides what speaks."""
    languages = {tag.partition("-")[0] for engine in given.engines for tag in engine.capabilities().languages}
    return [
        {
            "model_id": "june",
            "name": "June",
            "description": "The engine of the voice that is asked for.",
            "can_do_text_to_speech": True,
            "can_do_voice_conversion": False,
            "can_be_finetuned": False,
            "can_use_style": False,
            "can_use_speaker_boost": False,
            "serves_pro_voices": False,
            "languages": [{"language_id": name, "name": name} for name in sorted(languages)],
        }
    ]


def _speaks(tag: str, language: str) -> bool:
    return tag.lower() == language or tag.lower().startswith(f"{language}-")


def _name(voice: Voice) -> tuple[str, float]:
    return voice.name.lower(), 0.0


def _age(voice: Voice) -> tuple[str, float]:
    return "", voice.created_at.timestamp() if voice.created_at else 0.0
