"""Bounds on axons hold against the best of all packings, found by trying every one, and say more than single axons do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from spikebnn.arrays import Array
from spikebnn.partition.bound import lower_bound
from spikebnn.partition.discrepancy import axons_of, columns_of
from spikebnn.partition.types import Bank
from spikebnn.program import MEMORYLESS, SATURATE
from spikebnn.threshold import NO_TAP, Synapses
from tests.strategies_mapper import mapper_target

SIGNALS = 12
TWO = np.array([[1, 1], [1, -1]])
HADAMARD = np.kron(TWO, np.kron(TWO, TWO))


def _bank(weight: Array, taps: Array, row: Array, patch: Array, first: int = SIGNALS) -> Bank:
    n = len(row)
    none = np.zeros(n, np.int32)
    return Bank(
        name="bank", role="whole", layer=0, unit=np.arange(n, dtype=np.int32), spot=np.zeros((n, 3), np.int32),
        synapses=Synapses(weight=weight.astype(np.int16), taps=taps.astype(np.int32), row=row.astype(np.int32),
                          patch=patch.astype(np.int32)),
        threshold=none, leak=none, reset=MEMORYLESS, floor=none, floor_mode=SATURATE, first=first,
        low=none.astype(np.int64), high=none.astype(np.int64),
    )  # fmt: skip


def _random_bank(rng: np.random.Generator, neurons: int, first: int) -> Bank:
    """Patches that overlap, rows that are often orthogonal, opposite, equal or of one weight only."""
    width = int(rng.choice([4, 6, 8, 8, 8]))
    values = [(-1, 1), (0, 1), (-1, 0), (-1, 0, 1), (-2, -1, 1, 2)][int(rng.integers(5))]
    weight = rng.choice(values, (neurons, width))
    if rng.random() < 0.8:
        rows = HADAMARD[rng.permutation(8)][:neurons, :width] * rng.choice([-1, 1], width)
        weight = rows if values == (-1, 1) else np.where(rows > 0, values[0], values[-1])
    for k in range(1, neurons):
        kind = rng.random() * (1 if rng.random() < 0.1 else 9)
        if kind < 0.4 and values == (-1, 1):
            weight[k] = -weight[k - 1]
        elif kind < 0.4 and 0 in values and len(values) == 2:
            weight[k] = sum(values) - weight[k - 1]
        elif kind < 0.5:
            weight[k] = weight[k - 1]
    patches = int(rng.choice([1, 1, 2, 3]))
    starts = rng.integers(0, SIGNALS - width + 1, patches)
    taps = starts[:, None] + np.arange(width)
    if rng.random() < 0.15:
        taps[rng.random(taps.shape) < 0.2] = NO_TAP
    return _bank(weight, taps, rng.permutation(neurons), rng.integers(0, patches, neurons), first)


def _reads(bank: Bank, copies: Array) -> list[frozenset[tuple[int, int]]]:
    """The axons of each column: signal and weight."""
    s = bank.synapses
    out = []
    for n, times in enumerate(copies.tolist()):
        pairs = zip(s.taps[s.patch[n]].tolist(), s.weight[s.row[n]].tolist(), strict=True)
        out += [frozenset((a, v) for a, v in pairs if a != NO_TAP and v)] * times
    return out


def _best(columns: Sequence[frozenset[tuple[int, int]]], room: int, axons: int) -> tuple[int, int]:
    """The fewest axons, and the fewest cores of `axons` axons, of all ways to put columns on cores of `room` columns."""
    n = len(columns)
    size = [0] * (1 << n)
    for some in range(1, 1 << n):
        held = [columns[k] for k in range(n) if some >> k & 1]
        size[some] = len(frozenset().union(*held)) if len(held) <= room else -1
    fewest, cores = [0] * (1 << n), [0] * (1 << n)
    for some in range(1, 1 << n):
        lead = some & -some
        fewest[some], cores[some] = 1 << 30, 1 << 30
        rest = some ^ lead
        more = rest
        while True:  # every part that holds the first column
            part = more | lead
            if size[part] >= 0:
                fewest[some] = min(fewest[some], size[part] + fewest[some ^ part])
                if size[part] <= axons:
                    cores[some] = min(cores[some], 1 + cores[some ^ part])
            if not more:
                break
            more = (more - 1) & rest
    return fewest[-1], cores[-1]


def _counts(banks: Sequence[Bank], copies: Sequence[Array]) -> dict[int, Array]:
    counts: dict[int, Array] = {}
    for bank, times in zip(banks, copies, strict=True):
        for column in _reads(bank, times):
            for signal, value in column:
                counts.setdefault(value, np.zeros(64, np.int64))[signal] += 1
    return counts


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), room=st.integers(2, 6), banks=st.integers(1, 2))
def test_no_packing_takes_fewer_axons_or_cores_than_the_bound(seed: int, room: int, banks: int) -> None:
    rng = np.random.default_rng(seed)
    made = [_random_bank(rng, 8 // banks, SIGNALS + 10 * k) for k in range(banks)]
    copies = [rng.choice([0, 1, 1, 1, 1, 1, 2], bank.neurons).astype(np.int64) for bank in made]
    if sum(int(times.sum()) for times in copies) > 9:
        copies = [np.minimum(times, 1) for times in copies]
    columns = [column for bank, times in zip(made, copies, strict=True) for column in _reads(bank, times)]
    limit = max([len(column) for column in columns], default=1) + int(rng.integers(0, 6))
    axons, cores = _best(columns, room, limit) if columns else (0, 0)
    readers = [found for bank, times in zip(made, copies, strict=True)
               if (found := columns_of(bank, times, 64)) is not None]  # fmt: skip
    counts = _counts(made, copies)
    bound = axons_of(readers, 0, SIGNALS, counts, room)
    plain = axons_of([], 0, SIGNALS, counts, room)
    event(f"axons over those of single keys: {min(bound - plain, 3)}")
    assert plain <= bound <= axons
    heard = np.zeros(64, np.int64)
    for bank, times in zip(made, copies, strict=True):
        heard[bank.first : bank.first + bank.neurons] = times
    if all((times <= 1).all() for times in copies):
        target = mapper_target(neurons=room, axons=limit)
        assert lower_bound(made, heard, target, sharp=True).cores <= cores


def test_opposite_rows_take_every_axon_of_every_core() -> None:
    """Of Hadamard's rows and their opposites, 8 on each of two cores, 2 axons of all 32 are missing at most."""
    both = np.concatenate([HADAMARD, -HADAMARD])
    bank = _bank(both, np.arange(8)[None], np.arange(16), np.zeros(16, np.int64))
    counts = _counts([bank], [np.ones(16, np.int64)])
    reader = columns_of(bank, np.ones(16, np.int64), 64)
    assert reader is not None
    assert axons_of([], 0, SIGNALS, counts, 8) == 16
    assert axons_of([reader], 0, SIGNALS, counts, 8) == 30


@pytest.mark.parametrize("halves", [False, True])
def test_random_signs_take_nearly_all_axons_of_a_full_core(halves: bool) -> None:
    """128 inputs of weights +1 and -1 are 256 axons, and 4 cores of 256 columns take all but a few of them each."""
    rng = np.random.default_rng(0)
    weight = rng.choice([-1, 1], (1024, 128))
    if halves:  # as a split does: what adds and what takes off are two neurons
        weight = np.concatenate([weight[:512] > 0, weight[:512] < 0]).astype(int)
    bank = _bank(weight, np.arange(128)[None], np.arange(1024), np.zeros(1024, np.int64), 1024)
    ones = np.ones(1024, np.int64)
    reader = columns_of(bank, ones, 4096)
    assert reader is not None
    counts = {v: np.append((weight == v).sum(axis=0), np.zeros(4096 - 128, np.int64)) for v in (-1, 1) if (weight == v).any()}
    keys = 128 * len(counts)
    assert axons_of([], 0, 1024, counts, 256) <= 3 * keys
    assert 0.9 * 4 * keys < axons_of([reader], 0, 1024, counts, 256) <= 4 * keys
