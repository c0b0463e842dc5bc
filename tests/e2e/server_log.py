"""What a server's log tells of the utterances that it has spoken."""

import asyncio
import re
import time
from pathlib import Path

LOG_SECONDS = 5.0


def ended(folder: Path) -> list[dict[str, str]]:
    """The fields of each ended utterance, `request_id`, `voice_id` and `audio_seconds` among them."""
    lines = (folder / "server.log").read_text().splitlines()
    return [dict(re.findall(r"(\w+)=(\S+)", line)) for line in lines if "utterance ended" in line]


async def seconds_made(folder: Path, request_id: str) -> float:
    """How long the speech of a request is, as the engine made it; the line comes just after its last byte."""
    end = time.monotonic() + LOG_SECONDS
    while time.monotonic() < end:
        for line in ended(folder):
            if line["request_id"] == request_id:
                return float(line["audio_seconds"])
        await asyncio.sleep(0.02)
    raise AssertionError(f"the log does not tell how {request_id} ended")
