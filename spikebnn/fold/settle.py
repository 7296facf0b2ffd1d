"""Settle a pending sum: turn it and its tail into threshold neurons, or say why that cannot be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spikebnn.arrays import F64, I64, Array
from spikebnn.errors import ImportRefused
from spikebnn.fold.options import FoldOptions
from spikebnn.fold.steps import Steps, fragile, pool_falls, steps
from spikebnn.fold.table import Table, tabulate, used_values
from spikebnn.fold.tail import Tail
from spikebnn.fold.values import Bits, Pool, Root, fixed, variable
from spikebnn.network import Network
from spikebnn.threshold import NO_TAP, Finding, Layer, Synapses, Witness

MOST_LEVELS = 32  # an activation with more values than this is real-valued


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """The bits that a pending sum became, with the layers that compute them (numbered from `first` on)."""

    bits: Bits
    layers: tuple[Layer, ...]
    findings: tuple[Finding, ...]


def settle(
    network: Network,
    root: Root,
    before: Tail,
    after: Tail | None,
    pool: Pool | None,
    options: FoldOptions,
    first: int,
    probe: bool = False,
) -> Settled | None:
    """Fold the tail of `root` (up to the pool, and after it) into integer thresholds.

    Returns None when the value is real (more than `MOST_LEVELS` values) or, with `probe`, not plainly binary.
    Raises ImportRefused where the result is not monotone, ties, or takes levels that the options do not allow.
    """
    table = tabulate(root, before, after, pool, network.shapes)
    values = used_values(table)
    name = (after or before).end
    shape = tuple(int(n or 1) for n in network.shapes[name][1:])
    if len(values) > MOST_LEVELS or (probe and len(values) != 2):
        return None
    if np.isnan(values).any():
        where = np.argwhere(np.isnan(table.result) & table.reach)[0]
        raise ImportRefused(
            f"layer '{root.where}': its activation is not a number (NaN) where a neuron's sum is {table.v[where[0]]}, "
            "a sum that can occur; write it so that it is defined there"
        )
    notes: list[Finding] = []
    tie = _is_tie(values, before, after)
    if tie:
        table, values = _untie(table, values, root, options, notes)
    if len(values) > 2 and not tie and options.levels != "expand":
        raise ImportRefused(
            f"layer '{root.where}': its activation takes {len(values)} values ({_few(values)}), not 2; "
            f"--levels expand makes {len(values) - 1} neurons of each"
        )
    if len(values) == 1:
        notes.append(Finding(layer=root.where, kind="constant", count=len(table.column), of=len(table.column),
                             text=f"all {len(table.column)} neurons always give {values[0]:g}"))  # fmt: skip
        return Settled(fixed(shape, float(values[0])), (), tuple(notes))
    gaps = np.diff(values)
    unit = float(gaps.min())
    multiplicity = np.rint(gaps / unit)
    if (np.abs(gaps / unit - multiplicity) > 1e-5).any() or multiplicity.max() > 127:
        raise ImportRefused(
            f"layer '{root.where}': the steps between its levels ({_few(values)}) are no multiples of one another"
        )
    layers, index, held = _neurons(root, table, values, pool, name, shape, first, notes)
    notes += _fragile(network, root, before, after, pool, table, values, options)
    code = tuple(int(m) for m in multiplicity)
    bits = Bits(index, held, code, float(values[0]), unit)
    return Settled(bits, tuple(layers), tuple(notes))


def _few(values: F64) -> str:
    shown = ", ".join(f"{v:.4g}" for v in values[:4])
    return shown + (", ..." if len(values) > 4 else "")


def _is_tie(values: F64, before: Tail, after: Tail | None) -> bool:
    symmetric = len(values) == 3 and values[1] == 0 and values[0] == -values[2]
    return symmetric and (before.has_sign or (after is not None and after.has_sign))


def _untie(
    table: Table, values: F64, root: Root, options: FoldOptions, notes: list[Finding]
) -> tuple[Table, F64]:
    reached = (table.result == 0) & table.reach
    columns = np.bincount(table.column[table.column >= 0], minlength=table.result.shape[1])
    count = int((reached.any(0) * columns).sum())
    total = int((table.column >= 0).sum())
    if options.sign0:
        result = np.where(table.result == 0, values[2] * options.sign0, table.result).astype(table.result.dtype)
        notes.append(Finding(layer=root.where, kind="tie", count=count, of=total,
                             text=f"sign(0) = 0 is reachable in {count} neurons and was set to "
                                  f"{options.sign0:+d}: the network is changed"))  # fmt: skip
        return replace(table, result=result), values[[0, 2]]
    if options.ternary == "expand":
        notes.append(Finding(layer=root.where, kind="tie", count=count, of=total,
                             text=f"sign(0) = 0 is reachable in {count} neurons; each is two neurons"))  # fmt: skip
        return table, values
    raise ImportRefused(
        f"layer '{root.where}': sign(0) = 0 is reachable in {count} of {total} neurons, so its activation has three "
        "values; --ternary expand keeps that exactly with two neurons each, --sign0 +1 or -1 changes the network"
    )


def _neurons(
    root: Root,
    table: Table,
    values: F64,
    pool: Pool | None,
    name: str,
    shape: tuple[int, ...],
    first: int,
    notes: list[Finding],
) -> tuple[list[Layer], I64, F64]:
    """Layers for every level, the index of the value's bits, and its fixed elements."""
    elements = len(table.column)
    cuts = values[1:]
    falls = np.zeros(elements, bool)
    if pool is not None:
        falls, wrong = pool_falls(table, cuts)
        _refuse_unless_monotone(root, table, wrong)
    layers: list[Layer] = []
    index = np.zeros((len(cuts), *shape), np.int64)
    held = np.full((1, *shape), np.nan)
    if root.bits is not None and pool is None and len(cuts) == 1 and len(root.bits.multiplicity) == 1:
        simple = _same_bits(root, table, values)
        if simple is not None:
            return [], simple[0].reshape(1, *shape), simple[1].reshape(1, *shape)
    constant = falling = 0
    for level, cut in enumerate(cuts):
        found = steps(table, float(cut))
        _refuse_unless_monotone(root, table, np.asarray(found.wrong[table.column].any(axis=1)))
        suffix = f"@{level + 1}" if len(cuts) > 1 else ""
        edge = float((values[level] + values[level + 1]) / 2)
        inner_first = first + sum(layer.neurons for layer in layers)
        if pool is None:
            layer = _layer(root, root.where + suffix, table.neuron[:, 0], table.column[:, 0], found, shape, inner_first)
            layer = replace(layer, witness=Witness(value=name, element=np.arange(elements, dtype=np.int32), at_least=edge))
            layers.append(layer)
            index[level] = inner_first + np.arange(elements).reshape(shape)
        else:
            slots, place = _distinct_slots(table, found)
            inner = _layer(root, root.where + suffix, *slots, found, (len(slots[0]),), inner_first)
            layers.append(inner)
            outer = _pool_layer(
                root.where + suffix + ".pool", place, inner_first, falls, shape, inner_first + inner.neurons, name, edge
            )
            layers.append(outer)
            index[level] = outer.first + np.arange(elements).reshape(shape)
        used = table.column[table.column >= 0]
        constant += int((found.sense[used] == 0).sum())
        falling += int((found.sense[used] < 0).sum())
    total = int((table.column >= 0).sum()) * len(cuts)
    if constant:
        notes.append(Finding(layer=root.where, kind="constant", count=constant, of=total,
                             text=f"{constant} of {total} neurons never change their answer"))  # fmt: skip
    if falling:
        notes.append(Finding(layer=root.where, kind="falling", count=falling, of=total,
                             text=f"{falling} of {total} neurons fall with their sum: synapses negated"))  # fmt: skip
    return layers, index, held


def _refuse_unless_monotone(root: Root, table: Table, wrong: Array) -> None:
    if wrong.any():
        element = int(np.flatnonzero(wrong)[0])
        raise ImportRefused(
            f"layer '{root.where}': the activation of {int(wrong.sum())} of {len(wrong)} neurons (the first is "
            f"{element}) is not monotone in the neuron's sum, so no threshold gives it; use a monotone activation"
        )


def _same_bits(root: Root, table: Table, values: F64) -> tuple[I64, F64] | None:
    """Elements of a function of single bits that are those very bits, or constants; None if one is inverted."""
    assert root.bits is not None
    found = steps(table, float(values[1]))
    sense = found.sense[table.column[:, 0]]
    if (sense < 0).any() or found.wrong.any():
        return None
    index = root.bits.index.reshape(-1)[table.neuron[:, 0]]
    always = found.always[table.column[:, 0]]
    level = np.where(always, values[1], values[0])
    held = np.where(sense == 0, level, np.nan)
    return np.where(sense == 0, NO_TAP, index), held


def _layer(
    root: Root, name: str, neuron: I64, column: I64, found: Steps, shape: tuple[int, ...], first: int
) -> Layer:
    sense, threshold = found.sense[column], found.threshold[column]
    always = found.always[column]
    edge = np.where(always, root.low[neuron], root.high[neuron] + 1)
    return Layer(
        name=name,
        kind=root.kind,
        synapses=Synapses(weight=root.weight, taps=root.taps, row=root.row[neuron], patch=root.patch[neuron]),
        sign=np.where(sense < 0, -1, 1).astype(np.int8),
        threshold=np.where(sense == 0, edge, threshold).astype(np.int32),
        first=first,
        shape=shape,
    )


def _distinct_slots(table: Table, found: Steps) -> tuple[tuple[I64, I64], I64]:
    """Pre-pool neurons without repetition: ((neuron, column), number of the neuron of each slot or -1)."""
    flat_neuron, flat_column = table.neuron.reshape(-1), table.column.reshape(-1)
    open_ = flat_neuron >= 0
    neuron, column = flat_neuron[open_], flat_column[open_]
    key = np.stack([neuron, found.threshold[column], found.sense[column], found.always[column]])
    _, where, inverse = np.unique(key, axis=1, return_index=True, return_inverse=True)
    place = np.full(len(flat_neuron), -1)
    place[open_] = inverse.reshape(-1)
    return (neuron[where], column[where]), place.reshape(table.neuron.shape)


def _pool_layer(
    name: str, place: I64, inner_first: int, falls: Array, shape: tuple[int, ...], first: int, value: str, edge: float
) -> Layer:
    """OR neurons (threshold 1), and AND neurons (threshold: all members) where the part after the pool falls."""
    taps = np.where(place < 0, NO_TAP, place + inner_first).astype(np.int32)
    members = (place >= 0).sum(1)
    count = len(place)
    return Layer(
        name=name,
        kind="pool",
        synapses=Synapses(
            weight=np.ones((1, taps.shape[1]), np.int16),
            taps=taps,
            row=np.zeros(count, np.int32),
            patch=np.arange(count, dtype=np.int32),
        ),
        sign=np.ones(count, np.int8),
        threshold=np.where(falls, members, 1).astype(np.int32),
        first=first,
        shape=shape,
        witness=Witness(value=value, element=np.arange(count, dtype=np.int32), at_least=edge),
    )


def pool_bits(where: str, source: Bits, members: I64, shape: tuple[int, ...], name: str, first: int) -> Settled:
    """Max pool over bits: OR where a set bit is the larger value, AND where it is the smaller."""
    layers: list[Layer] = []
    held = source.fixed.reshape(-1)[members]
    held = np.where(members < 0, np.nan, held)
    if not source.nested:
        raise ImportRefused(
            f"layer '{where}': a max pool over sums of bits (digits of an input, or sign outputs that were added) is not a "
            "logic function of those bits; take --input uint8-thermometer for an input; else pool before the addition, or "
            "behind a sign"
        )
    if not np.isnan(held[members >= 0]).all():
        raise ImportRefused(f"layer '{where}': a max pool over padded constants is not supported; pad after the pool")
    index = np.zeros((len(source.multiplicity), *shape), np.int64)
    falls = np.full(len(members), source.unit < 0)
    for level in range(len(source.multiplicity)):
        place = np.where(members < 0, -1, source.index[level].reshape(-1)[members])
        start = first + sum(layer.neurons for layer in layers)
        below = source.base + source.unit * sum(source.multiplicity[:level])
        edge = below + source.unit * source.multiplicity[level] / 2
        layer = _pool_layer(where, place, 0, falls, shape, start, name, edge)
        if source.unit < 0:
            layer = replace(layer, witness=None)
        layers.append(layer)
        index[level] = start + np.arange(len(members)).reshape(shape)
    return Settled(variable(index, source.multiplicity, source.base, source.unit), tuple(layers), ())


def _fragile(
    network: Network,
    root: Root,
    before: Tail,
    after: Tail | None,
    pool: Pool | None,
    table: Table,
    values: F64,
    options: FoldOptions,
) -> list[Finding]:
    """Count the (neuron, sum) pairs that another float arithmetic would decide otherwise."""
    bound = root.rounding()
    shifts = [(bound, False), (-bound, False)] if bound else []
    others = [tabulate(root, before, after, pool, network.shapes, s, w) for s, w in [*shifts, (0.0, True)]]
    if options.sign0:
        others = [
            replace(o, result=np.where(o.result == 0, values[-1] * options.sign0, o.result)) for o in others
        ]
    count = fragile(table, values, others)
    pairs = int(table.reach.sum())
    if count and options.strict:
        raise ImportRefused(
            f"layer '{root.where}': {count} (neuron, sum) pairs are decided by float rounding in the network itself "
            f"(rounding bound {bound:.2g}); add a batch norm or bias, or leave --strict out"
        )
    text = f"{count} of {pairs} (neuron, sum) pairs are decided by float rounding (bound {bound:.2g})"
    return [Finding(layer=root.where, kind="fragile", count=count, of=pairs, text=text)]
