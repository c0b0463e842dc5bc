"""What decides, and what the server's process loads, imports no torch: not through others, not lazily."""

from pathlib import Path

import grimp
import pytest

import june_tts.fish

pytestmark = pytest.mark.unit

WITH_TORCH = {
    *(
        "checkpoint",
        "loading",
        "transformer",
        "frame",
        "linear",
        "quantize",
        "sampler",
        "sampler_cpu",
        "sampling_rules",
        "runner",
        "together",
    ),
    *("codec", "codec_decoder", "codec_encoder", "codec_layers", "codec_stream", "codec_transformer"),
    *("codec_weights", "compiled", "build", "offline", "worker", "bench", "peer"),
}
"""The files of the package that compute, the process that they run in, and what measures them."""


def test_torch_is_reached_from_the_files_that_compute_alone() -> None:
    imports = grimp.build_graph("june_tts", include_external_packages=True, cache_dir=None)
    files = {path.stem for path in Path(june_tts.fish.__file__).parent.glob("*.py")} - {"__init__"}
    chains = {name: imports.find_shortest_chain(f"june_tts.fish.{name}", "torch") for name in files}
    assert {name: chain for name, chain in chains.items() if chain and name not in WITH_TORCH} == {}
