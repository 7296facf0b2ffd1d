"""Place: which core of which chip each shard takes."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from spikebnn.arrays import I64, door
from spikebnn.errors import FitError, InputError
from spikebnn.partition.types import Partition
from spikebnn.place import hilbert, raster
from spikebnn.place.flow import assumed, flow_of, measured
from spikebnn.place.mesh import UNIT, Mesh, Order, Way, mesh_of, way_of, weights_of
from spikebnn.place.types import Flow, Load, Placement
from spikebnn.place.walk import check_placement
from spikebnn.recipe import Recipe
from spikebnn.targets.target import Target

__all__ = ["ORDERS", "PLACERS", "Load", "Placement", "assumed", "check_placement", "measured", "place"]

ORDERS: dict[str, Order] = {"hilbert": hilbert.order, "raster": raster.order}
PLACERS = ("anneal", *ORDERS)


def place(partition: Partition, target: Target, recipe: Recipe, load: Load | None = None) -> Placement:
    """Give every shard a live core, on as few chips as hold them, by the recipe's placer.

    "raster" and "hilbert" follow an order, chip after chip. "anneal" starts from the better of the two and shortens
    the ways of the packets of `load`; see `spikebnn.place.anneal`. It is the default because it is cheap (CPU: 10 ms
    for ten cores, some 3 s for 6,000) beside what it saves (half of the hops and more). Without a load one is assumed,
    and the price says so. Raises InputError for an unknown placer or a seed below 0, FitError where cores run out or
    a packet would have to go too far.
    """
    if recipe.place not in PLACERS:
        raise InputError(f'there is no placer "{recipe.place}"; known are {", ".join(PLACERS)}')
    if recipe.seed < 0:
        raise InputError(f"the seed is {recipe.seed}; a seed is a whole number from 0 on")
    t, count = target.topology, len(partition.shards)
    live = t.width * t.height - len(set(t.dead_cores))
    if count > live * t.chips:
        raise FitError(f"{count} cores are needed, and {target.name} has {live * t.chips}; try a target with more chips")
    load = load or assumed(partition)
    flow, weights = flow_of(partition, load), weights_of(target)
    meshes = {name: mesh_of(t, order, -(-count // max(1, live))) for name, order in ORDERS.items()}
    row = np.arange(count)
    ways = {name: way_of(flow, mesh, row, weights) for name, mesh in meshes.items()}
    method, at = recipe.place, row
    if method == "anneal":
        from spikebnn.place.anneal import anneal

        near = [name for name in ORDERS if not _too_far(meshes[name], row, flow, target)] or list(ORDERS)
        method = min(near, key=lambda name: ways[name].weighed)
        at = anneal(flow, meshes[method], weights, row, recipe.seed, t.reach)
    mesh = meshes[method]
    far = _too_far(mesh, at, flow, target)
    if far:
        other = "hilbert or raster" if recipe.place == "anneal" else "anneal"
        raise FitError(f"{far}; try --place {other}, or a target with more cores per chip")
    price = _price(way_of(flow, mesh, at, weights), ways["raster"], weights.crossing / UNIT, load)
    spots = door(mesh.place[at], np.int32, None, 3)
    return Placement(place=spots, method=recipe.place, load=load, price=MappingProxyType(price))


def _price(way: Way, by_raster: Way, crossing: float, load: Load) -> dict[str, Any]:
    """What packets travel in a frame, and what they would travel in raster order."""
    return {
        "packets": load.source,
        "hops": round(way.hops, 3), "crossings": round(way.crossings, 3), "weighed": round(way.weighed, 3),
        "raster": {"hops": round(by_raster.hops, 3), "crossings": round(by_raster.crossings, 3),
                   "weighed": round(by_raster.weighed, 3)},
        "crossing_weighs": round(crossing, 3),  # hops in x
    }  # fmt: skip


def _too_far(mesh: Mesh, at: I64, flow: Flow, target: Target) -> str:
    """Why a packet would not arrive, or nothing."""
    reach, width = target.topology.reach, target.topology.width
    if reach is None or not len(flow.a):
        return ""
    x, y = mesh.place[:, 0] * width + mesh.place[:, 1], mesh.place[:, 2]
    a, b = at[flow.a], at[flow.b]
    hop = int(np.abs(x[a] - x[b]).max()), int(np.abs(y[a] - y[b]).max())
    if hop[0] <= reach[0] and hop[1] <= reach[1]:
        return ""
    return f"a packet would go {hop[0]} cores in x and {hop[1]} in y, and {target.name} reaches {reach[0]} and {reach[1]}"
