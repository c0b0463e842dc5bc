"""The engine's process by itself: with garbage, with nobody at the other end, with nothing to do."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
from tests.fish_handles import command, options
from tests.fish_loops import request

from june_tts.fish.events import Failed
from june_tts.fish.messages import Cancel, CodesMade, Load, Message, Ping, Ready, Took, from_frame, to_frame
from june_tts.fish.wire import Unpacker, pack

pytestmark = pytest.mark.integration

PATIENCE = 20.0
PARENT = """
import asyncio, sys
from contextlib import aclosing
from june_tts.fish.sequence import SamplingParams
from tests.fish_handles import handle, text

async def main():
    async with handle(*sys.argv[1:]) as engine:
        async with aclosing(engine.generate(text(), SamplingParams(max_frames=100_000))) as made:
            print(engine.pid, flush=True)
            async for _ in made:
                pass

asyncio.run(main())
"""


class Worker:
    """A process and our end of its socket."""

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket) -> None:
        self.process = process
        self.socket = ours
        self._unpacker = Unpacker()
        self._messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.socket.sendall(pack(to_frame(message)))

    def next(self) -> Message:
        while not self._messages:
            data = self.socket.recv(1 << 16)
            assert data, "the process has closed its socket"
            self._messages += map(from_frame, self._unpacker.feed(data))
        return self._messages.pop(0)

    def ended(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def worker(*given: str, loaded: bool = True) -> Iterator[Worker]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen([*command(*given), str(theirs.fileno())], pass_fds=[theirs.fileno()])
    with process, ours:
        ours.settimeout(PATIENCE)
        started = Worker(process, ours)
        try:
            if loaded:
                started.send(Load(options()))
                assert isinstance(started.next(), Ready)
            yield started
        finally:
            process.kill()


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 64, pack(to_frame(Ping()))[:-1] + b"\xff"]
)
def test_garbage_ends_the_process_at_once(garbage: bytes) -> None:
    with worker() as started:
        started.socket.sendall(garbage)
        began = time.monotonic()
        started.ended()
        assert time.monotonic() - began < 5


def test_a_damaged_length_ends_it_too_and_is_not_waited_for() -> None:
    data = bytearray(pack(to_frame(Took("1", 1))))
    data[6] ^= 0x40
    with worker() as started:
        started.socket.sendall(bytes(data))
        started.ended()


def test_a_first_message_that_is_not_load_ends_it() -> None:
    with worker(loaded=False) as started:
        started.send(Ping())
        assert started.ended() == 0


def test_a_model_that_cannot_be_loaded_is_told_to_nobody_in_particular() -> None:
    with worker("--refuse", "no such folder", loaded=False) as started:
        started.send(Load(options()))
        told = started.next()
        assert isinstance(told, Failed)
        assert (told.id, told.message, told.retryable) == ("", "no such folder", False)
        started.ended()


def test_messages_out_of_place_harm_nobody() -> None:
    with worker() as started:
        for message in (
            Cancel("no such"),
            Took("no such", 5),
            CodesMade("1", np.zeros((3, 1), np.int32)),
            Load(options()),
        ):
            started.send(message)
        started.send(request("real"))
        kinds = [type(started.next()).__name__]
        while kinds[-1] != "Done":
            kinds.append(type(started.next()).__name__)
        assert set(kinds) == {"Frames", "Done"}


def test_two_requests_of_one_id_are_one_and_a_refusal() -> None:
    with worker("--step", "0.01") as started:
        started.send(request("same"))
        started.send(request("same"))
        first = started.next()
        assert isinstance(first, Failed) and "id" in first.message and not first.retryable


def test_an_idle_process_sleeps() -> None:
    with worker() as started:
        started.send(request("a"))
        while type(started.next()).__name__ != "Done":
            pass
        process = psutil.Process(started.process.pid)
        before = sum(process.cpu_times()[:2])
        time.sleep(1.0)
        assert sum(process.cpu_times()[:2]) - before < 0.05


def test_closing_the_socket_ends_the_process() -> None:
    with worker() as started:
        started.socket.close()
        assert started.ended() == 0


def test_closing_the_socket_ends_a_process_whose_step_does_not_end() -> None:
    with worker("--stuck") as started:
        started.send(request("a"))
        time.sleep(0.3)
        started.socket.close()
        assert started.ended() == 1


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_the_whole_group_do_not_end_it_under_its_streams(signal_number: int) -> None:
    with worker() as started:
        started.process.send_signal(signal_number)
        started.send(request("a"))
        while type(started.next()).__name__ != "Done":
            pass


@pytest.mark.parametrize("state", [(), ("--stuck",)])
def test_a_parent_that_is_killed_leaves_no_process(state: tuple[str, ...]) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *state], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent:
        child = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.3)
        os.kill(parent.pid, signal.SIGKILL)
        child.wait(5)


def test_the_command_line_says_what_is_wrong_with_it() -> None:
    for arguments in ([], ["x"], ["1", "2"]):
        done = subprocess.run(
            [sys.executable, "-m", "june_tts.fish.worker", *arguments], capture_output=True, timeout=60
        )
        assert done.returncode == 1 and b"usage" in done.stderr
