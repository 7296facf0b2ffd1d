"""From the export's JSON graph to our own nodes: arguments become numbers, tuples and `Ref`s.

Symbolic shapes stay symbolic (None): no expression in the file is ever evaluated. Subgraphs that
only switch gradients off are written out in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spikebnn.errors import ImportRefused
from spikebnn.network import Node, Ref

MOST_NODES = 200_000
MOST_TEXT = 1000
Shape = tuple[int | None, ...]


@dataclass(slots=True)
class Draft:
    """A graph under construction; only the importer sees it."""

    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)  # ScalarType numbers
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)  # stored tensor, the value it is left with


def _number(value: Any, kind: type) -> Any:
    if kind is float:
        if isinstance(value, str) and value in ("Infinity", "-Infinity", "NaN"):
            return float(value.replace("Infinity", "inf"))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise TypeError(f"{value!r:.40} where {kind.__name__} is wanted")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise TypeError(f"a text of at most {MOST_TEXT} letters is wanted, not {value!r:.40}")
    return value


def _symbol(value: dict[str, Any], kind: type) -> Any:
    ((key, inner),) = value.items()
    return Ref(_text(inner)) if key == "as_name" else _number(inner, kind)


_SIMPLE = {"as_int": int, "as_float": float, "as_bool": bool, "as_scalar_type": int, "as_memory_format": int,
           "as_layout": int}  # fmt: skip
_LISTS = {"as_ints": int, "as_floats": float, "as_bools": bool}
_SYMBOLS = {"as_sym_int": int, "as_sym_float": float, "as_sym_bool": bool}
_SYMBOL_LISTS = {"as_sym_ints": int, "as_sym_floats": float, "as_sym_bools": bool}


def argument(value: dict[str, Any]) -> Any:
    """One argument of the export schema as a number, text, None, `Ref`, or a tuple of these."""
    ((kind, inner),) = value.items()
    if kind in _SIMPLE:
        return _number(inner, _SIMPLE[kind])
    if kind in _LISTS:
        return tuple(_number(v, _LISTS[kind]) for v in inner)
    if kind in _SYMBOLS:
        return _symbol(inner, _SYMBOLS[kind])
    if kind in _SYMBOL_LISTS:
        return tuple(_symbol(v, _SYMBOL_LISTS[kind]) for v in inner)
    if kind in ("as_none", "as_device"):
        return None
    if kind == "as_tensor":
        return Ref(_text(inner["name"]))
    if kind == "as_tensors":
        return tuple(Ref(_text(v["name"])) for v in inner)
    if kind == "as_optional_tensor":
        return argument(inner)
    if kind == "as_optional_tensors":
        return tuple(argument(v) for v in inner)
    if kind == "as_string":
        return _text(inner)
    raise ImportRefused(f"a graph argument of kind '{kind:.40}' is not supported; write the model with plain tensors")


def _out_names(outputs: list[dict[str, Any]]) -> tuple[str, ...]:
    names: list[str] = []
    for out in outputs:
        ((kind, inner),) = out.items()
        if kind == "as_tensor":
            names.append(_text(inner["name"]))
        elif kind == "as_tensors":
            names += [_text(v["name"]) for v in inner]
        elif kind in _SYMBOLS:
            names.append(_text(inner.get("as_name", "")))
        elif kind == "as_none":
            names.append("")
        else:
            raise ImportRefused(f"a graph result of kind '{kind:.40}' is not supported")
    return tuple(names)


def _where(metadata: dict[str, Any]) -> str:
    """The module path: "L__self__fc1,fc1,torch.nn.modules.linear.Linear" says "fc1"."""
    last = _text(metadata.get("nn_module_stack", "")[-MOST_TEXT:]).split(";")[-1].split(",")
    return last[1] if len(last) > 2 and not last[1].startswith("_empty_") else ""


def _values(graph: dict[str, Any], draft: Draft, prefix: str) -> None:
    for name, meta in graph["tensor_values"].items():
        sizes = tuple(_number(s["as_int"], int) if "as_int" in s else None for s in meta["sizes"])
        if any(n is not None and n < 0 for n in sizes):
            raise ValueError(f"'{name}' has the shape {sizes}")
        draft.shapes[prefix + name] = sizes
        draft.dtypes[prefix + name] = _number(meta["dtype"], int)


def _renamed(value: Any, names: dict[str, str], prefix: str) -> Any:
    if isinstance(value, Ref):
        return Ref(names.get(value.name, prefix + value.name))
    if isinstance(value, tuple):
        return tuple(_renamed(v, names, prefix) for v in value)
    return value


def add_graph(graph: dict[str, Any], draft: Draft, names: dict[str, str], prefix: str = "", depth: int = 0) -> list[Any]:
    """Append a graph's nodes; `names` maps its inputs to outer names. Returns its outputs."""
    if depth > 8:
        raise ImportRefused("subgraphs are nested more than 8 deep")
    _values(graph, draft, prefix)
    for node in graph["nodes"]:
        if len(draft.nodes) > MOST_NODES:
            raise ImportRefused(f"the graph has more than {MOST_NODES} operations")
        op = _text(node["target"]).removeprefix("torch.ops.")
        where = _where(node["metadata"])
        outs = tuple(prefix + n if n else "" for n in _out_names(node["outputs"]))
        if op.startswith("higher_order.wrap_with_set_grad_enabled"):
            _write_out(node, draft, names, prefix, outs, depth)
            continue
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for given in node["inputs"]:
            if "as_graph" in given["arg"]:
                raise ImportRefused(f"{op} at '{where}' branches on data; only straight-line networks are mapped")
            value = _renamed(argument(given["arg"]), names, prefix)
            if given.get("kind", 1) == 2:
                kwargs[_text(given["name"])] = value
            else:
                args.append(value)
        draft.nodes.append(Node(op=op, args=tuple(args), kwargs=kwargs, outs=outs, where=where))
    return [_renamed(argument(out), names, prefix) for out in graph["outputs"]]


def _write_out(
    node: dict[str, Any], draft: Draft, names: dict[str, str], prefix: str, outs: tuple[str, ...], depth: int
) -> None:
    """Write `with torch.no_grad():` out: its body's nodes, then its results under the outer names."""
    given = [i["arg"] for i in node["inputs"]]
    body = next(a["as_graph"] for a in given if "as_graph" in a)
    outer = [_renamed(argument(a), names, prefix) for a in given if "as_graph" not in a][1:]
    inner = [argument(i) for i in body["graph"]["inputs"]]
    inside = f"{prefix}{_text(body['name'])}."
    table = {i.name: o.name for i, o in zip(inner, outer, strict=True) if isinstance(i, Ref) and isinstance(o, Ref)}
    results = add_graph(body["graph"], draft, table, inside, depth + 1)
    for name, result in zip(outs, results, strict=True):
        if isinstance(result, Ref):
            draft.nodes.append(Node(op="aten.alias.default", args=(result,), outs=(name,), where=_where(node["metadata"])))
