"""Worker threads that run model steps, most urgent stream first: admit, schedule, run, emit.

A model run never happens on the event loop, and never in more threads at once than the machine has room
for: two runs that fight for the same cores are slower than one after the other.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from june_tts.engine.schedule import Listening, Schedule, Step, Ticket
from june_tts.types import Samples

NICENESS = 5
"""Model threads yield the processor to the event loop, which must answer within milliseconds."""

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Task:
    """A piece's ticket and where its results go. Every callback is called on a lane thread."""

    ticket: Ticket
    emit: Callable[[Samples], None]
    ended: Callable[[BaseException | None], None]
    """Called exactly once unless the task is cancelled: None after the last step."""
    interrupt: Callable[[], None]
    """Stops a model run that is under way."""


class Lanes:
    """`count` threads over one schedule."""

    def __init__(self, name: str, *, count: int, ahead_seconds: float) -> None:
        self._name = name
        self._count = count
        self._lock = threading.Condition()
        self._schedule = Schedule(ahead_seconds)
        self._tasks: dict[Ticket, Task] = {}
        self._threads: list[threading.Thread] = []
        self._closing = False
        self.running = 0
        """Model runs under way at this moment."""
        self.streams = 0
        """Utterances begun and not ended; counted on the event loop."""

    def alone(self) -> bool:
        """Whether the one piece that runs has the machine to itself. For lane threads."""
        with self._lock:
            return self.running <= 1 and not self._schedule.can_run()

    def start(self) -> None:
        for i in range(self._count):
            thread = threading.Thread(target=self._run, name=f"{self._name}-lane-{i}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Cancel everything and wait for the threads; call off the event loop."""
        with self._lock:
            self._closing = True
            tasks = list(self._tasks.values())
            self._lock.notify_all()
        for task in tasks:
            self.cancel(task)
        for thread in self._threads:
            thread.join()

    def submit(self, task: Task) -> None:
        with self._lock:
            self._tasks[task.ticket] = task
            self._schedule.admit(task.ticket)
            self._lock.notify()

    def took(self, stream: Listening, seconds: float) -> None:
        """The reader took audio, so that there is room for more."""
        with self._lock:
            self._lock.notify(self._schedule.took(stream, seconds))

    def cancel(self, task: Task) -> None:
        """Stop a task: a run that is under way is interrupted, nothing is emitted after this returns."""
        with self._lock:
            interrupt = task.ticket.state == "running"
            self._finish(task)
        if interrupt:
            task.interrupt()

    def _finish(self, task: Task) -> None:
        self._schedule.end(task.ticket)
        self._tasks.pop(task.ticket, None)

    def _run(self) -> None:
        be_nice()
        while (task := self._next()) is not None:
            step, error = self._step(task)
            with self._lock:
                self.running -= 1
                if task.ticket.state == "ended":
                    continue
                if error is not None:
                    self._finish(task)
                    task.ended(None if isinstance(error, StopIteration) else error)
                    continue
                if isinstance(step, np.ndarray) and step.size:
                    task.emit(step)
                self._schedule.stepped(task.ticket, step, time.monotonic())

    def _next(self) -> Task | None:
        with self._lock:
            while not self._closing and not self._schedule.can_run():
                self._lock.wait()
            if self._closing:
                return None
            self.running += 1
            return self._tasks[self._schedule.next()]

    def _step(self, task: Task) -> tuple[Step, BaseException | None]:
        try:
            return next(task.ticket.steps), None
        except StopIteration as end:
            return None, end
        except Exception as error:  # noqa: BLE001  whatever a model run raises ends this stream, not the lane
            return None, error


def be_nice() -> None:
    """Lower the priority of the calling thread and of the threads it will start (Linux only)."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


async def in_nice_thread(work: Callable[[], T]) -> T:
    """Run slow set-up work in a thread of low priority; what it starts inherits that."""

    def nice_work() -> T:
        be_nice()
        return work()

    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None only where T is None

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = nice_work()
        except Exception as raised:  # noqa: BLE001  handed to the awaiting task
            error = raised
        with suppress(RuntimeError):  # the loop has closed meanwhile: nobody waits for this any more
            loop.call_soon_threadsafe(settle, result, error)

    # a thread of its own, not the pool's: a lowered priority cannot be raised again
    threading.Thread(target=run, name="set-up", daemon=True).start()
    return await done
