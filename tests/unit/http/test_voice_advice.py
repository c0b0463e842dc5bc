"""Both doors of the voice library say that a transcript improves the clone, where none was given."""

from typing import Any

import pytest
from tests.fake_server import fake_server
from tests.unit.audio.sounds import babble, record

pytestmark = pytest.mark.unit

JUNE = ("/api/voices/clone", {"voice_id": "ada", "voice_name": "Ada"}, "file", "transcript")
OPENAI = ("/v1/audio/voices", {"name": "ada", "consent": "Ada"}, "audio_sample", "ref_text")
RECORDING = record(babble(12, 16_000), 16_000, "wav", "pcm_s16le")


async def advice(door: tuple[str, dict[str, str], str, str], transcript: str | None) -> str:
    path, fields, file, field = door
    given = fields | ({field: transcript} if transcript else {})
    async with fake_server() as server:
        reply = await server.http.post(path, data=given, files={file: ("ada.wav", RECORDING)})
        assert reply.status_code == 200, reply.text
        shown: dict[str, Any] = (await server.http.get("/api/voices/ada")).json()
    assert shown["report"]["advice"] == reply.json()["report"]["advice"]
    return " ".join(reply.json()["report"]["advice"])


@pytest.mark.parametrize("door", [JUNE, OPENAI], ids=["june", "openai"])
async def test_a_recording_without_its_words_is_advised_to_have_them(
    door: tuple[str, dict[str, str], str, str],
) -> None:
    assert "improve the clone" in await advice(door, None)
    assert "improve the clone" not in await advice(door, "Words.")
