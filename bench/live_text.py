"""Text that is still being written, over `/v1/tts/live`: first audio and underruns, as a client hears them.

    python -m bench.live_text [--out bench/results/live_text.json] [--rounds 5] [--sockets 1,4]

A server with joe is started. On each socket turn follows turn; words come as a language model writes them,
five every 100 ms, and the audio is played as it comes. Two promises, exit status 1 where one is broken:
- first audio comes before the third feed after the one in which the first clause ends;
- no turn runs dry before its end, on any number of sockets.
"""

import argparse
import asyncio
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import msgpack
from websockets.asyncio.client import ClientConnection, connect

WORDS, EVERY_SECONDS = 5, 0.1
RATE = 24_000
MOST_FEEDS = 3
"""First audio comes before this feed after the clause's."""
START_SECONDS, REPLY_SECONDS = 120.0, 60.0
OPENINGS = (
    "Well, of course, I can tell you how it was.",
    "That is a very good question, and I will try to answer it.",
    "Let me see what we have here. There are three of them in the list.",
    "If you look at the whole of the wall from the other side of the street, you will see the moss.",
    "Sure! The ferry leaves at seven today, so be at the harbour before that.",
    "In the morning the children look out of the window; then the sun comes out.",
)
LINES = (Path(__file__).parent / "wer_sentences.txt").read_text().splitlines()
SENTENCES = [sentence for kind, _, sentence in (line.partition("\t") for line in LINES) if kind == "plain"]
SENTENCES_A_TURN = 4


@dataclass
class Turn:
    """Times in seconds from the feed in which the first clause ends."""

    feeds: list[float] = field(default_factory=list)
    first_audio: float = 0.0
    audio_seconds: float = 0.0
    underruns: int = 0
    longest_gap: float = 0.0

    @property
    def feeds_before_audio(self) -> int:
        """After the one in which the clause ends."""
        return sum(1 for at in self.feeds if 0 < at < self.first_audio)


def main() -> None:
    given = _arguments()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch, _server(Path(scratch)) as url:
        asyncio.run(_turns(url, 1, 1))  # not counted: it warms what is loaded late
        points = {str(count): asyncio.run(_turns(url, count, given.rounds)) for count in given.sockets}
    found: dict[str, Any] = {
        "machine": f"{os.cpu_count()} x {platform.processor() or platform.machine()}",
        "load_before": load,
        "words": WORDS,
        "every_seconds": EVERY_SECONDS,
        "sockets": {count: _summary(turns) for count, turns in points.items()},
        "turns": {count: [asdict(turn) for turn in turns] for count, turns in points.items()},
    }
    found["kept"] = all(point["kept"] for point in found["sockets"].values())
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    _table(found["sockets"])
    if not found["kept"]:
        raise SystemExit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "live_text.json")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each socket")
    parser.add_argument("--sockets", type=lambda text: [int(one) for one in text.split(",")], default=[1, 4])
    return parser.parse_args()


async def _turns(url: str, sockets: int, rounds: int) -> list[Turn]:
    texts = [_text(number) for number in range(sockets * rounds)]
    shares = [texts[at::sockets] for at in range(sockets)]
    return [
        turn for turns in await asyncio.gather(*(_socket(url, share) for share in shares)) for turn in turns
    ]


def _text(number: int) -> str:
    body = islice(cycle(SENTENCES), number * SENTENCES_A_TURN, (number + 1) * SENTENCES_A_TURN)
    return " ".join([OPENINGS[number % len(OPENINGS)], *body])


async def _socket(url: str, texts: Sequence[str]) -> list[Turn]:
    async with connect(url.replace("http", "ws", 1) + "/v1/tts/live") as connection:
        return [await _turn(connection, text) for text in texts]


async def _turn(connection: ClientConnection, text: str) -> Turn:
    feeds = list(_feeds(text))
    clause = _clause_feed(feeds)
    sent: list[float] = []
    await _send(connection, "start", request={"text": "", "format": "pcm", "sample_rate": RATE})
    writing = asyncio.create_task(_write(connection, feeds, sent))
    played = await _listen(connection)
    await writing
    turn = _heard(played, sent[clause])
    turn.feeds = [at - sent[clause] for at in sent]
    return turn


def _feeds(text: str) -> Iterator[str]:
    words = text.split(" ")
    for at in range(0, len(words), WORDS):
        yield " ".join(words[at : at + WORDS]) + " "


def _clause_feed(feeds: Sequence[str]) -> int:
    """Which feed has the end of the first clause that is long enough to be spoken alone."""
    text = ""
    for at, feed in enumerate(feeds):
        text += feed
        ends = [place for place, sign in enumerate(text) if sign in ",;:.!?" and text[place + 1] == " "]
        if any(place >= 11 for place in ends):
            return at
    return len(feeds) - 1


async def _write(connection: ClientConnection, feeds: Sequence[str], sent: list[float]) -> None:
    began = time.monotonic()
    for number, feed in enumerate(feeds):
        await asyncio.sleep(began + number * EVERY_SECONDS - time.monotonic())
        sent.append(time.monotonic())
        await _send(connection, "text", text=feed)
    await _send(connection, "stop")


async def _send(connection: ClientConnection, event: str, **fields: Any) -> None:
    await connection.send(msgpack.packb({"event": event, **fields}))


async def _listen(connection: ClientConnection) -> list[tuple[float, float]]:
    """When each message came, and how many seconds of audio are in it."""
    played: list[tuple[float, float]] = []
    while True:
        message = await asyncio.wait_for(connection.recv(), REPLY_SECONDS)
        event = msgpack.unpackb(message)
        if event["event"] == "finish":
            if event["reason"] != "stop":
                raise RuntimeError(f"the turn failed: {event.get('message')}")
            return played
        played.append((time.monotonic(), len(event["audio"]) / 2 / RATE))


def _heard(played: Sequence[tuple[float, float]], clause: float) -> Turn:
    """As somebody hears it who plays each message as it comes."""
    turn = Turn(first_audio=played[0][0] - clause, audio_seconds=sum(seconds for _, seconds in played))
    until = played[0][0]
    for came, seconds in played:
        if came > until:
            turn.underruns += 1
            turn.longest_gap = max(turn.longest_gap, came - until)
        until = max(came, until) + seconds
    return turn


def _summary(turns: Sequence[Turn]) -> dict[str, Any]:
    first = sorted(turn.first_audio for turn in turns)
    feeds = max(turn.feeds_before_audio for turn in turns)
    underruns = sum(turn.underruns for turn in turns)
    return {
        "turns": len(turns),
        "first_audio_s": {"median": statistics.median(first), "worst": first[-1]},
        "feeds_before_audio": feeds,
        "underruns": underruns,
        "longest_gap_s": max(turn.longest_gap for turn in turns),
        "audio_s": sum(turn.audio_seconds for turn in turns),
        "kept": feeds < MOST_FEEDS and underruns == 0,
    }


def _table(points: dict[str, Any]) -> None:
    names = (
        "sockets",
        "turns",
        "first audio",
        "worst, ms",
        "feeds before",
        "underruns",
        "longest gap, ms",
        "kept",
    )
    rows = [
        (
            count,
            point["turns"],
            round(1000 * point["first_audio_s"]["median"]),
            round(1000 * point["first_audio_s"]["worst"]),
            point["feeds_before_audio"],
            point["underruns"],
            round(1000 * point["longest_gap_s"]),
            "yes" if point["kept"] else "NO",
        )
        for count, point in points.items()
    ]
    for row in (names, *rows):
        print("  ".join(f"{value!s:>{len(name)}}" for value, name in zip(row, names, strict=True)))


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JUNE_")}
    own = {"JUNE_DATA_DIR": str(folder), "JUNE_ENGINES": "piper", "WRAPPER_PORT": str(port)}
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "june_tts.cli.main", "serve"], env=inherited | own, stdout=out, stderr=out
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/health/ready").is_success:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(0.1)
    raise RuntimeError(f"the server did not become ready:\n{log.read_text()}")


if __name__ == "__main__":
    main()
