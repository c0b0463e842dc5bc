"""First audio of a short and of a long text, from `june-tts fish serve`, over HTTP as a client hears it.

    python -m bench.fish_first_audio [--out bench/results/fish_first_audio.json] [--size s1-mini] [--rounds 5]

Random weights of the published size in bfloat16 with the codec at its full size, texts of about 2 s and 10 s,
in turns: a machine that others use is faster in one minute than in the next. Every word of the texts is one
token, as most are in the published table. A stream is closed at its first audio, and the next begins once the
engine has nothing to do. Exit status 1 where the promise is broken: the longer texts are heard at most 1.5
times as late.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

SHORT = "The ferry leaves at seven today."
LONG = {
    "10 s, sentences": (
        "The ferry leaves at seven today. Please be at the harbour half an hour before, as the road along "
        "the coast is closed. Tickets are sold on board this week."
    ),
    "10 s, one sentence": (
        "The ferry leaves at seven today and everybody who wants to cross with a car should be at the "
        "harbour half an hour before because the road along the coast is closed"
    ),
}
TEXTS = {"2 s": SHORT, **LONG}
MOST_TIMES = 1.5
START_SECONDS, REPLY_SECONDS = 900.0, 300.0
IDLE_SECONDS = 1.2
"""The engine's counts are a second old at most."""


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = (given.checkpoint or _model(Path(scratch), given.size)).absolute()
        with _server(checkpoint, Path(scratch), given.dtype) as url:
            rounds = _in_turns(url, given.rounds)
    found = {"size": given.size, "dtype": given.dtype, "cpus": os.cpu_count(), **_summary(rounds)}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    _tell(json.dumps({name: found[name] for name in ("first_audio_s", "times_the_short_text")}, indent=1))
    if not found["kept"]:
        raise SystemExit(1)


def _model(folder: Path, size: str) -> Path:
    """Written by other processes, so that none but the server's holds torch."""
    (folder / "texts").write_text("\n".join(TEXTS.values()))
    model = ["bench.fish_checkpoint", str(folder / "model"), "--size", size, "--words", str(folder / "texts")]
    codec = ["bench.fish_codec_file", str(folder / "model" / "codec.pth")]
    for line in (model, [*codec, "--size", "full" if size == "s1-mini" else "tiny"]):
        subprocess.run([sys.executable, "-m", *line], check=True, stdout=subprocess.DEVNULL)
    return folder / "model"


@contextmanager
def _server(checkpoint: Path, folder: Path, dtype: str) -> Iterator[str]:
    """The command itself; its address once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = ["--listen", f"127.0.0.1:{port}", "--device", "cpu", "--llama-checkpoint-path", str(checkpoint)]
    codec = ["--decoder-checkpoint-path", str(checkpoint / "codec.pth")]
    small = {"JUNE_FISH_DTYPE": dtype, "JUNE_FISH_SLOTS": "2", "JUNE_FISH_POSITIONS": "2048"}
    with (folder / "log").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "june_tts.cli.main", "fish", "serve", *flags, *codec],
            env={name: value for name, value in os.environ.items() if not name.startswith("JUNE_")} | small,
            stdout=out,
            stderr=out,
            cwd=folder,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/v1/health", folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit(f"the server does not answer:\n{log.read_text()}")


def _in_turns(url: str, rounds: int) -> dict[str, list[float]]:
    made: dict[str, list[float]] = {name: [] for name in TEXTS}
    with httpx.Client(base_url=url, timeout=REPLY_SECONDS) as http:
        for name in TEXTS:
            _first_audio(http, TEXTS[name])  # the first requests pay for what is done once
        for number in range(rounds):
            # there and back, so that none always comes after the same one
            for name in list(TEXTS) if number % 2 else reversed(TEXTS):
                made[name].append(round(_first_audio(http, TEXTS[name]), 4))
            _tell(f"round {number + 1} of {rounds}: {' '.join(f'{s[-1]:.2f} s' for s in made.values())}")
    return made


def _first_audio(http: httpx.Client, text: str) -> float:
    """Seconds from the request to its first samples."""
    body: dict[str, Any] = {"text": text, "streaming": True, "format": "pcm", "seed": 1}
    began = time.perf_counter()
    with http.stream("POST", "/v1/tts", json=body) as reply:
        if not reply.is_success:
            raise SystemExit(f"{reply.status_code}: {reply.read().decode()}")
        if not next(reply.iter_raw(), b""):
            raise SystemExit("a stream without a sound")
        heard = time.perf_counter() - began
    _idle(http)
    return heard


def _idle(http: httpx.Client) -> None:
    """Wait until the engine has nothing to do, as it says twice."""
    for _ in range(2):
        time.sleep(IDLE_SECONDS)
        while "tts_fish_slots_taken 0.0" not in http.get("/metrics").text:
            time.sleep(IDLE_SECONDS)


def _summary(rounds: dict[str, list[float]]) -> dict[str, Any]:
    median = {name: round(statistics.median(made), 3) for name, made in rounds.items()}
    times = {name: round(median[name] / median["2 s"], 2) for name in LONG}
    return {
        "first_audio_s": median,
        "times_the_short_text": times,
        "most": MOST_TIMES,
        "kept": all(ratio <= MOST_TIMES for ratio in times.values()),
        "letters": {name: len(text) for name, text in TEXTS.items()},
        "rounds": rounds,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results/fish_first_audio.json"))
    parser.add_argument("--size", choices=["tiny", "s1-mini"], default="s1-mini")
    parser.add_argument("--checkpoint", type=Path, help="a folder that is there already, codec.pth in it")
    parser.add_argument("--dtype", choices=["bfloat16", "float32", "int8", "int4"], default="bfloat16")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
