"""Makes a graph independent of the batch it was exported with, and drops what is not needed.

Axis 0 of the inputs is the batch. Literal or symbolic batch sizes in views become -1; a constant
stretched over the batch stays a constant that broadcasts; a few operations get their plainest name.
"""

from __future__ import annotations

from typing import Any

from spikebnn.evaluate import reads
from spikebnn.importers.graph import Draft, Shape
from spikebnn.network import Node, Ref

_VIEWS = {"aten.view.default", "aten.reshape.default", "aten._unsafe_view.default", "aten.view_as.default",
          "aten.reshape_as.default", "aten.view_copy.default", "aten._reshape_copy.default"}  # fmt: skip
_EXPANDS = {"aten.expand.default", "aten.expand_as.default"}
_MAKERS = {"aten.zeros.default", "aten.ones.default", "aten.full.default"}
_NEW = {"aten.new_zeros.default", "aten.new_ones.default", "aten.new_full.default"}
_CASTS = {"aten.type_as.default", "aten.to.other"}


def live(nodes: list[Node], outputs: list[str]) -> list[Node]:
    """The nodes that the outputs depend on, in order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.outs):
            kept.append(node)
            wanted.update(reads(node))
    return kept[::-1]


class BatchFree:
    """One pass over the nodes of a draft, which is changed in place."""

    def __init__(self, draft: Draft, batch: int | None) -> None:
        self.draft, self.batch = draft, batch
        self.data: set[str] = set(draft.inputs)  # values that depend on an input

    def run(self) -> None:
        for name in self.draft.inputs:
            self.free(name)
        self.draft.nodes = [self.step(node) for node in self.draft.nodes]

    def free(self, name: str) -> None:
        shape = self.draft.shapes.get(name, ())
        if shape:
            self.draft.shapes[name] = (None, *shape[1:])

    def shape(self, name: str) -> Shape:
        return self.draft.shapes.get(name, ())

    def step(self, node: Node) -> Node:
        depends = any(name in self.data for name in reads(node))
        if node.op == "aten.sym_size.int":
            return node  # a number, not data
        new = self.rewritten(node)
        if depends and any(name in self.data for name in reads(new)):
            for out in new.outs:
                self.data.add(out)
                shape = self.shape(out)
                if shape and self.batch is not None and (shape[0] == self.batch or new.op == "aten.view.default"):
                    self.free(out)
        return new

    def rewritten(self, node: Node) -> Node:
        first = node.args[0] if node.args else None
        out = node.outs[0] if node.outs else ""
        source = first.name if isinstance(first, Ref) else ""
        shape, data = self.shape(out), source in self.data

        def plain(op: str, *args: Any, **kwargs: Any) -> Node:
            return Node(op=op, args=args, kwargs=kwargs, outs=node.outs, where=node.where)

        if node.op in _VIEWS and out in self.draft.shapes:
            if data and shape and None not in shape[1:]:
                return plain("aten.view.default", first, (-1, *shape[1:]))
            if None not in shape:
                return plain("aten.view.default", first, shape)
        if node.op in _EXPANDS and shape and None not in shape[1:]:
            given = self.shape(source)
            if data and len(given) == len(shape) and (given[0] is None or given[0] == shape[0]):
                return plain("aten.expand.default", first, (-1, *shape[1:]))
            if not data and (shape[0] is None or (shape[0] == self.batch and self.stretched(given, shape))):
                return self.constant(plain("aten.expand.default", first, (1, *shape[1:])), shape)
            if not data:
                return plain("aten.expand.default", first, shape)
        if node.op in _MAKERS and shape and shape[0] is None and None not in shape[1:]:
            return self.constant(plain(node.op, (1, *shape[1:]), *node.args[1:], **node.kwargs), shape)
        if node.op in _NEW and shape and None not in shape[1:]:
            size = (1, *shape[1:]) if shape[0] is None else shape
            dtype = node.kwargs.get("dtype") or self.draft.dtypes.get(out)
            value = node.args[2] if node.op == "aten.new_full.default" else node.op == "aten.new_ones.default"
            fill = float(value) if dtype in (6, 7, 8, 13) else value
            return self.constant(plain("aten.full.default", size, fill, dtype=dtype), (size[0], *shape[1:]))
        if node.op in _CASTS and out in self.draft.dtypes:
            return plain("aten._to_copy.default", first, dtype=self.draft.dtypes[out])
        if node.op == "aten.slice.Tensor" and self.whole(node, source):
            return plain("aten.alias.default", first)
        if node.op.startswith("aten.squeeze.") and data:
            return self.squeezed(node, source, plain)
        if node.op == "aten.convolution.default" and len(node.args) >= 9 and node.args[6] is False:
            axes = len(self.shape(source)) - 2
            if axes in (1, 2):
                return plain(f"aten.conv{axes}d.default", *node.args[:6], node.args[8])
        return node

    def constant(self, node: Node, shape: Shape) -> Node:
        self.draft.shapes[node.outs[0]] = (1, *shape[1:]) if shape[0] is None or shape[0] == self.batch else shape
        return node

    @staticmethod
    def stretched(given: Shape, shape: Shape) -> bool:
        return len(given) < len(shape) or given[0] == 1

    def whole(self, node: Node, source: str) -> bool:
        """Whether a slice takes everything."""
        given: tuple[Any, ...] = (0, None, None, 1)
        dim, start, end, step = node.args[1:] + given[len(node.args) - 1 :]
        shape = self.shape(source)
        if not shape or step != 1 or start not in (None, 0) or not isinstance(dim, int):
            return False
        if end is None or end == 2**63 - 1:
            return True
        length = shape[dim]
        if length is None:
            return isinstance(end, Ref) or (self.batch is not None and isinstance(end, int) and end >= self.batch)
        return isinstance(end, int) and end >= length

    def squeezed(self, node: Node, source: str, plain: Any) -> Node:
        """Name the squeezed axes, so that a batch of one is not squeezed away."""
        shape = self.shape(source)
        chosen = node.args[1] if len(node.args) > 1 else tuple(range(len(shape)))
        axes = [d % len(shape) for d in (chosen if isinstance(chosen, tuple) else (chosen,))] if shape else []
        gone = tuple(d for d in axes if shape[d] == 1 and not (d == 0 and self.batch is None))
        if self.batch is not None and len(node.args) == 1:
            gone = tuple(d for d in gone if d)
        return plain("aten.squeeze.dims", node.args[0], gone) if gone else plain("aten.alias.default", node.args[0])  # type: ignore[no-any-return]
