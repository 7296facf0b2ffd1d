"""Where neurons and inputs of a program stand in SANA-FE's files: groups of neurons, tiles, cores in a tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, Array, unpack_bits
from spikebnn.exchange.limits import UNIT
from spikebnn.program import MEMORYLESS, Core, Program
from spikebnn.targets.target import Target, tile_shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Neurons of one core that share their units; its number is its place in `Slots.groups`."""

    tile: int
    slot: int  # core within the tile
    soma: str  # names of its units
    dendrite: str
    members: tuple[int, ...]  # neurons, numbered through all cores; for an input, its row of `Slots.feeds`
    core: int | None  # of the program; None for an input


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slots:
    """A mesh of tiles with the program's cores where they were placed, and inputs on cores of their own beside them.

    An input that several tiles hear stands in each of them, so that it makes no hops: hops are counted for what
    neurons send, as in `spikebnn.energy.traffic`, because where inputs enter the chip is not known.
    """

    columns: int
    rows: int
    groups: tuple[Group, ...]  # of neurons first, then of inputs
    depth: tuple[int, ...]  # cores of each tile that neurons may take
    hosts: tuple[tuple[int, ...], ...]  # of each tile, how many inputs each of its cores for inputs holds
    feeds: I64  # (inputs, 3): line, delay, tile; one row for each input neuron
    packets: I64  # (inputs,); cores that hear it


def tile_of(core: Core, target: Target) -> tuple[int, int, int, int]:
    """Column and row of a core's router, and its place under it."""
    wide, high = tile_shape(target.topology)
    per_chip = -(-target.topology.width // wide)  # no router serves two chips
    return core.chip * per_chip + core.x // wide, core.y // high, core.x % wide, core.y % high


def slots(program: Program, target: Target) -> Slots:
    """Lay a placed program out on the corner of the mesh that it uses, tiles numbered down the columns."""
    wide, _ = tile_shape(target.topology)
    places = [tile_of(core, target) for core in program.cores]
    columns = 1 + max((column for column, _, _, _ in places), default=0)
    rows = 1 + max((row for _, row, _, _ in places), default=0)
    tile = [column * rows + row for column, row, _, _ in places]
    slot = [x + y * wide for _, _, x, y in places]
    depth = [0] * (columns * rows)
    read = np.zeros(program.first[-1], bool)
    read[read_out(program)] = True
    groups = []
    for number, core in enumerate(program.cores):
        depth[tile[number]] = max(depth[tile[number]], slot[number] + 1)
        own = np.arange(program.first[number], program.first[number] + core.neurons)
        for unit, start in enumerate(range(0, core.neurons, UNIT)):
            some = own[start : start + UNIT]
            groups += [
                Group(tile=tile[number], slot=slot[number], soma=f"{soma}[{unit}]", dendrite=f"dendrite[{unit}]",
                      members=tuple(mine.tolist()), core=number)
                for soma, mine in (("fire", some[~read[some]]), ("read", some[read[some]])) if len(mine)
            ]  # fmt: skip
    reached = [synapses(core)[1].any(axis=1) for core in program.cores]
    ends = [bool(reached[core][axon]) for _, core, axon, _ in program.lines.tolist()]
    heard = program.lines.astype(np.int64)[np.array(ends, bool)]  # SANA-FE sends nothing to where there is no synapse
    where = np.array(tile, np.int64)[heard[:, 1]] if len(heard) else heard[:, 1]
    feeds, at = np.unique(np.stack([where, heard[:, 0], heard[:, 3]], axis=1), axis=0, return_inverse=True)
    pairs = np.unique(np.stack([at.reshape(-1), heard[:, 1]], axis=1), axis=0)
    hosts: list[tuple[int, ...]] = [()] * (columns * rows)
    for there in np.unique(feeds[:, 0]).tolist():
        mine = np.flatnonzero(feeds[:, 0] == there)
        hosts[there] = tuple(min(UNIT, len(mine) - start) for start in range(0, len(mine), UNIT))
        groups += [
            Group(tile=there, slot=depth[there] + n // UNIT, soma=f"input[{n % UNIT}]", dendrite="dendrite[0]",
                  members=(row,), core=None)
            for n, row in enumerate(mine.tolist())
        ]  # fmt: skip
    return Slots(
        columns=columns,
        rows=rows,
        groups=tuple(groups),
        depth=tuple(depth),
        hosts=tuple(hosts),
        feeds=feeds[:, [1, 2, 0]].astype(np.int64),
        packets=np.bincount(pairs[:, 0], minlength=len(feeds)).astype(np.int64),
    )


def read_out(program: Program) -> list[int]:
    """Neurons whose membranes the readout needs and SANA-FE's potentials can show: memoryless ones."""
    if program.readout != "membrane":
        return []
    first = np.array(program.first, np.int64)
    read = np.unique(first[program.outputs[:, 1]] + program.outputs[:, 2])
    forgets = np.concatenate([core.reset == MEMORYLESS for core in program.cores])
    return [int(n) for n in read if forgets[n]]


def synapses(core: Core) -> tuple[Array, Array]:
    """Weights (axons, neurons) of a core, and where there is a synapse at all: one, in however many planes."""
    weights = np.zeros((core.axons, core.neurons), np.int32)
    there = np.zeros((core.axons, core.neurons), bool)
    for plane in core.planes:
        bits = unpack_bits(plane.bits, plane.stop - plane.start).T
        weights[plane.start : plane.stop] += bits * plane.scale
        there[plane.start : plane.stop] |= bits.astype(bool)
    return weights, there
