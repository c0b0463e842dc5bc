"""The Fish engine on a GPU: the same codes as on a CPU, from CUDA graphs, whoever is in the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from bench.fish_checkpoint import write_checkpoint
from bench.fish_codec_file import write_codec

from june_tts.fish.codec import Codec
from june_tts.fish.offline import Offline
from june_tts.fish.sequence import SamplingParams

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
]

TEXTS = ["The first of them.", "A second, which is somewhat longer than the first.", "And a third."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), seed=6)


@pytest.fixture(scope="module", autouse=True)
def exact_products() -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


@pytest.mark.parametrize("greedy", [True, False], ids=["greedy", "drawn"])
def test_codes_are_those_of_a_cpu(folder: Path, greedy: bool) -> None:
    params = SamplingParams(greedy=greedy, seed=3, max_frames=100)
    expected = Offline(folder, "float32").codes(TEXTS, params)
    found = Offline(folder, "float32", "cuda").codes(TEXTS, params)
    for (codes, stop), (wanted, wanted_stop) in zip(found, expected, strict=True):
        assert stop == wanted_stop
        np.testing.assert_array_equal(codes, wanted)


def test_a_batch_does_not_change_a_requests_codes(folder: Path) -> None:
    engine = Offline(folder, "float32", "cuda")
    params = SamplingParams(seed=3, max_frames=100)
    together = engine.codes(TEXTS, params)
    for text, (codes, _) in zip(TEXTS, together, strict=True):
        np.testing.assert_array_equal(engine.codes([text], params)[0][0], codes)


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "int8", "int4"])
def test_every_precision_speaks(folder: Path, precision: str) -> None:
    codes, _ = Offline(folder, precision, "cuda").codes(TEXTS[:1], SamplingParams(max_frames=20))[0]  # type: ignore[arg-type]  # pytest gives strings
    assert codes.shape == (10, 20)


def test_the_codec_decodes_what_a_cpu_decodes(tmp_path: Path) -> None:
    path = tmp_path / "codec.pth"
    write_codec(path, size="tiny")
    codes = np.random.default_rng(2).integers(0, 1024, (10, 30), dtype=np.int32)
    made = []
    for device in ("cpu", "cuda"):
        codec = Codec(path, device=device)
        made.append(codec.decode([codec.stream()], [codes])[0])
    np.testing.assert_allclose(made[1], made[0], atol=1e-4)
