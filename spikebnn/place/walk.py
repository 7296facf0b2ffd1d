"""The stranger that walks: every packet goes from router to router, and its steps are what the score must say.

A packet goes along x until it stands in the column of its goal, then along y, the order of the routers of both
kinds of chip (Merolla 2014, page 5); chips stand in a row, and the last router of one has a link to the first of the
next. A dead core has no neurons and no axons; its router is taken to pass packets on, as a router that is not
part of the core's memory can, because no source says otherwise and a packet has no other way in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import F64, I64, Array
from spikebnn.errors import CheckError
from spikebnn.partition.types import Partition
from spikebnn.place.types import Placement
from spikebnn.targets.target import Target, Topology


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """What each walker did; (walkers,) each."""

    x: I64
    y: I64
    crossings: I64


def walk(topology: Topology, places: Array, source: I64, goal: I64) -> Steps:
    """Walk from core `source` to core `goal`, numbers of rows of `places` (cores, 3): chip, x, y; all at once.

    Raises CheckError where a core is not on the board.
    """
    chip, x, y = places.astype(np.int64).T
    chips = max(topology.chips, len(places) + 1)  # a preset of the same chip may have had more of them
    off = (chip < 0) | (chip >= chips) | (x < 0) | (x >= topology.width) | (y < 0) | (y >= topology.height)
    _claim(not off.any(), "a core is off the grid")
    router, chip_of = _routers(topology, int(chip.max(initial=0)) + 1)
    home = router[chip, x, y]
    here, there = home[source].copy(), home[goal]
    out = np.zeros((3, len(here)), np.int64)
    for axis in (0, 1):
        going = np.flatnonzero(here[:, axis] != there[:, axis])
        while len(going):
            was = chip_of[here[going, 0]]
            here[going, axis] += np.where(there[going, axis] > here[going, axis], 1, -1)
            out[axis, going] += 1
            out[2, going] += chip_of[here[going, 0]] != was
            going = going[here[going, axis] != there[going, axis]]
    return Steps(x=out[0], y=out[1], crossings=out[2])


def _routers(topology: Topology, chips: int) -> tuple[Array, I64]:
    """The router (column, row) of each core (chip, x, y), and the chip of each column: tile by tile, chip by chip."""
    high = 1
    for rows in range(2, topology.cores_per_tile + 1):
        if topology.cores_per_tile % rows == 0 and rows <= topology.cores_per_tile // rows:
            high = rows
    wide = topology.cores_per_tile // high
    router = np.zeros((chips, topology.width, topology.height, 2), np.int64)
    chip_of: list[int] = []
    for chip in range(chips):
        for left in range(0, topology.width, wide):
            router[chip, left : left + wide, :, 0] = len(chip_of)
            chip_of.append(chip)
    for number, top in enumerate(range(0, topology.height, high)):
        router[:, :, top : top + high, 1] = number
    return router, np.array(chip_of, np.int64)


def walked(topology: Topology, places: Array, source: I64, goal: I64, packets: F64 | I64) -> tuple[float, float, float]:
    """Hops in x, hops in y and crossings of `packets` on each route, every way walked once."""
    key, of = np.unique(source.astype(np.int64) * len(places) + goal, return_inverse=True)
    on_way = np.bincount(of.reshape(-1), weights=packets, minlength=len(key))
    steps = walk(topology, places, *np.divmod(key, max(1, len(places))))
    return float((on_way * steps.x).sum()), float((on_way * steps.y).sum()), float((on_way * steps.crossings).sum())


def check_placement(placement: Placement, partition: Partition, target: Target) -> None:
    """Raise CheckError where two shards share a core, one sits where none is, a packet goes too far, or a price is wrong.

    Every route is walked. The hops and crossings that the placement's price names must be those of the walk.
    """
    t, place = target.topology, placement.place
    seen = set()
    for number, (chip, x, y) in enumerate(place.tolist()):
        inside = 0 <= chip < t.chips and 0 <= x < t.width and 0 <= y < t.height
        if not inside or (x, y) in t.dead_cores or (chip, x, y) in seen:
            raise CheckError(f"the placement is wrong: shard {number} sits on core ({x}, {y}) of chip {chip}")
        seen.add((chip, x, y))
    _claim(len(seen) == len(partition.shards), f"{len(seen)} places for {len(partition.shards)} shards")
    source, goal = partition.routes[:, 0].astype(np.int64), partition.routes[:, 2].astype(np.int64)
    _claim(((source >= 0) & (source < len(seen)) & (goal >= 0) & (goal < len(seen))).all(), "a route leaves the grid")
    if t.reach is not None and len(source):
        x, y = place[:, 0].astype(np.int64) * t.width + place[:, 1], place[:, 2].astype(np.int64)
        far = int(np.abs(x[source] - x[goal]).max()), int(np.abs(y[source] - y[goal]).max())
        _claim(far[0] <= t.reach[0] and far[1] <= t.reach[1], f"a packet goes {far} cores and reaches {t.reach}")
    if placement.load is None:
        return
    columns = np.cumsum([0, *(shard.columns for shard in partition.shards)])
    packets = placement.load.spikes[columns[source] + partition.routes[:, 1]]
    x_hops, y_hops, crossings = walked(t, place, source, goal, packets)
    for name, found in (("hops", x_hops + y_hops), ("crossings", crossings)):
        said = placement.price[name]
        same = abs(said - found) <= 1e-3 + 1e-9 * abs(found)
        _claim(same, f"{said:,.3f} {name} per frame are named, and the packets walk {found:,.3f}")


def _claim(true: bool | np.bool_, wrong: str) -> None:
    if not true:
        raise CheckError(f"the placement is wrong: {wrong}. This is a bug in spikebnn; please report it.")
