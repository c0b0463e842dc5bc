"""What people in LiveKit rooms hear of june-tts: words, gaps, first sound, silence on demand.

    python -m bench.rooms [--quick] [--json bench/results/rooms.json]

Starts livekit-server and `june-tts serve` with joe, each a process of its own; the listeners are this one.
Words are checked with Whisper base after the sound has been recorded, so that nothing else runs then. Then
rooms are joined, spoken in and left, and what the server's process holds is counted.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.e2e.page_server import serving
from tests.e2e.server_process import gauge, process_of
from tests.listening import heard, word_error
from tests.livekit_service import LiveKit, livekit_server
from tests.room_listener import Sound, listening, wav

SENTENCES = Path(__file__).parent / "wer_sentences.txt"
INTERRUPTIONS = 10
ROOMS = 4
LEFT_SECONDS = 10.0
WARM_ROUNDS = 10


@dataclass
class Heard:
    text: str
    ttfa_ms: float
    """Of the engine, as the server measured it."""
    first_ms: float
    """From the request to the first audible sound at the listener."""
    seconds: float
    made_up_ms: float
    """Sound that the listener's player had to invent because none had come."""
    word_error: float = 0.0
    understood: str = ""

    @property
    def beyond_ms(self) -> float:
        return self.first_ms - self.ttfa_ms


@dataclass
class Bench:
    livekit: LiveKit
    address: str
    http: httpx.AsyncClient

    async def say(self, text: str, room: str) -> dict[str, Any]:
        reply = await self.http.post("/api/tts/synthesize", json={"text": text, "room_name": room})
        found: dict[str, Any] = reply.raise_for_status().json()
        return found

    async def count(self, name: str) -> float:
        return gauge((await self.http.get("/metrics")).text, name)

    def person(self, room: str) -> Any:
        return listening(self.livekit.url, (self.livekit.key, self.livekit.secret), room)


def sentences() -> list[str]:
    lines = SENTENCES.read_text().splitlines()
    return [line.split("\t")[1] for line in lines if line.startswith("plain\t")]


async def one_by_one(bench: Bench, texts: list[str]) -> list[Heard]:
    """Each in the same warm room; the first one, which joins it, is not counted."""
    found: list[Heard] = []
    sounds: list[Sound] = []
    async with bench.person("one-by-one") as person:
        await bench.say("Good morning.", "one-by-one")
        for text in texts:
            await person.quiet()
            engine, made_up = await bench.count("tts_ttfa_seconds_sum"), await person.concealed()
            mark, asked = person.mark(), time.monotonic()
            reply = await bench.say(text, "one-by-one")
            await person.quiet()
            first = person.heard_at(mark)
            found.append(
                Heard(
                    text,
                    ttfa_ms=1000 * (await bench.count("tts_ttfa_seconds_sum") - engine),
                    first_ms=1000 * (first - asked) if first else float("nan"),
                    seconds=reply["heard_seconds"],
                    made_up_ms=1000 * (await person.concealed() - made_up),
                )
            )
            sounds.append(person.sound(mark))
    for one, sound in zip(found, sounds, strict=True):
        one.word_error = word_error(one.text, wav(sound))
        one.understood = heard(wav(sound))
    return found


async def apart(bench: Bench, texts: list[str]) -> list[dict[str, Any]]:
    """Rooms at once, each with texts of its own."""
    each = len(texts) // ROOMS

    async def one(number: int) -> tuple[list[str], list[Sound], float]:
        room, own = f"apart-{number}", texts[number * each : (number + 1) * each]
        sounds = []
        async with bench.person(room) as person:
            for text in own:
                mark = person.mark()
                await bench.say(text, room)
                await person.quiet()
                sounds.append(person.sound(mark))
            return own, sounds, 1000 * await person.concealed()

    rooms = await asyncio.gather(*(one(number) for number in range(ROOMS)))
    return [
        {
            "room": number,
            "word_error": statistics.mean(
                word_error(text, wav(sound)) for text, sound in zip(own, sounds, strict=True)
            ),
            "made_up_ms": made_up,
        }
        for number, (own, sounds, made_up) in enumerate(rooms)
    ]


async def interrupted(bench: Bench, text: str) -> list[float]:
    """Milliseconds from asking for silence to the last audible sound."""
    found = []
    async with bench.person("interrupted") as person:
        for at in range(INTERRUPTIONS):
            await person.quiet()
            mark = person.mark()
            saying = asyncio.create_task(bench.say(text, "interrupted"))
            await person.hears(mark)
            await asyncio.sleep(1.0 + at / 20)
            asked, mark = time.monotonic(), person.mark()
            await bench.http.post("/api/tts/stop", json={"room_name": "interrupted"})
            await saying
            await person.quiet()
            found.append(1000 * ((person.silent_since(mark) or asked) - asked))
    return found


async def rounds(bench: Bench, count: int) -> list[dict[str, float]]:
    """Join, speak, leave; what the server's process holds, at times."""
    process = process_of(bench.address)
    found = []
    # LiveKit's library and the models take what they need in the first few
    for at in range(-WARM_ROUNDS, count + 1):
        if at >= 0 and at % max(1, count // 4) == 0:
            await asyncio.sleep(1.0)
            found.append({"rounds": at, **usage(process)})
        await bench.say("Yes.", f"round-{at}")
        async with asyncio.timeout(LEFT_SECONDS):
            while await bench.count("tts_rooms"):
                await asyncio.sleep(0.05)
    return found


def usage(process: psutil.Process) -> dict[str, float]:
    return {
        "rss_mb": round(process.memory_info().rss / 2**20, 1),
        "threads": process.num_threads(),
        "sockets": len(process.net_connections("all")),
        "files": process.num_fds(),
    }


def table(rows: list[Heard]) -> None:
    print(f"{'engine':>8} {'heard':>8} {'beyond':>8} {'length':>7} {'made up':>8} {'words':>6}  text")
    for row in rows:
        print(
            f"{row.ttfa_ms:5.0f} ms {row.first_ms:5.0f} ms {row.beyond_ms:5.0f} ms {row.seconds:5.2f} s "
            f"{row.made_up_ms:5.0f} ms {100 * row.word_error:4.1f} %  {row.text[:40]}"
        )
        if row.word_error:
            print(f"{'':52}  {row.understood}")


def summary(rows: list[Heard]) -> dict[str, float]:
    words = [len(row.text.split()) for row in rows]
    wrong = sum(row.word_error * count for row, count in zip(rows, words, strict=True))
    return {
        "word_error": wrong / sum(words),
        "beyond_ttfa_ms_median": statistics.median(row.beyond_ms for row in rows),
        "beyond_ttfa_ms_worst": max(row.beyond_ms for row in rows),
        "made_up_ms_worst": max(row.made_up_ms for row in rows),
    }


async def measured(livekit: LiveKit, folder: Path, quick: bool) -> dict[str, Any]:
    settings = {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": livekit.secret,
    }
    many, each, trips = (4, 1, 8) if quick else (20, 5, 200)
    texts = list(islice(cycle(sentences()), many + ROOMS * each))
    with serving(folder, **settings) as address:
        async with httpx.AsyncClient(base_url=address, timeout=90) as http:
            bench = Bench(livekit, address, http)
            rows = await one_by_one(bench, texts[:many])
            table(rows)
            print(json.dumps(summary(rows), indent=1))
            rooms = await apart(bench, texts[many : many + ROOMS * each])
            print(json.dumps(rooms, indent=1))
            silences = await interrupted(bench, " ".join(texts[:3]))
            print("silent after", [round(ms) for ms in silences], "ms")
            underruns = await bench.count("tts_room_underruns_total")
            print("underruns", underruns)
    with serving(folder, JUNE_ROOM_WARM_SECONDS="0", **settings) as address:
        async with httpx.AsyncClient(base_url=address, timeout=90) as http:
            trips_found = await rounds(Bench(livekit, address, http), trips)
            print(json.dumps(trips_found, indent=1))
    return {
        "utterances": [asdict(row) for row in rows],
        "summary": summary(rows),
        "rooms_at_once": rooms,
        "silent_after_ms": silences,
        "underruns": underruns,
        "rounds": trips_found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with livekit_server() as livekit, tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measured(livekit, Path(folder), options.quick))
    found |= {"machine": platform.platform(), "cores": os.cpu_count(), "load_before": load}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
