"""NVIDIA's library that tells of GPUs, where there is one. Imported when it is asked for the first time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

READ_SECONDS = 1.0
"""Between two readings; each takes about a millisecond a GPU."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at one moment."""

    index: int
    """As the library counts them, from 0."""
    memory_used: int
    """Bytes, by whatever process."""
    memory_total: int
    utilisation: float | None
    """Share of the last moment in which anything ran on it, 0 .. 1; None where it does not tell, as one that
    is split into instances (MIG)."""
    temperature: float | None
    """Degrees Celsius."""


class NoGpus(Exception):
    """There is no NVML, or it fails."""


def nvml() -> Any:
    """The library, ready to be asked. Raises: NoGpus."""
    try:
        import pynvml  # type: ignore[import-untyped]  # it ships no types
    except ImportError:
        raise NoGpus("nvidia-ml-py is not installed") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as bad:
        raise NoGpus(type(bad).__name__) from bad
    return pynvml


def read(library: Any) -> list[Gpu]:
    """Every GPU now. Takes milliseconds: not for the event loop. Raises: NoGpus."""
    try:
        return [_read(library, index) for index in range(library.nvmlDeviceGetCount())]
    except library.NVMLError as bad:
        raise NoGpus(type(bad).__name__) from bad


def _read(library: Any, index: int) -> Gpu:
    handle = library.nvmlDeviceGetHandleByIndex(index)
    memory = library.nvmlDeviceGetMemoryInfo(handle)

    def told(ask: Callable[[], float]) -> float | None:
        try:
            return float(ask())
        except library.NVMLError:
            return None

    busy = told(lambda: library.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
    hot = told(lambda: library.nvmlDeviceGetTemperature(handle, library.NVML_TEMPERATURE_GPU))
    return Gpu(index, int(memory.used), int(memory.total), busy, hot)


class Gpus:
    """Reads them again and again, in a thread. `run` it in a task; cancelling ends it."""

    def __init__(self, library: Callable[[], Any] = nvml, pause: float = READ_SECONDS) -> None:
        self._library = library
        self._pause = pause
        self.now: Sequence[Gpu] = ()
        """As read last; empty without a GPU, and while it cannot be read."""

    async def run(self) -> None:
        """Returns at once where there are none."""
        try:
            library = await asyncio.to_thread(self._library)
        except NoGpus as none:
            log.debug("no GPU is watched", reason=str(none))
            return
        answers = True
        while True:
            try:
                self.now = await asyncio.to_thread(read, library)
                answers = True
            except NoGpus as lost:
                self.now = ()
                if answers:
                    log.warning("the GPUs cannot be read", reason=str(lost))
                answers = False
            await asyncio.sleep(self._pause)
