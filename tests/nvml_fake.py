"""NVIDIA's library as it would tell of two GPUs."""

from dataclasses import dataclass

MIB = 1 << 20


class NVMLError(Exception):
    """As the library's."""


@dataclass
class Memory:
    used: int
    total: int


@dataclass
class Rates:
    gpu: int


class FakeNvml:
    """Two GPUs; `lost`: it answers with an error."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self) -> None:
        self.lost = False
        self.split = False
        """Into instances, of which it does not tell how busy they are."""

    def nvmlDeviceGetCount(self) -> int:
        if self.lost:
            raise NVMLError
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Memory:
        return Memory((handle + 1) * MIB, 80 * MIB)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Rates:
        if self.split:
            raise NVMLError
        return Rates(25 * (handle + 1))

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return 40 + handle + sensor
