"""Rewrites the encoder half of a Piper voice into a fifth of its nodes, for one sentence at a time.

The exporter left 2,700 nodes, most of them arithmetic on shapes: a run spends longer on dispatching them than
on their sums, and loading them takes two seconds. Four regions are built anew from the same weights: layer
norms, relative attention, the splines of the duration predictor, and masks, which are all ones for a batch of
one. A region that does not look as expected stays as it is.

Sources of the formulas: VITS (Kim et al. 2021) for the whole; Shaw et al. 2018 for relative attention; Durkan
et al. 2019 ("Neural Spline Flows", section 3.1 and the inverse in appendix A.1) for the splines.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

OPSET = 17
"""The first with LayerNormalization, the last in which the exporter's ReduceMean means the same."""
TAIL = 5.0
"""Splines act within -TAIL .. TAIL, and leave what is outside as it is."""
LEAST_BIN = 1e-3
"""Of a bin's width and height, as a share of the whole, and of its slope."""
END_SLOPE = 0.5397423505783081
"""softplus(END_SLOPE) + LEAST_BIN = 1: the slope outside."""

Array = npt.NDArray[Any]


def simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same function for one sentence whose `input_lengths` is its length, in fewer nodes."""
    graph = _Graph(model)
    _drop_masks(graph)
    _drop_zeros(graph)
    _fuse_layer_norms(graph)
    _fuse_attention(graph)
    _fuse_splines(graph)
    return graph.finished()


class _Graph:
    """A model's nodes by output and by name; outputs can be redirected, what nobody reads is left out."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._maker = {out: node for node in model.graph.node for out in node.output}
        self._named = {node.name: node for node in model.graph.node}
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._instead: dict[str, str] = {}
        self._numbers = count()

    def named(self, name: str, op: str) -> onnx.NodeProto | None:
        node = self._named.get(name)
        return node if node is not None and node.op_type == op else None

    def nodes(self, op: str) -> Iterator[onnx.NodeProto]:
        return (node for node in self._model.graph.node if node.op_type == op)

    def maker(self, name: str) -> onnx.NodeProto | None:
        return self._maker.get(name)

    def value(self, name: str) -> Array | None:
        """Of a weight or a constant."""
        if name in self._stored:
            return numpy_helper.to_array(self._stored[name])
        node = self._maker.get(name)
        if node is None:
            return None
        if node.op_type == "Identity":
            return self.value(node.input[0])
        if node.op_type == "Constant":
            return numpy_helper.to_array(node.attribute[0].t)
        return None

    def constant(self, value: Array | float | list[int]) -> str:
        array = np.asarray(value, dtype=np.int64 if isinstance(value, list) else None)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"june/{next(self._numbers)}"
        self._stored[name] = numpy_helper.from_array(array, name)
        self._model.graph.initializer.append(self._stored[name])
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A new node; its one output's name."""
        name = f"june/{next(self._numbers)}/{op}"
        self._maker[name] = helper.make_node(op, list(inputs), [name], name, **attributes)
        return name

    def redirect(self, old: str, new: str) -> None:
        """Whoever read `old` reads `new`."""
        self._instead[old] = new

    def finished(self) -> onnx.ModelProto:
        ordered: list[onnx.NodeProto] = []
        done: set[str] = set()
        outputs = [output.name for output in self._model.graph.output]
        work = [(name, False) for name in reversed(outputs)]
        while work:  # depth first without recursion: the graph is a thousand nodes deep
            name, ready = work.pop()
            node = self._maker.get(name)
            if node is None or name in done:
                continue
            if ready:
                done.update(node.output)
                ordered.append(node)
                continue
            for place, source in enumerate(node.input):
                node.input[place] = self._final(source)
            work.append((name, True))
            work.extend((source, False) for source in node.input if source not in done)
        read = {name for node in ordered for name in node.input}
        graph = helper.make_graph(
            ordered,
            self._model.graph.name,
            list(self._model.graph.input),
            list(self._model.graph.output),
            [tensor for name, tensor in self._stored.items() if name in read],
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=self._model.ir_version
        )

    def _final(self, name: str) -> str:
        while name in self._instead:
            name = self._instead[name]
        return name


def _drop_masks(graph: _Graph) -> None:
    """One sentence has no padding: the masks of tokens and of frames are ones, `x * mask` is x."""
    masks = {name for name in ("/enc_p/Cast_1", "/Cast_2") if _is_mask(graph, name)}
    outputs = {f"{name}_output_0" for name in masks}
    for node in graph.nodes("Mul"):
        for one, other in (node.input, reversed(node.input)):
            if one in outputs and other not in outputs and graph.value(other) is None:
                graph.redirect(node.output[0], other)
                break


def _is_mask(graph: _Graph, name: str) -> bool:
    cast = graph.named(name, "Cast")
    wide = graph.maker(cast.input[0]) if cast is not None else None
    less = graph.maker(wide.input[0]) if wide is not None and wide.op_type == "Unsqueeze" else None
    return less is not None and less.op_type == "Less"


def _drop_zeros(graph: _Graph) -> None:
    """The flow adds zeros (no speaker) and multiplies with exp(-0) (a mean, no deviation)."""
    zeros = {
        node.output[0]
        for node in graph.nodes("ConstantOfShape")
        if node.name.startswith("/flow/") and not np.any(numpy_helper.to_array(node.attribute[0].t))
    }
    for node in graph.nodes("Add"):
        for one, other in (node.input, reversed(node.input)):
            if one in zeros and other not in zeros:
                graph.redirect(node.output[0], other)
    for exp in graph.nodes("Exp"):
        negative = graph.maker(exp.input[0])
        if negative is not None and negative.op_type == "Neg" and negative.input[0] in zeros:
            for node in graph.nodes("Mul"):
                if node.input[1] == exp.output[0]:
                    graph.redirect(node.output[0], node.input[0])


def _fuse_layer_norms(graph: _Graph) -> None:
    for mean in graph.nodes("ReduceMean"):
        module, _, last = mean.name.rpartition("/")
        scale, shift = graph.named(f"{module}/Mul", "Mul"), graph.named(f"{module}/Add_1", "Add")
        spare = graph.named(f"{module}/Add", "Add")
        if last != "ReduceMean" or scale is None or shift is None or spare is None:
            continue
        epsilon = graph.value(spare.input[1])
        if epsilon is None or graph.value(scale.input[1]) is None or graph.value(shift.input[1]) is None:
            continue
        fused = graph.add(
            "LayerNormalization",
            mean.input[0],
            scale.input[1],
            shift.input[1],
            axis=-1,
            epsilon=float(epsilon.item()),
        )
        graph.redirect(shift.output[0], fused)


def _fuse_attention(graph: _Graph) -> None:
    """Attention in which a token also sees how far another is, up to `window` tokens away."""
    shapes: _Band | None = None
    for out in graph.nodes("Conv"):
        module, _, last = out.name.removesuffix("/Conv").rpartition("/")
        if last != "conv_o":
            continue
        convs = [graph.named(f"{module}/{name}/Conv", "Conv") for name in ("conv_q", "conv_k", "conv_v")]
        near = [graph.value(f"{module[1:].replace('/', '.')}.{name}") for name in ("emb_rel_k", "emb_rel_v")]
        weights = graph.value(out.input[1])
        if any(conv is None for conv in convs) or near[0] is None or near[1] is None or len(near[0]) != 1:
            continue
        if weights is None or weights.shape[1] % near[0].shape[2]:
            continue
        query, key, value = (conv.output[0] for conv in convs if conv is not None)
        heads = weights.shape[1] // near[0].shape[2]
        if shapes is None:
            shapes = _Band(graph, query, near[0].shape[1] // 2)
        graph.redirect(
            out.input[0], _attention(graph, shapes, (query, key, value), (near[0][0], near[1][0]), heads)
        )


class _Band:
    """Moves a matrix of (tokens, 2 window + 1) to the diagonals of (tokens, tokens), and back.

    Row i of the band belongs i places to the right in a row of (tokens + 2 window). With every row padded to
    one place more than that and all rows read as one line, each is where it belongs.
    """

    def __init__(self, graph: _Graph, sample: str, window: int) -> None:
        """`sample` names any tensor of shape (1, channels, tokens)."""
        self._graph, self._window = graph, window
        tokens = graph.add("Shape", sample, start=2, end=3)
        wide = graph.add("Add", tokens, graph.constant([2 * window]))
        wider = graph.add("Add", wide, graph.constant([1]))
        self._size = graph.add("Mul", tokens, wide)
        heads = graph.constant([1, -1])
        self._to_right = graph.add("Concat", graph.constant([0] * 7), tokens, axis=0)
        self._at_end = graph.add("Concat", graph.constant([0] * 5), tokens, axis=0)
        self._wide = graph.add("Concat", heads, tokens, wide, axis=0)
        self._wider = graph.add("Concat", heads, tokens, wider, axis=0)
        self._flat = graph.constant([1, 0, -1])
        self._last = graph.constant([2])
        self._column = graph.constant([3])
        self._zero, self._start = graph.constant([0]), graph.constant([window])
        self._stop = graph.add("Add", tokens, graph.constant([window]))
        self._width = graph.constant([2 * window + 1])
        self._both = graph.constant([0, 0, 0, window, 0, 0, 0, window])

    def spread(self, band: str) -> str:
        """(1, heads, tokens, 2 window + 1) to (1, heads, tokens, tokens)."""
        add = self._graph.add
        padded = add("Pad", band, self._to_right)
        flat = add("Slice", add("Reshape", padded, self._flat), self._zero, self._size, self._last)
        return add("Slice", add("Reshape", flat, self._wide), self._start, self._stop, self._column)

    def gathered(self, matrix: str) -> str:
        """(1, heads, tokens, tokens) to (1, heads, tokens, 2 window + 1)."""
        add = self._graph.add
        flat = add("Pad", add("Reshape", add("Pad", matrix, self._both), self._flat), self._at_end)
        return add("Slice", add("Reshape", flat, self._wider), self._zero, self._width, self._column)


def _attention(
    graph: _Graph, band: _Band, sources: tuple[str, ...], near: tuple[Array, Array], heads: int
) -> str:
    channels = near[0].shape[1]
    apart = graph.constant([1, heads, channels, -1])
    query, key, value = (graph.add("Reshape", source, apart) for source in sources)
    scaled = graph.add("Div", graph.add("Transpose", query, perm=[0, 1, 3, 2]), graph.constant(channels**0.5))
    near_key, near_value = graph.constant(np.ascontiguousarray(near[0].T)), graph.constant(near[1])
    scores = graph.add(
        "Add", graph.add("MatMul", scaled, key), band.spread(graph.add("MatMul", scaled, near_key))
    )
    weights = graph.add("Softmax", scores, axis=-1)
    heard = graph.add(
        "Add",
        graph.add("MatMul", weights, graph.add("Transpose", value, perm=[0, 1, 3, 2])),
        graph.add("MatMul", band.gathered(weights), near_value),
    )
    side = graph.add("Transpose", heard, perm=[0, 1, 3, 2])
    return graph.add("Reshape", side, graph.constant([1, heads * channels, -1]))


def _fuse_splines(graph: _Graph) -> None:
    for split in graph.nodes("Split"):
        module = split.name.removesuffix("/Split")
        proj = graph.named(f"{module}/proj/Conv", "Conv")
        joined = [node for node in graph.nodes("Concat") if node.input[0] == split.output[0]]
        scale, tail = graph.named(f"{module}/Div", "Div"), graph.named(f"{module}/LessOrEqual", "LessOrEqual")
        if (
            not module.startswith("/dp/flows.")
            or proj is None
            or scale is None
            or tail is None
            or len(joined) != 1
        ):
            continue
        weights, factor = graph.value(proj.input[1]), graph.value(scale.input[1])
        if (
            weights is None
            or factor is None
            or (weights.shape[0] + 1) % 3
            or graph.value(tail.input[1]) != TAIL
        ):
            continue
        bins = (weights.shape[0] + 1) // 3
        spline = _inverse_spline(graph, split.output[1], proj.output[0], bins, float(factor.item()))
        graph.redirect(joined[0].input[1], spline)


def _inverse_spline(graph: _Graph, x: str, parameters: str, bins: int, factor: float) -> str:
    """The inverse of a monotonic spline of rational quadratics.

    Args:
        x: (1, 1, tokens), what the spline made.
        parameters: (1, 3 bins - 1, tokens): widths and heights as logits times `factor`, then inner slopes.

    Returns:
        (1, 1, tokens), what it was made from.
    """
    add, constant = graph.add, graph.constant
    last, zero, one = constant([2]), constant([0]), constant([1])
    minus, ten = constant([-1]), constant([bins])

    def part(source: str, start: str, stop: str) -> str:
        return add("Slice", source, start, stop, last)

    def knots(logits: str) -> str:
        """Where the bins begin and end: (1, tokens, bins + 1)."""
        share = add("Softmax", add("Div", logits, constant(factor)), axis=-1)
        share = add("Add", add("Mul", share, constant(1 - LEAST_BIN * bins)), constant(LEAST_BIN))
        inner = part(add("CumSum", share, constant(np.array(2))), zero, minus)
        inner = add("Add", add("Mul", inner, constant(2 * TAIL)), constant(-TAIL))
        left = add("Pad", inner, constant([0, 0, 1, 0, 0, 0]), constant(-TAIL))
        return add("Pad", left, constant([0, 0, 0, 0, 0, 1]), constant(TAIL))

    def lengths(ends: str) -> str:
        return add("Sub", part(ends, one, constant([bins + 1])), part(ends, zero, ten))

    rows = add("Transpose", parameters, perm=[0, 2, 1])
    across, up = knots(part(rows, zero, ten)), knots(part(rows, ten, constant([2 * bins])))
    widths, heights = lengths(across), lengths(up)
    slopes = part(rows, constant([2 * bins]), constant([3 * bins - 1]))
    slopes = add("Pad", slopes, constant([0, 0, 1, 0, 0, 1]), constant(END_SLOPE))
    slopes = add("Add", add("Softplus", slopes), constant(LEAST_BIN))

    column = add("Transpose", x, perm=[0, 2, 1])
    inside = add("Clip", column, constant(-TAIL), constant(TAIL))
    passed = add("Cast", add("GreaterOrEqual", inside, part(up, one, ten)), to=onnx.TensorProto.INT64)
    which = add("ReduceSum", passed, minus, keepdims=1)

    def of_bin(values: str) -> str:
        return add("GatherElements", values, which, axis=2)

    left, width, bottom, height = of_bin(across), of_bin(widths), of_bin(up), of_bin(heights)
    here = of_bin(slopes)
    there = of_bin(part(slopes, one, constant([bins + 1])))
    steep = add("Div", height, width)
    above = add("Sub", inside, bottom)
    bend = add("Mul", above, add("Sub", add("Add", here, there), add("Mul", steep, constant(2.0))))
    a = add("Add", bend, add("Mul", height, add("Sub", steep, here)))
    b = add("Sub", add("Mul", height, here), bend)
    c = add("Mul", add("Neg", steep), above)
    root = add("Sqrt", add("Sub", add("Mul", b, b), add("Mul", add("Mul", a, constant(4.0)), c)))
    share = add("Div", add("Mul", c, constant(2.0)), add("Sub", add("Neg", b), root))
    found = add("Add", add("Mul", share, width), left)
    kept = add("Equal", inside, column)
    return add("Transpose", add("Where", kept, found, column), perm=[0, 2, 1])
