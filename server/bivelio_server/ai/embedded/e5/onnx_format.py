"""Just as much of the file format of ONNX as writing a graph takes: messages of Protocol Buffers.

The numbers are those of `onnx.proto`; once given, such a number never changes its meaning.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_IR_VERSION: Final = 9
_VARINT, _BYTES, _FLOAT = 0, 2, 5
_TYPES: Final = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 2, 7

Array = NDArray[Any]
Attribute = int | float | Sequence[int]


class Value(NamedTuple):
    """An input or output. A dimension is a number, or the name of one that is known when the graph runs."""

    name: str
    dtype: str
    shape: Sequence[int | str]


class Node(NamedTuple):
    """One operator. An absent input is an empty name; `domain` is empty for the operators of ONNX itself."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    domain: str
    attributes: Mapping[str, Attribute]


def model(
    nodes: Iterable[Node], constants: Mapping[str, Array], inputs: Iterable[Value], outputs: Iterable[Value],
    *, domains: Mapping[str, int],
) -> bytes:  # fmt: skip
    """The file of a graph; `domains` are the versions of the sets of operators that it uses."""
    graph = [
        *(_message(1, _node(node)) for node in nodes),
        _text(2, "e5"),
        *(_message(5, _tensor(name, values)) for name, values in constants.items()),
        *(_message(11, _value(value)) for value in inputs),
        *(_message(12, _value(value)) for value in outputs),
    ]
    sets = (_message(8, [_text(1, domain), _number(2, version)]) for domain, version in domains.items())
    return b"".join([_number(1, _IR_VERSION), *sets, _message(7, graph)])


def _node(node: Node) -> list[bytes]:
    return [
        *(_text(1, name) for name in node.inputs),
        *(_text(2, name) for name in node.outputs),
        _text(4, node.operator),
        *(_message(5, _attribute(name, value)) for name, value in node.attributes.items()),
        _text(7, node.domain),
    ]


def _attribute(name: str, value: Attribute) -> list[bytes]:
    match value:
        case float():
            return [_text(1, name), _key(2, _FLOAT) + np.float32(value).tobytes(), _number(20, _ATTRIBUTE_FLOAT)]
        case int():
            return [_text(1, name), _number(3, value), _number(20, _ATTRIBUTE_INT)]
        case _:
            return [_text(1, name), *(_number(8, item) for item in value), _number(20, _ATTRIBUTE_INTS)]


def _tensor(name: str, values: Array) -> list[bytes]:
    shape = [_number(1, size) for size in values.shape]
    data = np.ascontiguousarray(values).tobytes()
    return [*shape, _number(2, _TYPES[values.dtype.name]), _text(8, name), _field(9, data)]


def _value(value: Value) -> list[bytes]:
    shape = (_message(1, [_text(2, size) if isinstance(size, str) else _number(1, size)]) for size in value.shape)
    tensor = [_number(1, _TYPES[value.dtype]), _message(2, shape)]
    return [_text(1, value.name), _message(2, [_message(1, tensor)])]


def _message(number: int, parts: Iterable[bytes]) -> bytes:
    return _field(number, b"".join(parts))


def _text(number: int, value: str) -> bytes:
    return _field(number, value.encode())


def _field(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
