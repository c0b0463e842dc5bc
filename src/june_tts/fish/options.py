"""How the engine is to be loaded, and what it turns out to be: plain values that cross the process border."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from june_tts.errors import SettingsError
from june_tts.fish.events import LoopConfig

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "bfloat16", "float16", "int8", "int4"]

MOST_SLOTS = 1024
MOST_POSITIONS = 1 << 16
MOST_WINDOW = 1 << 20


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What a worker process is told at its start."""

    checkpoint: str
    """Folder with config.json, the weights and the tokeniser."""
    codec: str
    """The codec's file; empty for codes alone."""
    device: Device = "auto"
    precision: Precision = "bfloat16"
    slots: int = 16
    """Sequences that are in the works at a time."""
    positions: int = 0
    """Of each slot, prompt and frames together; 0 for what the checkpoint allows."""
    batch_invariant: bool = False
    """Codes do not depend on who else is in the batch; in float32 they never do."""
    compile: bool = False
    """Have torch write kernels for what is between the products."""
    threads: int = 0
    """Of a step on the CPU; 0 leaves it to torch."""
    window: int = 172
    """Frames (8 s) that are sent to a listener who takes none; then its stream stands still."""
    loop: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        """Raises: SettingsError, naming the field."""
        _one_of("device", self.device, get_args(Device))
        _one_of("precision", self.precision, get_args(Precision))
        _within("slots", self.slots, 1, MOST_SLOTS)
        _within("positions", self.positions, 0, MOST_POSITIONS)
        _within("threads", self.threads, 0, 1024)
        _within("window", self.window, 1, MOST_WINDOW)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a worker has loaded."""

    device: str
    """As torch names it: `cpu`, `cuda:0`."""
    precision: str
    codebooks: int
    slots: int
    positions: int
    kv_bytes: int
    sample_rate: int
    """Hz; 0 without a codec."""
    samples_per_frame: int
    """0 without a codec."""


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SettingsError(f"{name} is {value!r}, expected one of {', '.join(known)}")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise SettingsError(f"{name} is {value}, expected {least} to {most}")
