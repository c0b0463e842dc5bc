"""Kills the engine's process under 16 streams, 20 times, and looks at what the server's side keeps of it.

    python -m bench.fish_kills [--out bench/results/fish_kills.json] [--kills 20] [--codec-size full]

The process is the real one (torch, a tiny model of random weights, its codec), the server's side is `Handle`,
as the Fish engine holds it. For each kill: when the last stream had its error, when the new process was
ready, when the next request was done, and then the handles, threads and memory of the server's side. Exit
status 1 where one of `PROMISES` is broken.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from june_tts.errors import EngineFailed
from june_tts.fish.events import Done
from june_tts.fish.handle import Handle, Patience
from june_tts.fish.options import EngineOptions
from june_tts.fish.prompt import Prompt, build
from june_tts.fish.sequence import SamplingParams
from june_tts.fish.tokenizer import Tokenizer

STREAMS = 16
ENDLESS = 100_000
"""Frames: no stream ends by itself."""
NEXT_FRAMES = 20
SETTLED = 3
"""Kills after which the server's side has all that it keeps: sockets, buffers, its pool of threads."""
PATIENCE = 120.0
"""Seconds for whatever is waited for here."""
PROMISES = {"error_s": 1.0, "next_s": 10.0, "fds_grown": 0, "threads_grown": 0, "rss_grown_mb": 4.0}
"""The most of each; `next_s` counts from when the new process was ready."""
IMPORT = "import time; t = time.monotonic(); import june_tts.fish.loading; print(time.monotonic() - t)"


@dataclass(frozen=True, slots=True)
class Kill:
    """Seconds count from the kill."""

    error_s: float
    """Until the last stream had its error."""
    ready_s: float
    next_s: float
    """Until a request that was made at once was done."""
    fds: int
    threads: int
    rss_mb: float
    children: int


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = _model(Path(scratch), given.codec_size)
        kills = asyncio.run(_kills(folder, given.kills))
    found = _summary(kills) | {"codec": given.codec_size, "importing_torch_s": _import_seconds()}
    _tell(_table(kills))
    _tell(json.dumps(found["kept"], indent=1))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    if not all(promise["kept"] for promise in found["kept"].values()):
        raise SystemExit(1)


def _model(folder: Path, codec_size: str) -> Path:
    """Written by other processes: this one is the server's side, which never loads torch."""
    codec = ["bench.fish_codec_file", str(folder / "codec.pth"), "--size", codec_size]
    for line in (["bench.fish_checkpoint", str(folder), "--size", "tiny", "--seed", "7"], codec):
        subprocess.run([sys.executable, "-m", *line], check=True, stdout=subprocess.DEVNULL)
    return folder


async def _kills(folder: Path, count: int) -> list[Kill]:
    options = EngineOptions(
        str(folder), str(folder / "codec.pth"), device="cpu", slots=STREAMS, positions=4096, threads=1
    )
    prompt = build(Tokenizer.read(folder), "A sentence to begin with.")
    command = [sys.executable, "-m", "june_tts.fish.worker"]
    engine = Handle(command, options, patience=Patience(wait=PATIENCE))
    await engine.start()
    try:
        made = []
        for number in range(count):
            made.append(await _kill(engine, prompt))
            _tell(f"kill {number + 1} of {count}: next request done after {made[-1].next_s:.1f} s")
    finally:
        await engine.close()
    return made


async def _kill(engine: Handle, prompt: Prompt) -> Kill:
    heard = asyncio.Semaphore(0)
    streams = [asyncio.create_task(_stream(engine, prompt, seed, heard)) for seed in range(STREAMS)]
    async with asyncio.timeout(PATIENCE):
        for _ in streams:
            await heard.acquire()
    pid, restarts = engine.pid, engine.restarts
    if pid is None:
        raise SystemExit("the engine's process ended by itself")
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    errors = await asyncio.gather(*streams)
    following = asyncio.create_task(_next(engine, prompt))
    ready = await _ready(engine, restarts)
    done = await following
    gc.collect()
    me = psutil.Process()
    rss = me.memory_info().rss / (1 << 20)
    return Kill(
        error_s=round(max(errors) - began, 3),
        ready_s=round(ready - began, 3),
        next_s=round(done - began, 3),
        fds=me.num_fds(),
        threads=threading.active_count(),
        rss_mb=round(rss, 1),
        children=len(me.children()),
    )


async def _stream(engine: Handle, prompt: Prompt, seed: int, heard: asyncio.Semaphore) -> float:
    """When its error came. Raises SystemExit where none came, or one that is of no use to who hears it."""
    params = SamplingParams(seed=seed, min_frames=ENDLESS, max_frames=ENDLESS, semantic_only=True)
    told = False
    try:
        async with aclosing(engine.generate(prompt, params)) as made:
            async for _ in made:
                if not told:
                    told = True
                    heard.release()
    except EngineFailed as error:
        if error.retryable and "signal 9" in str(error):
            return time.monotonic()
        raise SystemExit(f"a stream ended with an unclear error: {error}") from error
    raise SystemExit("a stream ended without an error")


async def _ready(engine: Handle, restarts: int) -> float:
    async with asyncio.timeout(PATIENCE):
        while engine.restarts == restarts or engine.status != "ready":
            await asyncio.sleep(0.01)
    return time.monotonic()


async def _next(engine: Handle, prompt: Prompt) -> float:
    """When it was done."""
    params = SamplingParams(seed=1, min_frames=NEXT_FRAMES, max_frames=NEXT_FRAMES, semantic_only=True)
    async with asyncio.timeout(PATIENCE), aclosing(engine.generate(prompt, params)) as made:
        events = [event async for event in made]
    if not isinstance(events[-1], Done) or events[-1].frames != NEXT_FRAMES:
        raise SystemExit("the next request was cut short")
    return time.monotonic()


def _summary(kills: list[Kill]) -> dict[str, Any]:
    later = kills[min(SETTLED, len(kills) - 1) :]
    reached = {
        "error_s": max(kill.error_s for kill in kills),
        "next_s": round(max(kill.next_s - kill.ready_s for kill in kills), 3),
        "fds_grown": later[-1].fds - later[0].fds,
        "threads_grown": later[-1].threads - later[0].threads,
        "rss_grown_mb": round(later[-1].rss_mb - later[0].rss_mb, 1),
    }
    kept = {
        name: {"reached": value, "most": PROMISES[name], "kept": value <= PROMISES[name]}
        for name, value in reached.items()
    }
    alone = all(kill.children == 1 for kill in kills)
    kept["one_process"] = {"reached": alone, "most": True, "kept": alone}
    return {"streams": STREAMS, "kept": kept, "kills": [asdict(kill) for kill in kills]}


def _import_seconds() -> float:
    """What a new process spends before it reads a weight."""
    line = [sys.executable, "-c", IMPORT]
    return round(float(subprocess.run(line, capture_output=True, text=True, check=True).stdout), 2)


def _table(kills: list[Kill]) -> str:
    columns = tuple(asdict(kills[0]))
    lines = [" ".join(f"{name:>9}" for name in columns)]
    lines += [" ".join(f"{value:>9}" for value in asdict(kill).values()) for kill in kills]
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results/fish_kills.json"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--codec-size", choices=["tiny", "full"], default="tiny")
    return parser.parse_args()


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
