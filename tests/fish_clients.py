"""fish-audio-sdk, unmodified, in its four ways: old and new interface, waiting and not.

Each is asked with the same words here, so that one test goes through all of them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import fish_audio_sdk as old
import fishaudio as new
from fishaudio.types import Prosody, ReferenceAudio, TTSConfig

WAYS = ("old", "old async", "new", "new async")


class Client(Protocol):
    """What they have in common. Errors are those of the interface itself: `OldError`, `NewError`."""

    async def tts(self, text: str, references: Any = (), **config: Any) -> bytes: ...

    async def list(self, **wanted: Any) -> Any: ...

    async def get(self, voice_id: str) -> Any: ...

    async def create(self, **fields: Any) -> Any: ...

    async def update(self, voice_id: str, **fields: Any) -> None: ...

    async def delete(self, voice_id: str) -> None: ...

    async def credit(self) -> Any: ...

    async def package(self) -> Any: ...


OldError = old.HttpCodeErr
NewError = new.APIError


def _request(text: str, references: Any, config: dict[str, Any]) -> old.TTSRequest:
    given = [old.ReferenceAudio(audio=audio, text=words) for audio, words in references]
    prosody = old.Prosody(**config.pop("prosody")) if "prosody" in config else None
    return old.TTSRequest(text=text, references=given, prosody=prosody, **config)


def _config(references: Any, config: dict[str, Any]) -> TTSConfig:
    given = [ReferenceAudio(audio=audio, text=words) for audio, words in references]
    prosody = Prosody(**config.pop("prosody")) if "prosody" in config else None
    return TTSConfig(references=given, prosody=prosody, **config)


class Old:
    def __init__(self, session: old.Session) -> None:
        self._session = session

    async def tts(self, text: str, references: Any = (), **config: Any) -> bytes:
        request = _request(text, references, config)
        return await asyncio.to_thread(lambda: b"".join(self._session.tts(request)))

    async def list(self, **wanted: Any) -> Any:
        return await self._in_thread("list_models", **wanted)

    async def get(self, voice_id: str) -> Any:
        return await self._in_thread("get_model", voice_id)

    async def create(self, **fields: Any) -> Any:
        return await self._in_thread("create_model", **fields)

    async def update(self, voice_id: str, **fields: Any) -> None:
        await self._in_thread("update_model", voice_id, **fields)

    async def delete(self, voice_id: str) -> None:
        await self._in_thread("delete_model", voice_id)

    async def credit(self) -> Any:
        return await self._in_thread("get_api_credit")

    async def package(self) -> Any:
        return await self._in_thread("get_package")

    async def _in_thread(self, name: str, *given: Any, **fields: Any) -> Any:
        return await asyncio.to_thread(getattr(self._session, name), *given, **fields)


class OldAsync(Old):
    async def tts(self, text: str, references: Any = (), **config: Any) -> bytes:
        request = _request(text, references, config)
        return b"".join([part async for part in self._session.tts.awaitable(request)])

    async def _in_thread(self, name: str, *given: Any, **fields: Any) -> Any:
        return await getattr(self._session, name).awaitable(*given, **fields)


class New:
    def __init__(self, client: Any) -> None:
        self._client = client

    async def tts(self, text: str, references: Any = (), **config: Any) -> bytes:
        found: bytes = await self._call(
            self._client.tts.convert, text=text, config=_config(references, config)
        )
        return found

    async def list(self, **wanted: Any) -> Any:
        if "tag" in wanted:
            wanted["tags"] = wanted.pop("tag")
        return await self._call(self._client.voices.list, **wanted)

    async def get(self, voice_id: str) -> Any:
        return await self._call(self._client.voices.get, voice_id)

    async def create(self, **fields: Any) -> Any:
        return await self._call(self._client.voices.create, **fields)

    async def update(self, voice_id: str, **fields: Any) -> None:
        await self._call(self._client.voices.update, voice_id, **fields)

    async def delete(self, voice_id: str) -> None:
        await self._call(self._client.voices.delete, voice_id)

    async def credit(self) -> Any:
        return await self._call(self._client.account.get_credits, check_free_credit=True)

    async def package(self) -> Any:
        return await self._call(self._client.account.get_package)

    async def _call(self, method: Any, *given: Any, **fields: Any) -> Any:
        return await asyncio.to_thread(method, *given, **fields)


class NewAsync(New):
    async def _call(self, method: Any, *given: Any, **fields: Any) -> Any:
        return await method(*given, **fields)


@asynccontextmanager
async def fish_client(way: str, url: str, key: str = "any-key") -> AsyncIterator[Client]:
    """One of WAYS, told nothing but a base URL and a key."""
    if way.startswith("old"):
        session = old.Session(key, base_url=url)
        with session:
            async with session:
                yield OldAsync(session) if way.endswith("async") else Old(session)
    elif way == "new":
        with new.FishAudio(api_key=key, base_url=url) as client:
            yield New(client)
    else:
        async with new.AsyncFishAudio(api_key=key, base_url=url) as waiting:
            yield NewAsync(waiting)
