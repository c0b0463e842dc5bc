"""ONNX Runtime sessions for the CPU, set up for serving: few threads, none that burns a core for nothing."""

import functools
from pathlib import Path
from typing import Any

import onnxruntime as ort

from june_tts.errors import ModelUnavailable

SPIN_MICROSECONDS = 200
"""How long a pool thread looks for work before it sleeps: longer than the gap between two nodes of a graph,
so that none sleeps within a run, and short enough to be gone when another stream wants the core. Measured
with joe on two cores, audio seconds per second for 20 and 100 characters: sleeping at once 24 and 31, this 35
and 33, spinning without limit (the default) 17 and 23 as soon as a second session is loaded."""

ort.set_default_logger_severity(3)  # errors only: warnings name graph nodes, which help no operator


def open_session(model: Path | bytes, *, threads: int, name: str) -> ort.InferenceSession:
    """Load a model from a file or from its bytes.

    Raises:
        ModelUnavailable: it cannot be read as an ONNX model.
    """
    _share_arena()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # a plan of the memory for each shape of input that ever came, kept for good: no two sentences are alike
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_MICROSECONDS))
    try:
        source: Any = model if isinstance(model, bytes) else str(model)
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as bad:
        raise ModelUnavailable(f"{name} cannot be loaded as an ONNX model: {bad}") from bad


@functools.cache
def _share_arena() -> None:
    """Memory for runs is taken from one arena by all sessions of the process, once.

    An arena never gives memory back. With one of its own each session keeps what its largest run ever took:
    joe's three on two cores held 160 MB more, and grew for as long as longer sentences met each other.
    """
    cpu = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    unlimited, usual = 0, -1
    arena = ort.OrtArenaCfg(
        {
            "max_mem": unlimited,
            "arena_extend_strategy": usual,
            "initial_chunk_size_bytes": usual,
            "max_dead_bytes_per_chunk": usual,
        }
    )
    ort.create_and_register_allocator(cpu, arena)


class Run:
    """Runs models for one stream; `interrupt` ends the run under way, and every later one, at once."""

    def __init__(self) -> None:
        self._options = ort.RunOptions()
        self._options.log_severity_level = 4  # an interrupted run is no error

    def __call__(self, session: ort.InferenceSession, feeds: dict[str, Any]) -> list[Any]:
        result: list[Any] = session.run(None, feeds, self._options)
        return result

    def interrupt(self) -> None:
        self._options.terminate = True
