"""In-place operations written as plain ones, so that every value is made exactly once.

A change made through a view is carried back to the tensor it looks into (slice_scatter and the
like), and other views of that tensor are taken anew when they are read again.
"""

from __future__ import annotations

from typing import Any

from spikebnn.errors import ImportRefused
from spikebnn.importers.graph import Draft
from spikebnn.network import Node, Ref

_SAME = {"detach", "alias", "contiguous", "lift_fresh", "to", "type_as", "dropout", "feature_dropout"}
_SHAPED = {"view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "view_as", "reshape_as"}
_TURNED = {"permute", "transpose", "t", "swapaxes"}
_PARTIAL = {"slice", "select", "narrow"}
_MANY = {"chunk", "split", "split_with_sizes", "unbind", "expand", "expand_as", "movedim"}
_VIEWS = _SAME | _SHAPED | _TURNED | _PARTIAL | _MANY
_COMPARE = {"ge", "gt", "le", "lt", "eq", "ne", "greater", "less", "greater_equal", "less_equal", "not_equal",
            "logical_not", "logical_and", "logical_or", "logical_xor"}  # fmt: skip
_RESHAPES_ITSELF = {"unsqueeze", "squeeze", "t", "transpose", "detach", "swapaxes"}
_OUT = {"aten.min.out": "aten.min.other", "aten.max.out": "aten.max.other", "aten.clamp.out": "aten.clamp.default",
        "aten.add.out": "aten.add.Tensor", "aten.sub.out": "aten.sub.Tensor", "aten.mul.out": "aten.mul.Tensor",
        "aten.div.out": "aten.div.Tensor", "aten.sign.out": "aten.sign.default"}  # fmt: skip


def _short(op: str) -> str:
    return op.split(".")[1] if op.count(".") >= 1 else op


class Functional:
    """One pass over the nodes; `now` maps a name of the file to the value it stands for at present."""

    def __init__(self, draft: Draft, stored: set[str]) -> None:
        self.draft, self.stored = draft, stored
        self.made: list[Node] = []
        self.now: dict[str, str] = {}
        self.parent: dict[str, tuple[str, Node, int]] = {}  # view -> (viewed, node, which output)
        self.root: dict[str, str] = {}
        self.version: dict[str, int] = {}  # of a root
        self.seen: dict[str, int] = {}  # version at which `now` of a name was taken
        self.count = 0

    def run(self) -> None:
        for node in self.draft.nodes:
            self.step(node)
        self.draft.outputs = [self.read(name) for name in self.draft.outputs]
        self.draft.changed = [(b, self.read(v)) for b, v in self.draft.changed]
        self.draft.changed += [(name, self.read(name)) for name in sorted(self.stored.intersection(self.now))]
        self.draft.nodes = self.made

    def fresh(self, like: str) -> str:
        self.count += 1
        name = f"{like}.{self.count}"
        self.draft.shapes[name] = self.draft.shapes.get(like, ())
        if like in self.draft.dtypes:
            self.draft.dtypes[name] = self.draft.dtypes[like]
        return name

    def origin(self, name: str) -> str:
        return self.root.get(name, name)

    def read(self, name: str) -> str:
        """The present value of a name; a view of a tensor that has changed since is taken anew."""
        latest = self.version.get(self.origin(name), 0)
        if self.seen.get(name, 0) < latest and name in self.parent:
            above, node, which = self.parent[name]
            source = self.read(above)
            outs = tuple(self.fresh(out) if out else "" for out in node.outs)
            self.made.append(Node(op=node.op, args=(Ref(source), *node.args[1:]), kwargs=node.kwargs, outs=outs,
                                  where=node.where))  # fmt: skip
            self.now[name], self.seen[name] = outs[which], latest
        return self.now.get(name, name)

    def resolved(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return Ref(self.read(value.name))
        if isinstance(value, tuple):
            return tuple(self.resolved(v) for v in value)
        return value

    def step(self, node: Node) -> None:
        short = _short(node.op)
        inplace = node.op.startswith("aten.") and short.endswith("_") and not short.startswith("__")
        if inplace or "out" in node.kwargs:
            self.change(node, short, inplace)
            return
        args = self.resolved(node.args)
        kwargs = {k: self.resolved(v) for k, v in node.kwargs.items()}
        self.made.append(Node(op=node.op, args=args, kwargs=kwargs, outs=node.outs, where=node.where))
        if short in _VIEWS and node.args and isinstance(node.args[0], Ref):
            plain = Node(op=node.op, args=args, kwargs=kwargs, outs=node.outs, where=node.where)
            for which, out in enumerate(node.outs):
                if out:
                    above = node.args[0].name
                    self.parent[out] = (above, plain, which)
                    self.root[out] = self.origin(above)
                    self.seen[out] = self.version.get(self.root[out], 0)

    def change(self, node: Node, short: str, inplace: bool) -> None:
        """Write `target.op_(...)` as a new value of target, of all it looks into, and of its views."""
        target = node.args[0] if inplace else node.kwargs["out"]
        if not isinstance(target, Ref) or not node.outs:
            raise ImportRefused(f"{node.op} at '{node.where}' changes something that is not a tensor")
        name = short.removesuffix("_")
        op = node.op.replace(f".{short}.", f".{name}.", 1) if inplace else _OUT.get(node.op, "")
        if not op:
            raise ImportRefused(f"{node.op} at '{node.where}' writes into another tensor; write it without out=")
        args = self.resolved(node.args)
        kwargs = {k: self.resolved(v) for k, v in node.kwargs.items() if k != "out"}
        if name == "zero":
            op, args, kwargs = "aten.zeros_like.default", args[:1], {}
        out = node.outs[0]
        self.made.append(Node(op=op, args=args, kwargs=kwargs, outs=(out,), where=node.where))
        if name in _RESHAPES_ITSELF:
            self.now[target.name] = out
            return
        mine = self.draft.dtypes.get(target.name)
        others = {self.draft.dtypes.get(a.name) for a in node.args if isinstance(a, Ref)}
        if mine is not None and (name in _COMPARE or others - {mine, None}):
            cast = self.fresh(out)
            self.made.append(Node(op="aten._to_copy.default", args=(Ref(out),), kwargs={"dtype": mine}, outs=(cast,),
                                  where=node.where))  # fmt: skip
            self.now[out] = cast
        root = self.origin(target.name)
        self.version[root] = self.version.get(root, 0) + 1
        self.carry_back(target.name, self.now.get(out, out))
        if out != target.name:  # the result of `x.op_()` is x itself
            self.root[out], self.seen[out] = root, self.version[root]
            self.parent[out] = (target.name, Node(op="aten.alias.default", args=(target,), outs=(out,)), 0)

    def carry_back(self, name: str, value: str) -> None:
        """`name` now has `value`; so has, in its place, everything that `name` is a view of."""
        while True:
            self.now[name], self.seen[name] = value, self.version[self.origin(name)]
            if name not in self.parent:
                return
            above, node, _ = self.parent[name]
            short, rest = _short(node.op), node.args[1:]
            shape = self.draft.shapes.get(above, ())
            if short in _SAME:
                name = above
                continue
            made = self.fresh(above)
            old = Ref(self.now.get(above, above))
            if short in _SHAPED and shape.count(None) <= 1:
                back = tuple(-1 if n is None else n for n in shape)
                new = Node(op="aten.view.default", args=(Ref(value), back), outs=(made,), where=node.where)
            elif short == "slice":
                new = Node(op="aten.slice_scatter.default", args=(old, Ref(value), *rest), outs=(made,), where=node.where)
            elif short == "select":
                new = Node(op="aten.select_scatter.default", args=(old, Ref(value), *rest), outs=(made,), where=node.where)
            elif short in ("transpose", "t", "swapaxes"):
                new = Node(op=node.op, args=(Ref(value), *rest), outs=(made,), where=node.where)
            else:
                raise ImportRefused(
                    f"'{node.where}' changes a tensor in place through {node.op}; export with"
                    " spikebnn.save(model, example_input, path), which removes in-place operations"
                )
            self.made.append(new)
            name, value = above, made
