"""The two graphs that ONNX Runtime executes, made of the 4-bit weights.

`row4` is for passages: weights of eight bits with a scale for each channel, activations of eight bits with a scale for
each token. `nb4` is for queries: the four bits as they are. Either takes `tokens` (texts, length, width), the sum of
each token's embeddings, and `mask` (texts, length), 1 where there is a token; it gives `states`, shaped like `tokens`.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

import numpy as np

from bivelio_server.ai.embedded.e5.onnx_format import Array, Attribute, Node, Value, model
from bivelio_server.ai.embedded.e5.weights import BLOCK, Quantized, Weights

GraphName: TypeAlias = Literal["row4", "nb4"]

#: Of what is built here: a change of it, or of the weights, is another version.
VERSION: Final = 1
_DOMAINS: Final = {"": 18, "com.microsoft": 1}
_CONTRIB: Final = "com.microsoft"
#: Two products of an activation and such a weight fit into 16 bits: some processors add them there, and saturate.
_LARGEST_WEIGHT: Final = 63


def build(name: GraphName, weights: Weights) -> bytes:
    """The graph as a file of ONNX."""
    graph = _Row4(weights) if name == "row4" else _Nb4(weights)
    shape = ("texts", "length", weights.width)
    inputs = [Value("tokens", "float32", shape), Value("mask", "int32", ("texts", "length"))]
    graph.encoder()
    return model(graph.nodes, graph.constants, inputs, [Value("states", "float32", shape)], domains=_DOMAINS)


class _Graph:
    """The encoder, on the tokens of all texts in one matrix; how it multiplies by weights is the graph's own."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self._flat = self.constant("flat", np.array([-1, weights.width], np.int64))

    def encoder(self) -> None:
        shape = self.add("Shape", ["mask"])
        self._merged_shape = self.add("Concat", [shape, self._sizes("merged", 3 * self.weights.width)], axis=0)
        tokens = self.add("Reshape", ["tokens", self._flat])
        state = self.add("LayerNormalization", [tokens, *self._norm("emb.ln")], epsilon=self.weights.epsilon)
        for layer in range(self.weights.layers):
            state = self._feed_forward(f"l{layer}", self._attention(f"l{layer}", state))
        output_shape = self.add("Concat", [shape, self._sizes("width", self.weights.width)], axis=0)
        self._operator("Reshape", [state, output_shape], ["states"], "", {})

    def times(self, name: str, state: str, matrix: Quantized) -> str:
        """The states by the matrix, without its bias."""
        raise NotImplementedError

    def constant(self, name: str, values: Array) -> str:
        self.constants[name] = values
        return name

    def add(self, operator: str, inputs: Sequence[str], **attributes: Attribute) -> str:
        return self._operator(operator, inputs, [f"n{len(self.nodes)}"], "", attributes)[0]

    def contrib(self, operator: str, inputs: Sequence[str], **attributes: Attribute) -> str:
        return self._operator(operator, inputs, [f"n{len(self.nodes)}"], _CONTRIB, attributes)[0]

    def _attention(self, layer: str, state: str) -> str:
        """Queries, keys and values are one multiplication."""
        parts = [self.weights.quantized(f"{layer}.{part}.w", self.weights.width).rows for part in "qkv"]
        merged = self.times(f"{layer}.qkv", state, Quantized(np.concatenate(parts)))
        merged = self.add("Reshape", [merged, self._merged_shape])
        outputs = [f"{layer}.{part}" for part in "qkv"]
        inputs = self._operator("Split", [merged], outputs, "", {"axis": -1, "num_outputs": len(outputs)})
        biases = [self.weights.floats(f"{layer}.{part}.b") for part in "qkv"]
        bias = self.constant(f"{layer}.qkv.b", np.concatenate(biases))
        attended = self.contrib("MultiHeadAttention", [*inputs, bias, "mask"], num_heads=self.weights.heads)
        output = self._times_stored(f"{layer}.ao", self.add("Reshape", [attended, self._flat]), self.weights.width)
        return self._add_and_norm(output, state, f"{layer}.aln", f"{layer}.ao.b")

    def _feed_forward(self, layer: str, state: str) -> str:
        inner = self._times_stored(f"{layer}.fi", state, self.weights.width)
        active = self.contrib("BiasGelu", [inner, self._stored(f"{layer}.fi.b")])
        output = self._times_stored(f"{layer}.fo", active, self.weights.inner)
        return self._add_and_norm(output, state, f"{layer}.oln", f"{layer}.fo.b")

    def _times_stored(self, name: str, state: str, columns: int) -> str:
        return self.times(name, state, self.weights.quantized(f"{name}.w", columns))

    def _add_and_norm(self, output: str, state: str, norm: str, bias: str) -> str:
        inputs = [output, state, *self._norm(norm), self._stored(bias)]
        return self.contrib("SkipLayerNormalization", inputs, epsilon=self.weights.epsilon)

    def _norm(self, name: str) -> list[str]:
        return [self._stored(f"{name}.w"), self._stored(f"{name}.b")]

    def _stored(self, name: str) -> str:
        return self.constant(name, self.weights.floats(name))

    def _sizes(self, name: str, *sizes: int) -> str:
        return self.constant(name, np.array(sizes, np.int64))

    def _operator(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str,
        attributes: Mapping[str, Attribute],
    ) -> Sequence[str]:
        self.nodes.append(Node(operator, inputs, outputs, domain, attributes))
        return outputs


class _Nb4(_Graph):
    def times(self, name: str, state: str, matrix: Quantized) -> str:
        """Neighbours share a byte here."""
        nibbles = matrix.nibbles
        rows, blocks, _ = nibbles.shape
        packed = self.constant(f"{name}.w", nibbles[..., 0::2] | nibbles[..., 1::2] << 4)
        scales = self.constant(f"{name}.s", matrix.scales.reshape(-1))
        return self.contrib(
            "MatMulNBits", [state, packed, scales],
            K=blocks * BLOCK, N=rows, bits=4, block_size=BLOCK, accuracy_level=4,
        )  # fmt: skip


class _Row4(_Graph):
    """An activation `a` of a token is stored as `128 + 127 a / max |a|`: no token's precision depends on its mates."""

    def encoder(self) -> None:
        self.constant("one", np.array(1, np.float32))
        self.constant("levels", np.array(127, np.float32))
        self.constant("least", np.array(1e-12, np.float32))
        self.constant("middle", np.array(128, np.uint8))
        count = self.add("ReduceProd", [self.add("Shape", ["mask"])])
        self._middles = self.add("Expand", ["middle", count])
        super().encoder()

    def times(self, name: str, state: str, matrix: Quantized) -> str:
        floats = matrix.floats()
        scales = np.abs(floats).max(axis=1) / _LARGEST_WEIGHT
        stored = self.constant(f"{name}.w", np.rint(floats / scales[:, None]).astype(np.int8).T)
        activations, scale = self._activations(state)
        product = self.contrib(
            "MatMulIntegerToFloat", [activations, stored, "one", self.constant(f"{name}.s", scales), "middle"]
        )
        return self.add("Mul", [product, scale])

    def _activations(self, state: str) -> tuple[str, str]:
        """They and the scale of each token, (tokens, 1)."""
        last = self._sizes("last", -1)
        largest = self.add("ReduceMax", [self.add("Abs", [state]), last])
        scale = self.add("Max", [self.add("Div", [largest, "levels"]), "least"])
        inputs = [state, self.add("Reshape", [scale, last]), self._middles]
        return self.add("QuantizeLinear", inputs, axis=0), scale
