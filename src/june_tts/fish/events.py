"""What goes into the loop and what comes out of it. Frozen values, fit to cross a process border."""

from dataclasses import dataclass, field, fields

from june_tts.errors import SettingsError
from june_tts.fish.sequence import Codes, Columns, SamplingParams, Stop
from june_tts.types import Samples

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """The limits of a loop."""

    max_batch: int | None = None
    """Sequences in one step at most; None for as many as there are slots."""
    max_waiting: int = 64
    """Requests that may wait for a slot; one more is refused."""
    prefill_chunk: int = 128
    """Columns of prompts computed in one step at most, and the grid on which a prompt is cut."""
    first_frames: int = 3
    """Frames of a stream's first audio."""
    most_frames: int = 32
    """Of any later chunk (1.5 s)."""
    codec_frames: int = 256
    """Frames that one turn decodes at most: how long the codec may hold the model up."""
    prefix_bytes: int = 512 * MIB
    """Kept KV of voices; 0 to keep none. A voice of 20 s is 50 MB in bf16 (S1-mini)."""
    illegal_guard: int = 16
    """End with `Stop.ILLEGAL` after so many frames in a row that are no audio; 0 for never."""

    def __post_init__(self) -> None:
        """Raises: SettingsError, naming the field."""
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise SettingsError(f"{name} is {value}, expected at least {least}")
        if not self.first_frames <= self.most_frames <= self.codec_frames:
            raise SettingsError(
                f"first_frames {self.first_frames}, most_frames {self.most_frames} and codec_frames "
                f"{self.codec_frames} are expected in ascending order"
            )


_LEAST = {
    f.name: 0 if f.name in ("max_waiting", "prefix_bytes", "illegal_guard") else 1 for f in fields(LoopConfig)
}


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to be spoken."""

    id: str
    columns: Columns
    """Shape (codebooks + 1, positions)."""
    prefix: int = 0
    """So many leading columns depend on the voice alone: their KV is kept and shared."""
    params: SamplingParams = field(default_factory=SamplingParams)
    realtime: bool = True
    """Somebody listens while it is made. Otherwise audio comes in the largest chunks, and the stream steps
    back where not all fit into a step."""
    keep_columns: bool = False
    """Hand over every column with `Done`, those that are no audio too."""
    trace: str = ""
    """W3C's `traceparent` of whoever asked, for the log; empty where nobody traces it."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds since the request was submitted; None for what it did not come to."""

    admitted: float | None = None
    """It got its slot."""
    first_frame: float | None = None
    first_audio: float | None = None
    """Its first `Frames` left."""
    ended: float = 0.0
    last_frame: float | None = None
    came: float = 0.0
    """When it was submitted: `time.monotonic()`, which the processes of a machine share."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The next audio of a request."""

    id: str
    codes: Codes
    samples: Samples | None
    """None where the loop has no codec."""


@dataclass(frozen=True, slots=True)
class Done:
    """The request is over. Nothing comes after it."""

    id: str
    stop: Stop
    frames: int
    """Frames that were sent."""
    illegal: int
    """Frames that were no audio, and were not sent."""
    timings: Timings
    columns: Columns | None = None
    """All that the model made, `<|im_end|>` and illegal ones included, shape (codebooks + 1, made); where
    `keep_columns` asked for it."""
    steps: int = 0
    """Runs of the model that made a column of it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The request could not be finished. Nothing comes after it."""

    id: str
    message: str
    retryable: bool


Event = Frames | Done | Failed


@dataclass(frozen=True, slots=True)
class Stats:
    """How a loop is doing. Counters run from its start."""

    slots: int
    running: int
    """Requests that have a slot."""
    waiting: int
    """Requests that wait for one."""
    voicing: int
    """Requests whose last frames are yet to be sent; their slots are free again."""
    steps: int
    rows: int
    """Sequences in all steps together; `rows / steps` is the mean batch."""
    last_batch: int
    kv_positions: int
    """Positions in all slots."""
    kv_used: int
    """Those that the running requests have filled."""
    frames: int
    """Columns that the model made."""
    illegal_frames: int
    prefill_columns: int
    codec_calls: int
    codec_frames: int
    prefixes: int
    prefix_bytes: int
    prefix_hits: int
    prefix_misses: int
    failed_steps: int
    failures_in_row: int
    """Steps that failed since the last one that did not: a runner that has lost its device never recovers."""
