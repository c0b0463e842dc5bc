"""A server that is told to stop: what plays is heard to its end, nothing new begins, the rooms are left."""

import asyncio
from pathlib import Path

import httpx
import pytest
from tests.e2e.page_server import serving
from tests.e2e.server_process import process_of
from tests.june_in_rooms import heard
from tests.livekit_service import LiveKit

pytestmark = pytest.mark.integration

TEXT = "The train leaves the station at nine, and the children look out of the window."


@pytest.mark.parametrize(("limit", "state"), [("20", "success"), ("1", "cut")])
async def test_what_plays_is_heard_within_the_limit(
    livekit: LiveKit, room: str, tmp_path: Path, limit: str, state: str
) -> None:
    settings = {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": livekit.secret,
        "JUNE_DRAIN_SECONDS": limit,
    }
    with serving(tmp_path, **settings) as address:
        process = process_of(address)
        async with heard(livekit, room) as person, httpx.AsyncClient(base_url=address, timeout=60) as http:
            body = {"text": f"{TEXT} {TEXT}", "room_name": room, "wait": False}
            assert (await http.post("/api/tts/synthesize", json=body)).status_code == 202
            began = await person.hears()
            process.terminate()
            assert await asyncio.to_thread(process.wait, 30) == 0
            ended = person.silent_since() or began
            async with asyncio.timeout(3):
                while person.room.remote_participants:  # noqa: ASYNC110 - nothing tells when
                    await asyncio.sleep(0.02)
    assert (ended - began > 6) == (state == "success")
    assert ended - began > 0.5
