"""A server as it is built from its settings: its list of phrases, and what is wrong with one."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.live_server import becomes

from june_tts.bootstrap import running
from june_tts.bootstrap.phrases import code_of
from june_tts.errors import SettingsError
from june_tts.http.app import create_app
from june_tts.settings import Settings, load

pytestmark = pytest.mark.integration


def settings_in(folder: Path, lines: str | bytes | None = None, **more: str) -> Settings:
    environ = {
        "JUNE_ENGINES": "fake",
        "JUNE_DEFAULT_VOICE": "fake",
        "JUNE_DATA_DIR": str(folder),
        "JUNE_LANES": "1",
        **more,
    }
    if lines is not None:
        path = folder / "phrases.txt"
        path.write_bytes(lines if isinstance(lines, bytes) else lines.encode())
        environ["JUNE_PHRASES"] = str(path)
    return load(environ).settings


async def asked(services: Any, text: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.post("/v1/audio/speech", json={"input": text, "voice": "fake"})


async def test_the_list_is_ready_soon_and_read_again_when_settings_are(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "Hello.\n")
    async with running(settings) as services:
        book, reloads = services.book, services.reloads
        assert book is not None
        assert reloads is not None
        await becomes(lambda: book.pinned == 4)
        assert (await asked(services, "Hello.")).headers["x-june-cache"] == "hit"
        (tmp_path / "phrases.txt").write_text('{"text": "Good bye.", "format": "mp3"}')
        assert reloads.reload(settings) == []
        await becomes(lambda: book.pinned == 1)
        assert (await asked(services, "Good bye.")).headers["x-june-cache"] == "hit"
        (tmp_path / "phrases.txt").write_text('{"text": "Good bye.", "speed": 99}')
        with pytest.raises(SettingsError, match="line 1: speed"):
            reloads.reload(settings)
        assert book.pinned == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("Hello.\n{}", "line 2: text: Field required"),
        (b"\xff\xfe", "is not UTF-8"),
        ("x" * (5 << 20), "is too long"),
    ],
)
async def test_a_list_that_cannot_be_read_stops_the_start(
    tmp_path: Path, lines: str | bytes, told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        async with running(settings_in(tmp_path, lines)):
            pass
    assert str(refused.value).startswith("JUNE_PHRASES=")
    assert "phrases.txt" in str(refused.value)
    assert told in str(refused.value)


async def test_a_list_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read .No such file"):
        async with running(settings_in(tmp_path, JUNE_PHRASES=str(tmp_path / "nowhere"))):
            pass


async def test_a_list_without_room_for_any_phrase_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="JUNE_PHRASE_MB is 0"):
        async with running(settings_in(tmp_path, "Hello.", JUNE_PHRASE_MB="0")):
            pass


async def test_without_memory_for_phrases_none_is_kept(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, JUNE_PHRASE_MB="0")) as services:
        replies = [await asked(services, "Hello.") for _ in range(4)]
    assert not any("x-june-cache" in reply.headers for reply in replies)


def test_the_code_has_a_name_that_is_the_same_each_time() -> None:
    assert code_of() == code_of()
    assert len(code_of()) == 32
