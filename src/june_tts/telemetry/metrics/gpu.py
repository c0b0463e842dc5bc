"""The GPUs of the machine, as NVML read them a second ago or less."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from june_tts.telemetry.nvml import Gpu

GAUGES: dict[str, tuple[str, Callable[[Gpu], float | None]]] = {
    "tts_gpu_memory_used_bytes": ("Memory in use, by whatever process", lambda gpu: gpu.memory_used),
    "tts_gpu_memory_total_bytes": ("Memory there is", lambda gpu: gpu.memory_total),
    "tts_gpu_utilisation_ratio": ("Share of the time in which anything ran", lambda gpu: gpu.utilisation),
    "tts_gpu_temperature_celsius": ("How hot it is", lambda gpu: gpu.temperature),
}


class GpuCollector(Collector):
    def __init__(self, gpus: Callable[[], Sequence[Gpu]]) -> None:
        self._gpus = gpus

    def collect(self) -> Iterator[Metric]:
        gpus = self._gpus()
        for name, (meaning, value) in GAUGES.items() if gpus else ():
            family = GaugeMetricFamily(name, meaning, labels=["gpu"])
            for gpu in gpus:
                if (told := value(gpu)) is not None:
                    family.add_metric([str(gpu.index)], told)
            yield family
