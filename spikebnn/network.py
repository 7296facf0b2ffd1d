"""`Network`: a trained network as it was exported, a list of named tensor operations with its constants.

This is the door between the importers and the rest. A network still holds floats, batch norms
and weight preparation exactly as the framework wrote them; nothing is interpreted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from spikebnn.arrays import Array


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of a value: an input, a constant tensor, or an output of an earlier node."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation: `op` is the ATen name without prefix, such as "aten.conv2d.default".

    `args` and `kwargs` hold Python numbers, strings, None, tuples of these, and `Ref`.
    """

    op: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    outs: tuple[str, ...]
    where: str = ""  # module path, for messages: "features.3"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """Operations in execution order, their constants, and the shapes of all values.

    `shapes` maps a value to its shape with None for a symbolic (batch) axis. `example` says what
    is known of the input's values: {"values": [-1.0, 1.0]} or {"dtype": "uint8"} or empty.
    """

    nodes: tuple[Node, ...]
    tensors: Mapping[str, Array]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int | None, ...]]
    digest: str = ""  # sha256 of the file it came from
    origin: str = ""  # "torch.export 2.13.0", for the record
    example: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
