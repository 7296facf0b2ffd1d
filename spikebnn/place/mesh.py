"""The mesh under the cores: which places a mapping may use, how far apart they are, and what a way costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64
from spikebnn.place.types import Flow
from spikebnn.targets.target import Target, Topology, tile_shape

Order = Callable[[int, int], Iterator[tuple[int, int]]]
UNIT = 16  # what one hop in x weighs; all weights are integers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mesh:
    """Places that live cores offer, chip after chip, each chip along one order."""

    place: I64  # (places, 3); chip, x, y
    column: I64  # (places,); of the router, numbered through all chips
    row: I64  # (places,)

    @property
    def chip(self) -> I64:
        return self.place[:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a hop in x, a hop in y and the crossing of a chip's border weigh, as integers."""

    x: int
    y: int
    crossing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Packets times hops in x, hops in y, crossings, and all of them weighed; per frame."""

    x: float
    y: float
    crossings: float
    weighed: float  # in hops in x

    @property
    def hops(self) -> float:
        return self.x + self.y


def mesh_of(topology: Topology, order: Order, chips: int) -> Mesh:
    """The live places of some chips."""
    dead = set(topology.dead_cores)
    one = [spot for spot in order(topology.width, topology.height) if spot not in dead]
    rows = [(chip, x, y) for chip in range(chips) for x, y in one]
    place = np.array(rows, np.int64).reshape(-1, 3)
    wide, high = tile_shape(topology)
    per_chip = -(-topology.width // wide)
    column = place[:, 0] * per_chip + place[:, 1] // wide
    return Mesh(place=place, column=column, row=place[:, 2] // high)


def weights_of(target: Target) -> Weights:
    """Weights in proportion to the target's energies of a hop and of a crossing.

    Where a target prices no hops, both directions weigh the same. Where it does not price a crossing, one weighs as
    much as all hops across a chip: leaving a chip costs more than staying, and nobody has said how much more.
    """
    price = {key: target.energy[key].v for key in ("hop_x", "hop_y", "chip_crossing") if key in target.energy}
    across = -(-target.topology.width // tile_shape(target.topology)[0])
    if not price.get("hop_x") or not price.get("hop_y"):
        return Weights(x=UNIT, y=UNIT, crossing=UNIT * across)
    unit = UNIT / price["hop_x"]
    crossing = price["chip_crossing"] * unit if "chip_crossing" in price else float(UNIT * across)
    return Weights(x=UNIT, y=max(1, round(price["hop_y"] * unit)), crossing=min(round(crossing), 1 << 20))


def way_of(flow: Flow, mesh: Mesh, at: I64, weights: Weights) -> Way:
    """What the packets of a frame travel when shard i takes place `at[i]`."""
    a, b = at[flow.a], at[flow.b]
    x = float((flow.packets * np.abs(mesh.column[a] - mesh.column[b])).sum())
    y = float((flow.packets * np.abs(mesh.row[a] - mesh.row[b])).sum())
    crossings = float((flow.packets * np.abs(mesh.chip[a] - mesh.chip[b])).sum())
    weighed = (weights.x * x + weights.y * y + weights.crossing * crossings) / UNIT
    return Way(x=x, y=y, crossings=crossings, weighed=weighed)
