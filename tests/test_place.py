"""Every shard gets a core of its own, no dead one, chip after chip, and along the Hilbert curve neighbours stay near."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn.errors import CheckError, FitError, InputError
from spikebnn.partition import Partition, split
from spikebnn.place import PLACERS, Placement, check_placement, place
from spikebnn.recipe import Recipe
from spikebnn.target import Topology, hops, tile_shape
from tests.strategies_mapper import mapper_network, mapper_target


def _partition(shards: int = 0) -> Partition:
    partition = split(mapper_network(3, layers=3, width=12), mapper_target(membrane_readout=True), Recipe())
    return replace(partition, shards=partition.shards[:1] * shards, routes=partition.routes[:0]) if shards else partition


@pytest.mark.parametrize("method", sorted(PLACERS))
@given(width=st.integers(1, 12), height=st.integers(1, 12))
def test_an_order_visits_every_core_once(method: str, width: int, height: int) -> None:
    cores = list(PLACERS[method]()(width, height))
    assert sorted(cores) == [(x, y) for x in range(width) for y in range(height)]


def test_hilbert_steps_to_a_neighbour_on_a_square() -> None:
    cores = np.array(list(PLACERS["hilbert"]()(16, 16)))
    assert (np.abs(np.diff(cores, axis=0)).sum(axis=1) == 1).all()


@pytest.mark.parametrize("method", sorted(PLACERS))
def test_dead_cores_stay_empty_and_the_next_chip_takes_the_rest(method: str) -> None:
    target = mapper_target(width=2, height=2, chips=3, dead_cores=((0, 1),))
    partition = _partition(7)
    placement = place(partition, target, Recipe(place=method))
    check_placement(placement, partition, target)
    assert [0, 1] not in placement.place[:, 1:].tolist()
    assert placement.place[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_more_shards_than_cores_are_refused() -> None:
    with pytest.raises(FitError, match="5 cores are needed, and toy has 4; try a target with more chips"):
        place(_partition(5), mapper_target(width=2, height=2, chips=1), Recipe())


def test_an_unknown_order_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match='there is no placer "spiral"; known are hilbert, raster'):
        place(_partition(1), mapper_target(), Recipe(place="spiral"))


def test_a_packet_that_would_go_too_far_is_refused() -> None:
    partition = replace(_partition(7), routes=np.array([[0, 0, 6, 0, 1]], np.int32))
    with pytest.raises(FitError, match="a packet would go 6 cores in x and 0 in y, and toy reaches 5 and 1"):
        place(partition, mapper_target(width=64, height=1, reach=(5, 1)), Recipe(place="raster"))
    across = place(partition, mapper_target(width=3, height=1, chips=3, reach=(6, 1)), Recipe(place="raster"))
    assert across.place[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_the_checker_finds_a_shared_core_and_a_dead_one() -> None:
    partition, target = _partition(2), mapper_target(dead_cores=((1, 1),))
    shared = Placement(place=np.array([[0, 0, 0], [0, 0, 0]], np.int32), method="raster")
    dead = Placement(place=np.array([[0, 0, 0], [0, 1, 1]], np.int32), method="raster")
    for wrong in (shared, dead):
        with pytest.raises(CheckError, match="the placement is wrong: shard 1 sits on core"):
            check_placement(wrong, partition, target)


def test_no_router_serves_two_chips_where_tiles_do_not_fill_a_chip() -> None:
    top = Topology(width=3, height=4, chips=2, cores_per_tile=4)
    assert tile_shape(top) == (2, 2)
    assert hops(top, (0, 2, 0), (1, 0, 0)) == (1, 0, 1)
    assert hops(top, (0, 0, 0), (1, 2, 3)) == (3, 1, 1)
