"""Makes a Kokoro model tell how long each of its phonemes lasts."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def timed(model: Path) -> tuple[bytes, bool]:
    """A model's bytes, with the lengths of its phonemes in frames as its second output where they are found.

    The duration predictor rounds to whole frames, of which each phoneme has at least one: a Round and a Clip
    after it, the only such pair in every published export. Raises what onnx raises for a damaged file.
    """
    data = model.read_bytes()
    graph = onnx.load_model_from_string(data).graph
    rounded = {name for node in graph.node if node.op_type == "Round" for name in node.output}
    found = [n.output[0] for n in graph.node if n.op_type in ("Clip", "Max") and rounded & set(n.input)]
    if len(found) != 1 or len(graph.output) != 1:
        return data, False
    output = helper.make_tensor_value_info(found[0], TensorProto.FLOAT, None)
    # appended messages are merged by every protobuf reader: no second copy of the weights is made
    more = onnx.ModelProto(graph=onnx.GraphProto(output=[output]))
    return data + more.SerializeToString(), True
