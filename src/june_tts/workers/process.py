"""The inside of a process that a supervisor started: what it is told, and how it ends."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import uvicorn

from june_tts.errors import InvalidRequest, JuneError, SettingsError
from june_tts.settings import Settings
from june_tts.telemetry import log
from june_tts.workers.control import Control, Line
from june_tts.workers.memory import give_back_large_blocks

FAILED, USAGE = 1, 2
"""Exit statuses, as the command line has them."""
ORPHAN_SECONDS = 5.0
"""To close everything, once the supervisor is gone."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a process is told first."""

    settings: Settings
    name: str
    path: str
    """Of the engines' Unix socket."""
    listener: int
    """File descriptor of the port; only web workers have it."""


T = TypeVar("T")
Work = Callable[[Control, Orders], Awaitable[None]]


def run(work: Work) -> None:
    """The whole of a process's life. `python -m … SOCKET`, the number of a socket it was given."""
    # Ctrl-C and a stopping service reach the whole group of processes; the supervisor tells this one
    # when it is time, and its end ends this one
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    give_back_large_blocks()
    try:
        on_the_fastest_loop(_live(_descriptor(), work))
    except JuneError as expected:
        sys.stderr.write(f"june-tts: {expected}\n")
        sys.exit(USAGE if isinstance(expected, InvalidRequest | SettingsError) else FAILED)


def on_the_fastest_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on the fastest event loop there is."""
    factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


def _descriptor() -> int:
    arguments = sys.argv[1:]
    if len(arguments) != 1 or not arguments[0].isdigit():
        raise SystemExit(f"usage: {sys.argv[0]} SOCKET (started by june-tts itself)")
    return int(arguments[0])


async def _live(descriptor: int, work: Work) -> None:
    os.set_inheritable(descriptor, False)
    control = await Control.over(socket.socket(fileno=descriptor))
    if (line := await control.hear()) is None:
        return
    orders = Orders(
        Settings.model_validate(line["settings"]), line["name"], line["path"], int(line["listener"])
    )
    log.configure(orders.settings.log_level, orders.settings.log_format)
    try:
        await work(control, orders)
    finally:
        await control.close()


async def told(control: Control, handle: Callable[[Line], None]) -> bool:
    """Take lines until one says `drain`. False where the supervisor is gone instead."""
    while (line := await control.hear()) is not None:
        if line.get("kind") == "drain":
            return True
        handle(line)
    # nobody is left who would end this process by force
    timer = threading.Timer(ORPHAN_SECONDS, lambda: os._exit(FAILED))
    timer.daemon = True
    timer.start()
    return False
