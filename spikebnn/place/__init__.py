"""Place: which core of which chip each shard takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from spikebnn.arrays import door
from spikebnn.errors import CheckError, FitError, InputError
from spikebnn.partition.types import Partition
from spikebnn.place.types import Placement
from spikebnn.recipe import Recipe
from spikebnn.target import Target

__all__ = ["PLACERS", "Placement", "check_placement", "place"]

Order = Callable[[int, int], Iterator[tuple[int, int]]]


def _raster() -> Order:
    from spikebnn.place.raster import order

    return order


def _hilbert() -> Order:
    from spikebnn.place.hilbert import order

    return order


PLACERS: dict[str, Callable[[], Order]] = {"hilbert": _hilbert, "raster": _raster}


def place(partition: Partition, target: Target, recipe: Recipe) -> Placement:
    """Give shards cores along the recipe's order, chip after chip; dead cores are left out.

    Raises InputError for an unknown order, FitError where cores run out or a packet would have to go too far.
    """
    if recipe.place not in PLACERS:
        raise InputError(f'there is no placer "{recipe.place}"; known are {", ".join(sorted(PLACERS))}')
    t = target.topology
    dead = set(t.dead_cores)
    row = [(x, y) for x, y in PLACERS[recipe.place]()(t.width, t.height) if (x, y) not in dead]
    count = len(partition.shards)
    if count > len(row) * t.chips:
        raise FitError(f"{count} cores are needed, and {target.name} has {len(row) * t.chips}; try a target with more chips")
    spots = [(chip, x, y) for chip in range(-(-count // max(1, len(row)))) for x, y in row][:count]
    placement = Placement(place=door(np.array(spots, np.int32).reshape(-1, 3), np.int32, None, 3), method=recipe.place)
    far = _too_far(placement, partition, target)
    if far:
        raise FitError(f"{far}; try --place hilbert or raster, or a target with more cores per chip")
    return placement


def _too_far(placement: Placement, partition: Partition, target: Target) -> str:
    reach = target.topology.reach
    if reach is None or not len(partition.routes):
        return ""
    at = placement.place[:, 1:].astype(np.int64)
    at[:, 0] += placement.place[:, 0] * target.topology.width
    hop = np.abs(at[partition.routes[:, 0]] - at[partition.routes[:, 2]]).max(axis=0)
    if (hop <= reach).all():
        return ""
    return f"a packet would go {hop[0]} cores in x and {hop[1]} in y, and {target.name} reaches {reach[0]} and {reach[1]}"


def check_placement(placement: Placement, partition: Partition, target: Target) -> None:
    """Raise CheckError where two shards share a core, or one sits on a dead core or off the grid."""
    t = target.topology
    seen = set()
    for number, (chip, x, y) in enumerate(placement.place.tolist()):
        inside = 0 <= chip < t.chips and 0 <= x < t.width and 0 <= y < t.height
        if not inside or (x, y) in t.dead_cores or (chip, x, y) in seen:
            raise CheckError(f"the placement is wrong: shard {number} sits on core ({x}, {y}) of chip {chip}")
        seen.add((chip, x, y))
    if len(seen) != len(partition.shards):
        raise CheckError(f"the placement is wrong: {len(seen)} places for {len(partition.shards)} shards")
