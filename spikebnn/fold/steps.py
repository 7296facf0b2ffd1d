"""From a table of results to integer thresholds: every neuron must be a step function of its sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import F64, I8, I64, Array
from spikebnn.fold.table import Table, occurs

FAR = 1 << 40


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Per column and level: bit = sense * v >= threshold; sense 0 marks a constant with value `always`."""

    threshold: I64  # (columns,)
    sense: I8  # (columns,); +1 rises, -1 falls, 0 constant
    always: Array  # (columns,) bool; the constant's bit
    wrong: Array  # (columns,) bool; not a step function


def steps(table: Table, cut: float) -> Steps:
    """Read the threshold of `result >= cut` off the table, in every column.

    A column that switches more than once over its reachable sums is `wrong`; nothing is guessed for it.
    """
    bit = table.result >= cut
    v = table.v[:, None]
    ones, zeros = bit & table.reach, ~bit & table.reach
    first_one = np.where(ones, v, FAR).min(0, initial=FAR)
    last_one = np.where(ones, v, -FAR).max(0, initial=-FAR)
    first_zero = np.where(zeros, v, FAR).min(0, initial=FAR)
    last_zero = np.where(zeros, v, -FAR).max(0, initial=-FAR)
    never, always = np.asarray(~ones.any(0)), np.asarray(~zeros.any(0))
    rises, falls = last_zero < first_one, last_one < first_zero
    sense = np.where(never | always, 0, np.where(rises, 1, -1)).astype(np.int8)
    threshold = np.where(rises, first_one, -last_one)
    return Steps(np.where(sense == 0, 0, threshold), sense, always, ~(rises | falls | never | always))


def fragile(table: Table, levels: F64, others: list[Table]) -> int:
    """Pairs (column, sum) whose result another arithmetic puts on another of the `levels`."""
    code = np.searchsorted(levels, table.result)
    differs = np.zeros(table.result.shape, bool)
    middle = (levels[1:] + levels[:-1]) / 2
    for other in others:
        differs |= np.searchsorted(middle, other.result) != code
    return int((differs & occurs(table)).sum())


def pool_falls(table: Table, cuts: F64) -> tuple[Array, Array]:
    """For each element of a pooled result: does the part behind the pool fall, and is it a step function at all?

    Returns (falls, wrong), each (elements,). Over a window of a rising part the bit of the maximum is the OR
    of the members' bits, over a falling part the AND.
    """
    assert table.pooled is not None
    code = np.searchsorted(cuts, table.result, side="right")
    unique, inverse = np.unique(np.sort(table.column, axis=1), axis=0, return_inverse=True)
    answers = [_direction(table, code, columns[columns >= 0]) for columns in unique]
    falls, wrong = np.array(answers, bool).reshape(-1, 2)[inverse.reshape(-1)].T
    return falls, wrong


def _direction(table: Table, code: Array, columns: I64) -> tuple[bool, bool]:
    assert table.pooled is not None
    mask = table.reach[:, columns]
    value, level = table.pooled[:, columns][mask], code[:, columns][mask]
    change = np.diff(level[np.argsort(value, kind="stable")].astype(np.int64))
    rising, falling = bool((change >= 0).all()), bool((change <= 0).all())
    return falling and not rising, not (rising or falling)
