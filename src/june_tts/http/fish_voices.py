"""The voices of the library as Fish Audio's clients read them, and how their lists are chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from june_tts.http.services import Services
from june_tts.types import ClonedVoice, Visibility, Voice

Order = Literal["task_count", "created_at"]
OURS = "june-tts"
"""Author of the built-in voices."""
YOURS = "self"
"""Author of the cloned ones: whoever has the key of this server is one and the same."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""When built-in voices were made."""


@dataclass(frozen=True, slots=True)
class Model:
    """A voice in Fish Audio's words."""

    id: str
    title: str
    author: str
    created_at: datetime
    updated_at: datetime
    languages: tuple[str, ...]
    """Without region or script, as theirs."""
    description: str = ""
    tags: tuple[str, ...] = ()
    visibility: Visibility = "public"
    cover_image: str = ""
    """Path on this server, as is `sample`."""
    sample: str = ""
    transcript: str = ""
    task_count: int = 0
    """Streams since the server started."""

    def json(self) -> dict[str, Any]:
        """Every field that one of the clients asks for; nobody likes or marks anything here."""
        return {
            "_id": self.id,
            "type": "tts",
            "title": self.title,
            "description": self.description,
            "cover_image": self.cover_image,
            "train_mode": "fast",
            "state": "trained",
            "tags": list(self.tags),
            "samples": self._samples(),
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "languages": list(self.languages),
            "visibility": self.visibility,
            "lock_visibility": self.author == OURS,
            **dict.fromkeys(("like_count", "mark_count", "shared_count"), 0),
            "task_count": self.task_count,
            **dict.fromkeys(("liked", "marked"), False),
            "author": {"_id": self.author, "nickname": self.author, "avatar": ""},
        }

    def _samples(self) -> list[dict[str, str]]:
        if not self.sample:
            return []
        return [{"title": self.title, "text": self.transcript, "task_id": self.id, "audio": self.sample}]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is to have in it. Empty: all of them."""

    title: str = ""
    tags: Sequence[str] = ()
    """All of these."""
    languages: Sequence[str] = ()
    """One of these."""
    author: str = ""
    own: bool = False

    def fits(self, model: Model) -> bool:
        # what is not listed for all is listed for its owner
        listed = model.author == YOURS if self.own else model.visibility != "unlist"
        return (
            listed
            and self.title.casefold() in model.title.casefold()
            and set(self.tags) <= set(model.tags)
            and (not self.languages or not set(map(primary, self.languages)).isdisjoint(model.languages))
            and self.author in ("", model.author)
        )


async def models(given: Services) -> list[Model]:
    """Of the whole catalogue: built-in voices, then cloned ones, oldest first."""
    spoken = given.recorder.spoken
    found = [built_in(voice, spoken) for voice in given.library.built_in()]
    return [*found, *(cloned(voice, spoken) for voice in await given.library.cloned())]


async def model(given: Services, voice_id: str) -> Model:
    """One by its id or an alias. Raises: VoiceNotFound."""
    voice = await given.library.resolve(voice_id)
    if voice.kind == "builtin":
        return built_in(voice, given.recorder.spoken)
    return cloned(await given.library.get(voice.id), given.recorder.spoken)


def chosen(found: Sequence[Model], wanted: Filter, order: Order) -> list[Model]:
    """Those that fit, the most spoken or the newest first."""
    fitting = [one for one in found if wanted.fits(one)]
    if order == "task_count":
        return sorted(fitting, key=lambda one: -one.task_count)
    return sorted(fitting, key=lambda one: one.created_at, reverse=True)


def built_in(voice: Voice, spoken: Mapping[str, int]) -> Model:
    return Model(
        id=voice.id,
        title=voice.name,
        author=OURS,
        created_at=voice.created_at or LONG_AGO,
        updated_at=voice.created_at or LONG_AGO,
        languages=tuple(dict.fromkeys(map(primary, voice.languages))),
        task_count=spoken.get(voice.id, 0),
    )


def cloned(voice: ClonedVoice, spoken: Mapping[str, int]) -> Model:
    return Model(
        id=voice.voice_id,
        title=voice.name,
        author=YOURS,
        created_at=voice.created_at,
        updated_at=voice.updated_at,
        languages=(primary(voice.language),) if voice.language else (),
        description=voice.description or "",
        tags=voice.tags,
        visibility=voice.visibility,
        cover_image=f"/model/{voice.voice_id}/cover" if voice.cover_type else "",
        sample=f"/api/voices/{voice.voice_id}/audio",
        transcript=voice.transcript or "",
        task_count=spoken.get(voice.voice_id, 0),
    )


def primary(tag: str) -> str:
    """Of a BCP 47 tag: `pt` of `pt-BR`."""
    return tag.replace("_", "-").partition("-")[0].lower()
