"""What rooms need, from the settings: all of it, or a word on what is missing."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from june_tts.bootstrap import running
from june_tts.errors import SettingsError
from june_tts.settings import load

pytestmark = pytest.mark.unit

KEYS = {"LIVEKIT_URL": "ws://127.0.0.1:9", "LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "s" * 40}
FAKE = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake"}


async def rooms(folder: Path, **environ: str) -> Any:
    """The part of the services that speaks in rooms; nothing is joined for it."""
    settings = load(FAKE | {"JUNE_DATA_DIR": str(folder)} | environ).settings
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(running(settings))
        return services.utterances


async def test_without_a_word_about_livekit_there_are_no_rooms(tmp_path: Path) -> None:
    assert await rooms(tmp_path) is None


@pytest.mark.parametrize("environ", [KEYS, {"ORCHESTRATOR_URL": "http://127.0.0.1:9"}])
async def test_keys_or_an_orchestrator_are_enough(tmp_path: Path, environ: dict[str, str]) -> None:
    assert await rooms(tmp_path, **environ) is not None


@pytest.mark.parametrize(
    "names",
    [
        ("LIVEKIT_URL",),
        ("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"),
        ("LIVEKIT_URL", "LIVEKIT_API_KEY"),
        ("LIVEKIT_URL", "LIVEKIT_API_SECRET"),
    ],
)
async def test_half_of_it_stops_the_start_and_says_what_is_missing(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as refused:
        async with asyncio.timeout(30):
            await rooms(tmp_path, **{name: KEYS[name] for name in names})
    assert ", ".join(names) in str(refused.value) and "ORCHESTRATOR_URL" in str(refused.value)
    assert "s" * 40 not in str(refused.value)


async def test_a_room_to_join_needs_a_server(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LIVEKIT_ROOM"):
        async with asyncio.timeout(30):
            await rooms(tmp_path, LIVEKIT_ROOM="lobby")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIVEKIT_URL", "127.0.0.1:7880"),
        ("LIVEKIT_URL", "ws://user:pass@host"),
        ("ORCHESTRATOR_URL", "ws://host"),
        ("JUNE_ROOM_BUFFER_MS", "45"),
        ("JUNE_ROOM_BUFFER_MS", "5000"),
        ("JUNE_MAX_ROOMS", "0"),
        ("LIVEKIT_IDENTITY", "x" * 257),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load({name: value})
