"""What the engine's process does from its first message to its last: take, turn, send. No torch.

Three threads: one reads messages into an inbox, one writes what leaves, and the main one alone touches the
loop. A model step is never held up by a reader of the socket that is slow for a moment.
"""

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from june_tts.errors import EngineFailed, JuneError
from june_tts.fish.events import Done, Failed, Frames, Request
from june_tts.fish.jobs import Decoder, Encoder, failed
from june_tts.fish.loop import Loop
from june_tts.fish.messages import (
    NOBODY,
    Cancel,
    Decode,
    Encode,
    FromEngine,
    Load,
    Message,
    Ping,
    Ready,
    Took,
    from_frame,
    to_frame,
)
from june_tts.fish.options import EngineInfo, EngineOptions
from june_tts.fish.sequence import Codec, SamplingParams
from june_tts.fish.windows import Windows
from june_tts.fish.wire import Unpacker, WireError, pack

READ_BYTES = 1 << 18
GRACE_SECONDS = 1.0
"""For a step under way, once the other end is gone; then the process ends in the middle of it."""
MOST_FAILED_STEPS = 3
"""In a row. A device that is lost never comes back, a new process may."""
WARM_UP = "warm-up"
WARM_UP_POSITIONS, WARM_UP_FRAMES = 8, 8

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine that is ready to run."""

    loop: Loop
    codec: Codec | None
    codebook_sizes: Sequence[int]
    info: EngineInfo
    window: int
    """See `EngineOptions.window`."""


class Serving:
    """One connection. `run` returns when the other end has closed it, or the engine is beyond help."""

    def __init__(
        self, connection: socket.socket, load: Callable[[EngineOptions], Loaded], abandon: Callable[[], None]
    ) -> None:
        """
        Args:
            load: raises ModelUnavailable.
            abandon: ends the process at once; called where a step goes on though nobody waits for it.
        """
        self._connection = connection
        self._load = load
        self._abandon = abandon
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[FromEngine | None] = queue.SimpleQueue()
        self._closed = False

    def run(self) -> None:
        # before anything is loaded, so that a process whose parent dies meanwhile ends too
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        writer = threading.Thread(target=self._write, name="writer", daemon=True)
        writer.start()
        try:
            if (loaded := self._loaded()) is not None:
                self._outbox.put(Ready(loaded.info))
                Turning(loaded, self._inbox, self._outbox.put).run()
        finally:
            self._outbox.put(None)
            writer.join(GRACE_SECONDS)

    def _loaded(self) -> Loaded | None:
        message = self._inbox.get()
        if not isinstance(message, Load):
            if message is not None:
                log.error("the first message is not Load")
            return None
        began = time.monotonic()
        try:
            loaded = self._load(message.options)
            warm_up(loaded)
        except Exception as error:
            known = isinstance(error, JuneError)
            why = str(error) if known else f"the engine could not be loaded ({type(error).__name__}: {error})"
            if not known:  # else the server says it
                log.error("not loaded", exc_info=error)
            self._outbox.put(Failed(NOBODY, why, retryable=False))
            return None
        log.info("ready after %.1f s on %s", time.monotonic() - began, loaded.info.device)
        return loaded

    def _read(self) -> None:
        unpacker = Unpacker()
        try:
            while data := self._connection.recv(READ_BYTES):
                for frame in unpacker.feed(data):
                    self._inbox.put(from_frame(frame))
        except (OSError, WireError) as bad:
            log.error("connection lost: %s", bad)
        self._inbox.put(None)
        time.sleep(GRACE_SECONDS)
        self._abandon()

    def _write(self) -> None:
        try:
            while (message := self._outbox.get()) is not None:
                self._connection.sendall(pack(to_frame(message)))
        except OSError:
            return  # the reader notices too
        except WireError:
            log.exception("a message cannot be sent")
            self._connection.shutdown(socket.SHUT_RDWR)


class Turning:
    """The main thread's part: take what has come, turn the loop, send what it made."""

    def __init__(
        self, loaded: Loaded, inbox: queue.SimpleQueue[Message | None], send: Callable[[FromEngine], None]
    ) -> None:
        self._loop = loaded.loop
        self._inbox = inbox
        self._send = send
        self._encoder = Encoder(loaded.codec, send)
        self._decoder = Decoder(loaded.codec, loaded.codebook_sizes, send)
        self._windows = Windows(loaded.window, loaded.loop.park)

    def run(self) -> None:
        """Until the other end is gone or the device is."""
        while self._take() and self._able():
            for event in self._loop.turn():
                self._emit(event)
            self._decoder.turn()

    def _take(self) -> bool:
        """Read what has come, waiting while there is nothing to do. False once the other end is gone."""
        idle = not (self._loop.busy or self._decoder.busy)
        while idle or not self._inbox.empty():
            if (message := self._inbox.get()) is None:
                return False
            self._handle(message)
            idle = False
        return True

    def _able(self) -> bool:
        failed_steps = self._loop.stats().failures_in_row
        if failed_steps >= MOST_FAILED_STEPS:
            log.error("%d steps failed in a row: ending, so that a new process can be tried", failed_steps)
            return False
        return True

    def _handle(self, message: Message) -> None:
        match message:
            case Request() | Encode() | Decode():
                self._submit(message)
            case Took():
                self._windows.took(message.id, message.frames)
            case Cancel():
                self._loop.cancel(message.id)
                self._encoder.cancel(message.id)
                self._decoder.cancel(message.id)
            case Ping():
                self._send(self._loop.stats())
            case _:
                log.warning("%s is no message to an engine", type(message).__name__)

    def _submit(self, message: Request | Encode | Decode) -> None:
        try:
            match message:
                case Request():
                    self._loop.submit(message)
                case Encode():
                    self._encoder.submit(message)
                case Decode():
                    self._decoder.submit(message)
        except Exception as error:  # noqa: BLE001  whatever it raises ends this request, not the process
            self._send(failed(message.id, error))

    def _emit(self, event: Frames | Done | Failed) -> None:
        self._send(event)
        if isinstance(event, Frames):
            self._windows.sent(event.id, event.codes.shape[1])
        else:
            self._windows.forget(event.id)


def warm_up(loaded: Loaded) -> None:
    """Speak a few frames and throw them away, so that the first request is as fast as the tenth.

    Raises: EngineFailed, or whatever the model raises.
    """
    columns = np.zeros((loaded.info.codebooks + 1, WARM_UP_POSITIONS), np.int32)
    loaded.loop.submit(
        Request(WARM_UP, columns, params=SamplingParams(greedy=True, max_frames=WARM_UP_FRAMES))
    )
    while loaded.loop.busy:
        for event in loaded.loop.turn():
            if isinstance(event, Failed):
                raise EngineFailed(f"the first words failed: {event.message}")
