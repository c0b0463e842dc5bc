"""config.json: read with the reference's defaults, refused with the field and what was expected."""

import json
from pathlib import Path
from typing import Any

import pytest

from june_tts.errors import ModelUnavailable
from june_tts.fish.config import ModelConfig

pytestmark = pytest.mark.unit

LEAST: dict[str, Any] = {"model_type": "dual_ar", "vocab_size": 500, "dim": 96, "n_layer": 2, "n_head": 4}


def written(folder: Path, **fields: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(LEAST | fields))
    return folder


def test_what_is_absent_is_the_slow_towers(tmp_path: Path) -> None:
    config = ModelConfig.read(
        written(tmp_path, n_local_heads=2, head_dim=32, attention_qk_norm=True, fast_dim=64)
    )
    assert (config.fast.dim, config.fast.heads, config.fast.kv_heads, config.fast.head_dim) == (64, 4, 2, 32)
    assert config.fast.qk_norm and config.slow.qkv == (4 + 2 + 2) * 32


def test_null_is_absent(tmp_path: Path) -> None:
    config = ModelConfig.read(written(tmp_path, n_local_heads=None, intermediate_size=None, fast_n_head=None))
    assert config.slow.kv_heads == 4
    assert config.slow.hidden == 256  # two thirds of four times the width, up to a multiple of 256


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_type", "fish_qwen3_omni"),
        ("dim", 0),
        ("dim", "96"),
        ("n_layer", True),
        ("rope_base", -1),
        ("tie_word_embeddings", 1),
        ("n_local_heads", 3),
        ("fast_head_dim", 15),
        ("norm_fastlayer_input", True),
    ],
)
def test_a_wrong_field_is_named_with_its_value(tmp_path: Path, field: str, value: object) -> None:
    with pytest.raises(ModelUnavailable, match=rf"{field} is {value!r}, expected") as refused:
        ModelConfig.read(written(tmp_path, **{field: value}))
    assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize("content", ["{", "[]", " " * ((1 << 20) + 1)])
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        ModelConfig.read(tmp_path)


def test_a_folder_without_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"config\.json cannot be read"):
        ModelConfig.read(tmp_path)
