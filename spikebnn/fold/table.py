"""The float tail of a contraction, evaluated on every integer sum that its neurons can reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import F64, I64, Array
from spikebnn.fold.tail import Tail, position_free, run, wiring
from spikebnn.fold.values import Pool, Root

CHUNK = 1 << 23  # values held at once while a tail is evaluated


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """result[i, x] is what the network makes of sum v[i] in column x.

    A slot (element, member) is one neuron's part in one element of the result: `neuron` names the root's neuron and
    `column` its column; both are -1 outside a pooling window. Without a pool there is one member per element.
    """

    v: I64  # (sums,)
    result: Array  # (sums, columns)
    pooled: Array | None  # (sums, columns); the value that the pool compares
    reach: Array  # (sums, columns) bool; sums that the column's neurons can reach
    neuron: I64  # (elements, members)
    column: I64  # (elements, members)


def tabulate(
    root: Root,
    before: Tail,
    after: Tail | None,
    pool: Pool | None,
    shapes: Mapping[str, tuple[int | None, ...]],
    shift: float = 0.0,
    wide: bool = False,
) -> Table:
    """Evaluate the tail; `shift` is added to the contraction's value, `wide` evaluates in float64.

    Where nothing in the tail depends on the position, one column per channel and border class is enough.
    """
    v = np.arange(int(root.low.min(initial=0)), int(root.high.max(initial=0)) + 1)
    free = position_free(before, root.shape) and (after is None or position_free(after, root.shape))
    free = free and (pool is None or pool.spatial)
    if free:
        return _by_channel(root, before, after, pool, v, shift, wide)
    return _by_element(root, before, after, pool, v, shapes, shift, wide)


def _float_values(root: Root, neurons: I64, v: I64, shift: float, wide: bool) -> Array:
    """What the float contraction yields for sums v (sums, 1) of `neurons`: rounded once, bias added last."""
    y: Array = root.alpha[neurons] * (root.unit * v[:, None] + root.offset[neurons]) + shift
    y = y if wide else y.astype(root.dtype)
    if root.bias is not None:
        y = y + root.bias[neurons].astype(y.dtype)
    return y


def _in_chunks(make: Callable[[I64], tuple[Array, Array | None]], v: I64, width: int) -> tuple[Array, Array | None]:
    rows = max(1, CHUNK // max(1, width))
    parts = [make(v[i : i + rows]) for i in range(0, len(v), rows)]
    pooled = None if parts[0][1] is None else np.concatenate([p[1] for p in parts if p[1] is not None])
    return np.concatenate([p[0] for p in parts]), pooled


def _by_channel(
    root: Root, before: Tail, after: Tail | None, pool: Pool | None, v: I64, shift: float, wide: bool
) -> Table:
    channels = root.shape[0]
    area = root.neurons // channels
    key = np.stack([root.offset, root.low.astype(float), root.high.astype(float)]).reshape(3 * channels, area)
    _, first, border = np.unique(key, axis=1, return_index=True, return_inverse=True)
    border = border.reshape(-1)
    sample = (np.arange(channels)[:, None] * area + first[None, :]).reshape(-1)

    def make(part: I64) -> tuple[Array, Array | None]:
        y = _float_values(root, sample, part, shift, wide).reshape(len(part), channels, len(first), 1)
        h = run(before, y, wide)
        r = h if after is None else run(after, h, wide)
        return r.reshape(len(part), -1), None if after is None else h.reshape(len(part), -1)

    result, pooled = _in_chunks(make, v, len(sample))
    column_of = np.arange(channels)[:, None] * len(first) + border[None, :]
    neuron = np.arange(root.neurons)[:, None] if pool is None else pool.members
    column = np.where(neuron < 0, -1, column_of.reshape(-1)[neuron])
    reach = (v[:, None] >= root.low[sample]) & (v[:, None] <= root.high[sample])
    return Table(v, result, pooled, reach, neuron, column)


def _by_element(
    root: Root,
    before: Tail,
    after: Tail | None,
    pool: Pool | None,
    v: I64,
    shapes: Mapping[str, tuple[int | None, ...]],
    shift: float,
    wide: bool,
) -> Table:
    everyone = np.arange(root.neurons)
    inner = wiring(before, everyone.reshape(root.shape), shapes)
    if pool is None or after is None:
        neuron = inner.reshape(-1, 1)
    else:
        out_shape = tuple(int(n or 1) for n in shapes[pool.out][1:])
        outputs = wiring(after, np.arange(len(pool.members)).reshape(out_shape), shapes).reshape(-1)
        members = pool.members[outputs]
        neuron = np.where(members < 0, -1, inner.reshape(-1)[members])

    def make(part: I64) -> tuple[Array, Array | None]:
        y = _float_values(root, everyone, part, shift, wide).reshape(len(part), *root.shape)
        h = run(before, y, wide).reshape(len(part), -1)
        if pool is None or after is None:
            return h, None
        results, values = [], []
        for member in pool.members.T:
            q = np.where(member < 0, np.nan, h[:, member]).astype(h.dtype).reshape(len(part), *out_shape)
            results.append(run(after, q, wide).reshape(len(part), -1))
            values.append(q.reshape(len(part), -1)[:, outputs])
        stack = [np.stack(a, axis=2).reshape(len(part), -1) for a in (results, values)]
        return stack[0], stack[1]

    result, pooled = _in_chunks(make, v, neuron.size)
    column = np.where(neuron < 0, -1, np.arange(neuron.size).reshape(neuron.shape))
    flat = neuron.reshape(-1)
    low = np.where(flat < 0, 1, root.low[flat])
    high = np.where(flat < 0, 0, root.high[flat])
    reach = (v[:, None] >= low) & (v[:, None] <= high)
    return Table(v, result, pooled, reach, neuron, column)


def occurs(table: Table) -> Array:
    """(sums, columns) bool: the sum can be reached, and some slot reads the column."""
    read = np.zeros(table.result.shape[1], bool)
    read[table.column[table.column >= 0]] = True
    return np.asarray(table.reach & read)


def used_values(table: Table) -> F64:
    """The distinct results over everything that occurs, rising."""
    return np.unique(table.result[occurs(table)]).astype(np.float64) + 0.0  # + 0.0: no negative zero
