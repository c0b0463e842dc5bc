"""The benchmarks of what company and precision change, on a tiny model: they find what is known there."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.services import missing

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]


def measured(out: Path, module: str, *options: str) -> Any:
    """The JSON that a benchmark writes."""
    if importlib.util.find_spec("torch") is None:
        missing("torch (make fish)")
    line = [sys.executable, "-m", module, "--size", "tiny", "--out", str(out), *options]
    run = subprocess.run(
        line, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return json.loads(out.read_text())


def test_codes_depend_on_company_neither_in_float32_nor_with_batch_invariant_products(tmp_path: Path) -> None:
    options = ("--requests", "4", "--frames", "12", "--precisions", "float32,bfloat16")
    shares = measured(tmp_path / "out", "bench.fish_divergence", *options)["shares"]
    assert len(shares) == 2 * 2 * 2 * 2
    usual = [share for share in shares if share["precision"] == "bfloat16" and not share["invariant"]]
    assert all(share["differing"] == 0 for share in shares if share not in usual)
    # in bfloat16 a random model of this size leaves its way within some frames: that is what is to be found
    assert any(share["differing"] for share in usual)
    for share in usual:
        assert len(share["first_frames"]) == share["differing"] <= share["requests"] == 4
        assert all(0 <= frame < 12 for frame in share["first_frames"])


def test_fewer_bits_cost_more_and_float32_nothing(tmp_path: Path) -> None:
    options = ("--precisions", "float32,bfloat16,int8")
    costs = measured(tmp_path / "out", "bench.fish_logits", *options)["costs"]
    for head in ("slow", "fast"):
        exact, half, eight = (
            max(cost[head]["rms"] for cost in costs if cost["precision"] == precision)
            for precision in ("float32", "bfloat16", "int8")
        )
        assert exact < 1e-4 < half < eight
        assert all(cost[head]["largest"] >= cost[head]["rms"] for cost in costs)
        assert {cost[head]["other_winner"] for cost in costs if cost["precision"] == "float32"} == {0}
