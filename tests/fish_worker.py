"""The engine's process over the fakes: what the tests of the handle start instead of the real one.

    python -m tests.fish_worker [--step SECONDS] [--stuck] [--fail MESSAGE] [--die] [--hoard] SOCKET

It is the real process but for the model: the same socket, threads and loop.
"""

import os
import signal
import sys
import time
from argparse import ArgumentParser, Namespace

from june_tts.errors import ModelUnavailable
from june_tts.fish.loop import Loop
from june_tts.fish.options import EngineInfo, EngineOptions
from june_tts.fish.sequence import Codes
from june_tts.fish.serving import WARM_UP_FRAMES, Loaded
from june_tts.fish.worker import run
from june_tts.types import Samples
from tests.fish_fakes import SIZES, FakeCodec, FakeRunner

STUCK_SECONDS = 3600.0
HOARD_BYTES = 1 << 24


class SlowCodec(FakeCodec):
    """Encoding takes a second."""

    def encode(self, samples: Samples) -> Codes:
        time.sleep(1.0)
        return super().encode(samples)


class Hoarder:
    """Takes memory until there is none: the process gets a MemoryError, or is killed for it."""

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGUSR1, self._ask)

    def step(self) -> None:
        taken = []
        while self._asked:
            try:
                taken.append(bytearray(HOARD_BYTES))
            except MemoryError:
                self._asked = False
                raise

    def _ask(self, *_: object) -> None:
        self._asked = True


def arguments() -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("--step", type=float, default=0.0, help="seconds that a step takes")
    parser.add_argument("--stuck", action="store_true", help="the first step after the warm-up never ends")
    parser.add_argument("--broken", action="store_true", help="every step after the warm-up fails")
    parser.add_argument("--slow-encoder", action="store_true")
    parser.add_argument("--refuse", default="", help="say this instead of loading")
    parser.add_argument("--die", action="store_true", help="die while loading")
    parser.add_argument("--hoard", action="store_true", help="at SIGUSR1 the next step takes all memory")
    parser.add_argument("socket")
    return parser.parse_args()


def load_fakes(given: Namespace, options: EngineOptions) -> Loaded:
    if given.refuse:
        raise ModelUnavailable(given.refuse)
    if given.die:
        os.abort()
    hoarder = Hoarder() if given.hoard else None
    runner = FakeRunner(options.slots, options.positions or 4096, end_every=0, illegal_every=0)
    warm = [WARM_UP_FRAMES]

    def before_step(index: int) -> None:
        time.sleep(given.step)
        if index < warm[0]:
            return
        if hoarder:
            hoarder.step()
        if given.broken:
            raise RuntimeError("the device is lost")
        if given.stuck:
            time.sleep(STUCK_SECONDS)

    runner.before_step = before_step
    codec = (SlowCodec if given.slow_encoder else FakeCodec)() if options.codec else None
    info = EngineInfo(
        device="fake",
        precision=options.precision,
        codebooks=len(SIZES),
        slots=runner.slots,
        positions=runner.positions,
        kv_bytes=runner.kv_bytes,
        sample_rate=codec.sample_rate if codec else 0,
        samples_per_frame=codec.samples_per_frame if codec else 0,
    )
    return Loaded(Loop(runner, codec, options.loop), codec, SIZES, info, options.window)


if __name__ == "__main__":
    given = arguments()
    sys.argv = [sys.argv[0], given.socket]
    run(lambda options: load_fakes(given, options))
