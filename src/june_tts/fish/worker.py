"""The engine's process: `python -m june_tts.fish.worker SOCKET`, the number of a socket it was given.

It speaks `messages.py` over that socket alone, logs to stderr, reads no setting from the environment, and
ends when the other end of the socket does.
"""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable

from june_tts.errors import ModelUnavailable
from june_tts.fish.options import EngineOptions
from june_tts.fish.serving import Loaded, Serving

LOG_FORMAT = "fish: %(levelname)s: %(message)s"


def run(load: Callable[[EngineOptions], Loaded]) -> None:
    """Serve the socket named on the command line. The whole of a process's life."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_FORMAT)
    # Ctrl-C and a stopping service reach the whole group of processes; the server still lets streams finish,
    # and closes the socket when they have.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=_descriptor()) as connection:
        # or a process started by a library would keep it open after this one has died
        os.set_inheritable(connection.fileno(), False)
        Serving(connection, load, abandon=lambda: os._exit(1)).run()


def _descriptor() -> int:
    arguments = sys.argv[1:]
    if len(arguments) != 1 or not arguments[0].isdigit():
        raise SystemExit("usage: python -m june_tts.fish.worker SOCKET (started by june-tts itself)")
    return int(arguments[0])


def load(options: EngineOptions) -> Loaded:
    """Imports torch only once somebody listens to what goes wrong. Raises: ModelUnavailable."""
    try:
        from june_tts.fish.loading import load_engine
    except ImportError as missing:
        raise ModelUnavailable(
            f"it needs {missing.name}: run `make fish`, or install june-tts with its extra `fish`"
        ) from missing
    return load_engine(options)


if __name__ == "__main__":
    run(load)
