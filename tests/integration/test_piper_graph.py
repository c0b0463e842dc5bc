"""The rewritten encoder of the packaged voice gives what the exporter's gives, noise and all."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from onnx.utils import Extractor

from june_tts.engine.onnx import open_session
from june_tts.engine.piper_graph import simplified
from june_tts.engine.piper_split import DECODER
from june_tts.models.embedded import joe

pytestmark = pytest.mark.integration

REWRITTEN = ("/Softmax", "/ReduceMean", "/ScatterND")
TOKENS_NOISE, FRAMES_NOISE = "/dp/RandomNormalLike_output_0", "/RandomNormalLike_output_0"


def exported() -> onnx.ModelProto:
    """The encoder half as the exporter left it."""
    whole = onnx.load(str(joe().model))
    latent = next(n.input[0] for n in whole.graph.node if n.name.startswith(f"{DECODER}conv_pre/"))
    return Extractor(whole).extract_model([i.name for i in whole.graph.input], [latent])


def with_noise_as_input(model: onnx.ModelProto) -> ort.InferenceSession:
    for node in [node for node in model.graph.node if node.op_type == "RandomNormalLike"]:
        model.graph.node.remove(node)
        noise = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, [None, None, None])
        model.graph.input.append(noise)
    return open_session(model.SerializeToString(), threads=1, name="encoder")


@pytest.fixture(scope="module")
def theirs() -> ort.InferenceSession:
    return with_noise_as_input(exported())


@pytest.fixture(scope="module")
def ours() -> ort.InferenceSession:
    return with_noise_as_input(simplified(exported()))


Feeds = Callable[[int, float], dict[str, Any]]


@pytest.fixture
def feeds() -> Feeds:
    random = np.random.default_rng(7)

    def made(tokens: int, spread: float) -> dict[str, Any]:
        return {
            "input": random.integers(1, 60, (1, tokens)),
            "input_lengths": np.array([tokens]),
            "scales": np.array([0.667, 1.0, 0.8], np.float32),
            TOKENS_NOISE: (spread * random.standard_normal((1, 2, tokens))).astype(np.float32),
            FRAMES_NOISE: np.zeros((1, 192, 1), np.float32),
        }

    return made


@pytest.mark.parametrize("tokens", [1, 2, 3, 5, 6, 40, 200])
@pytest.mark.parametrize("spread", [0.0, 1.0, 5.0], ids=["mean", "usual", "beyond the spline's tails"])
def test_same_latent(
    tokens: int, spread: float, theirs: ort.InferenceSession, ours: ort.InferenceSession, feeds: Feeds
) -> None:
    feed = feeds(tokens, spread)
    frames = theirs.run(None, feed)[0].shape[2]
    feed[FRAMES_NOISE] = np.random.default_rng(1).standard_normal((1, 192, frames)).astype(np.float32)
    expected, got = theirs.run(None, feed)[0], ours.run(None, feed)[0]
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-3, rtol=1e-3)


def test_every_region_is_rewritten() -> None:
    before, after = exported().graph, simplified(exported()).graph
    names = {node.name for node in after.node}
    assert len(after.node) < len(before.node) / 2
    assert not [name for name in names if not name.startswith("june/") and name.endswith(REWRITTEN)]
    masked = [node for node in after.node if node.op_type == "Mul" and "/enc_p/Cast_1_output_0" in node.input]
    assert not masked


def test_unknown_graph_stays_as_it_is() -> None:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    nodes = [helper.make_node("Neg", ["x"], ["z"], "/a"), helper.make_node("Exp", ["z"], ["y"], "/b")]
    model = helper.make_model(helper.make_graph(nodes, "other", value[:1], value[1:]), ir_version=8)
    session = open_session(simplified(model).SerializeToString(), threads=1, name="other")
    assert session.run(None, {"x": np.ones(1, np.float32)})[0] == pytest.approx(np.exp(-1))
