"""Every shard gets a live core of its own, packets take short ways, and whoever walks a way finds it as long as priced."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikebnn
from spikebnn import data
from spikebnn.energy.traffic import check_traffic, traffic
from spikebnn.errors import CheckError, FitError, InputError
from spikebnn.partition import Partition, split
from spikebnn.place import ORDERS, PLACERS, Load, Placement, check_placement, measured, place
from spikebnn.place import anneal as annealing
from spikebnn.place.batch import sweep_batch
from spikebnn.place.mesh import mesh_of, way_of, weights_of
from spikebnn.place.sweep import sweep
from spikebnn.place.types import Flow
from spikebnn.place.walk import walk
from spikebnn.program import Program
from spikebnn.recipe import Recipe
from spikebnn.run import Counts
from spikebnn.targets import load_target
from spikebnn.targets.target import Quantity, Target, Topology, hops, tile_shape
from spikebnn.threshold import Encoder, Layer, Synapses, ThresholdNetwork
from tests.strategies_mapper import mapper_network, mapper_readout, mapper_target
from tests.strategies_program import program_any


def _partition(shards: int = 0) -> Partition:
    partition = split(mapper_network(3, layers=3, width=12), mapper_target(membrane_readout=True), Recipe())
    return replace(partition, shards=partition.shards[:1] * shards, routes=partition.routes[:0]) if shards else partition


def _talking(seed: int, shards: int, routes: int) -> tuple[Partition, Load]:
    """Shards that send to each other at random, the first columns of a shard much and the last ones never."""
    rng = np.random.default_rng(seed)
    partition = _partition(shards)
    columns = partition.shards[0].columns
    rows = rng.integers(0, [shards, columns, shards, 4, 1], (routes, 5)).astype(np.int32)
    spikes = np.round(rng.random(shards * columns) * np.tile(np.arange(columns)[::-1], shards), 2)
    return replace(partition, routes=rows), Load(spikes=spikes, source="drawn")


@st.composite
def _boards(draw: st.DrawFn) -> Target:
    """Boards of one to three chips, with dead cores, tiles that may not fill a chip, and all kinds of prices."""
    width, height = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    tiles = [n for n in (1, 2, 4) if width * height % n == 0]
    cores = [(x, y) for x in range(width) for y in range(height)]
    dead = draw(st.lists(st.sampled_from(cores), unique=True, max_size=len(cores) - 1))
    target = mapper_target(width=width, height=height, chips=draw(st.integers(1, 3)), dead_cores=tuple(dead),
                           cores_per_tile=draw(st.sampled_from(tiles)))  # fmt: skip
    names = draw(st.sampled_from([(), ("hop_x", "hop_y"), ("hop_x", "hop_y", "chip_crossing")]))
    price = {n: Quantity(v=v, lo=v, hi=v, unit="J", src="", kind="assumed") for n, v in zip(names, (2e-12, 3e-12, 9e-11))}
    return replace(target, energy=MappingProxyType(price))


def _live(target: Target) -> int:
    t = target.topology
    return (t.width * t.height - len(t.dead_cores)) * t.chips


def _brute(placement: Placement, partition: Partition, load: Load, target: Target) -> tuple[float, float]:
    """Hops and crossings of every packet, one route after the other."""
    each = partition.shards[0].columns
    total = np.zeros(3)
    for source, column, goal, _, _ in partition.routes.tolist():
        a, b = (tuple(placement.place[s].tolist()) for s in (source, goal))
        total += load.spikes[source * each + column] * np.array(hops(target.topology, a, b))
    return total[0] + total[1], total[2]


@pytest.mark.parametrize("method", sorted(ORDERS))
@given(width=st.integers(1, 12), height=st.integers(1, 12))
def test_an_order_visits_every_core_once(method: str, width: int, height: int) -> None:
    cores = list(ORDERS[method](width, height))
    assert sorted(cores) == [(x, y) for x in range(width) for y in range(height)]


def test_hilbert_steps_to_a_neighbour_on_a_square() -> None:
    cores = np.array(list(ORDERS["hilbert"](16, 16)))
    assert (np.abs(np.diff(cores, axis=0)).sum(axis=1) == 1).all()


@pytest.mark.parametrize("method", PLACERS)
def test_dead_cores_stay_empty_and_the_next_chip_takes_the_rest(method: str) -> None:
    target = mapper_target(width=2, height=2, chips=3, dead_cores=((0, 1),))
    partition = _partition(7)
    placement = place(partition, target, Recipe(place=method))
    check_placement(placement, partition, target)
    assert [0, 1] not in placement.place[:, 1:].tolist()
    assert placement.place[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 2]


@settings(max_examples=60, deadline=None)
@given(target=_boards(), method=st.sampled_from(PLACERS), seed=st.integers(0, 99), data=st.data())
def test_a_placement_is_one_to_one_onto_live_cores_and_priced_as_its_packets_walk(
    target: Target, method: str, seed: int, data: st.DataObject
) -> None:
    shards = data.draw(st.integers(1, min(_live(target), 20)))
    partition, load = _talking(seed, shards, data.draw(st.integers(0, 60)))
    placement = place(partition, target, Recipe(place=method, seed=seed), load)
    check_placement(placement, partition, target)
    spots = {tuple(spot) for spot in placement.place.tolist()}
    assert len(spots) == shards
    assert all((x, y) not in target.topology.dead_cores for _, x, y in spots)
    per_chip = _live(target) // target.topology.chips
    assert max(chip for chip, _, _ in spots) < -(-shards // per_chip), "as few chips as possible"
    found = _brute(placement, partition, load, target)
    assert (placement.price["hops"], placement.price["crossings"]) == pytest.approx(found, abs=2e-3)
    again = place(partition, target, Recipe(place=method, seed=seed), load)
    assert (again.place == placement.place).all()


@settings(max_examples=40, deadline=None)
@given(target=_boards(), seed=st.integers(0, 99), data=st.data())
def test_annealing_is_never_worse_than_its_start(target: Target, seed: int, data: st.DataObject) -> None:
    shards = data.draw(st.integers(1, min(_live(target), 20)))
    partition, load = _talking(seed, shards, data.draw(st.integers(0, 60)))
    weighed = {
        method: place(partition, target, Recipe(place=method, seed=seed), load).price["weighed"] for method in PLACERS
    }
    assert weighed["anneal"] <= min(weighed["raster"], weighed["hilbert"]) + 1e-3


@settings(max_examples=40, deadline=None)
@given(target=_boards(), seed=st.integers(0, 99))
def test_a_walk_makes_the_hops_that_the_score_counts(target: Target, seed: int) -> None:
    t = target.topology
    places = np.array([(c, x, y) for c in range(t.chips) for x in range(t.width) for y in range(t.height)])
    rng = np.random.default_rng(seed)
    source, goal = rng.integers(0, len(places), (2, 50))
    steps = walk(t, places, source, goal)
    for k, (a, b) in enumerate(zip(places[source].tolist(), places[goal].tolist())):
        assert (steps.x[k], steps.y[k], steps.crossings[k]) == hops(t, tuple(a), tuple(b))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), shards=st.integers(2, 60), block=st.integers(1, 20), bound=st.booleans())
def test_a_sweep_of_whole_arrays_decides_as_the_plain_loops(seed: int, shards: int, block: int, bound: bool) -> None:
    results = []
    for run, as_list in ((sweep, True), (sweep_batch, False), (_compiled(), False)):
        rng = np.random.default_rng(seed)
        pairs = np.unique(np.sort(rng.integers(0, shards, (4 * shards, 2)), axis=1), axis=0)
        a, b = pairs[pairs[:, 0] != pairs[:, 1]].T
        flow = Flow(a=a, b=b, packets=rng.integers(0, 9, len(a)) / 2)
        target = mapper_target(width=6, height=5, chips=3, cores_per_tile=2)
        mesh, weights = mesh_of(target.topology, ORDERS["hilbert"], 3), weights_of(target)
        tables = annealing._Tables(flow, shards, mesh, weights, (5, 2) if bound else None)
        assert bool(tables.far) == bound
        at = rng.permutation(len(mesh.place))[:shards]
        who = np.full(len(mesh.place), -1)
        who[at] = np.arange(shards)
        draws = annealing._draw(rng, shards, 8 * shards, 3, 50 * tables.cost(at) / max(1, shards))
        draws[4][::3] = -1
        room = [np.zeros(len(who), np.int64), *(np.zeros(block, np.int64) for _ in range(3))]
        state, groups = [at, who], [
            [tables.first, tables.other, tables.weight],
            [mesh.column, mesh.row, np.ascontiguousarray(mesh.chip), tables.gx, tables.gy, tables.grid], draws, room,
        ]  # fmt: skip
        if as_list:
            state, groups = [x.tolist() for x in state], [[x.tolist() for x in group] for group in groups]
        fixed, board, moves, work = groups
        run(*fixed, *state, *board, tables.wide, tables.high, weights.x, weights.y, weights.crossing, tables.far,
            *tables.reach, *moves, block, *work)  # fmt: skip
        at, who = (np.asarray(x) for x in state)
        assert (who[at] == np.arange(shards)).all()
        assert (who >= 0).sum() == shards
        results.append(at)
    assert all((at == results[0]).all() for at in results[1:])


def _compiled() -> Callable[..., None]:
    from spikebnn.place.kernels import compiled

    return compiled


def test_without_numba_the_placement_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    partition, load = _talking(5, 90, 400)
    target = mapper_target(width=8, height=8, chips=2)
    assert annealing.moves_of(90) * annealing.STEPS > annealing.SMALL, "large enough for the kernels"
    with_it = place(partition, target, Recipe(place="anneal"), load)
    monkeypatch.setitem(sys.modules, "spikebnn.place.kernels", None)
    without = place(partition, target, Recipe(place="anneal"), load)
    assert (with_it.place == without.place).all()


def test_annealing_brings_a_ring_of_neighbours_close_together() -> None:
    """A ring of 36 shards, numbered at random, has a placement of 36 hops on a square of 6 x 6."""
    ring = np.random.default_rng(0).permutation(36)
    rows = np.stack([ring, 0 * ring, np.roll(ring, 1), 0 * ring, 0 * ring + 1], axis=1).astype(np.int32)
    partition = replace(_partition(36), routes=rows)
    columns = sum(shard.columns for shard in partition.shards)
    load = Load(spikes=np.ones(columns), source="one each")
    placement = place(partition, mapper_target(width=6, height=6, chips=1), Recipe(place="anneal"), load)
    assert placement.price["hops"] <= 48
    assert placement.price["raster"]["hops"] > 120


def test_packets_follow_the_measured_load() -> None:
    """Shard 0 talks to 1 and to 2 alike; measured, it talks to 2 only, which then sits beside it."""
    partition = replace(_partition(9), routes=np.array([[0, 0, 1, 0, 1], [0, 1, 8, 0, 1]], np.int32))
    columns = partition.shards[0].columns
    spikes = np.zeros(9 * columns, np.int64)
    spikes[1] = 30
    load = measured(spikes, 10)
    placement = place(partition, mapper_target(width=3, height=3, chips=1), Recipe(place="anneal"), load)
    assert placement.price["hops"] == 3.0
    assert placement.price["raster"]["hops"] == 12.0
    assert placement.price["packets"] == "measured on 10 frames"


def test_a_crossing_weighs_as_its_energy_and_where_nobody_knows_as_a_whole_chip() -> None:
    target = mapper_target(width=8, height=8, cores_per_tile=4)
    assert weights_of(target).crossing == 4 * weights_of(target).x
    price = {n: Quantity(v=v, lo=v, hi=v, unit="J", src="", kind="assumed")
             for n, v in {"hop_x": 2e-12, "hop_y": 3e-12, "chip_crossing": 100e-12}.items()}  # fmt: skip
    weights = weights_of(replace(target, energy=MappingProxyType(price)))
    assert (weights.y / weights.x, weights.crossing / weights.x) == (1.5, 50.0)


def test_more_shards_than_cores_are_refused() -> None:
    with pytest.raises(FitError, match="5 cores are needed, and toy has 4; try a target with more chips"):
        place(_partition(5), mapper_target(width=2, height=2, chips=1), Recipe())


def test_an_unknown_placer_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match='there is no placer "spiral"; known are anneal, hilbert, raster'):
        place(_partition(1), mapper_target(), Recipe(place="spiral"))


def test_a_seed_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="the seed is -1; a seed is a whole number from 0 on"):
        place(_partition(2), mapper_target(), Recipe(seed=-1))


@pytest.mark.parametrize("method", PLACERS)
def test_no_shard_needs_no_place(method: str) -> None:
    partition, target = replace(_partition(0), shards=(), routes=np.zeros((0, 5), np.int32)), mapper_target()
    placement = place(partition, target, Recipe(place=method))
    check_placement(placement, partition, target)
    assert placement.place.shape == (0, 3)


def test_a_packet_that_would_go_too_far_is_refused() -> None:
    partition = replace(_partition(7), routes=np.array([[0, 0, 6, 0, 1]], np.int32))
    with pytest.raises(FitError, match="a packet would go 6 cores in x and 0 in y, and toy reaches 5 and 1; try --place anneal"):
        place(partition, mapper_target(width=64, height=1, reach=(5, 1)), Recipe(place="raster"))
    across = place(partition, mapper_target(width=3, height=1, chips=3, reach=(6, 1)), Recipe(place="raster"))
    assert across.place[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_annealing_brings_packets_into_reach() -> None:
    partition = replace(_partition(7), routes=np.array([[0, 0, 6, 0, 1]], np.int32))
    target = mapper_target(width=64, height=1, reach=(5, 1))
    placement = place(partition, target, Recipe(place="anneal"))
    check_placement(placement, partition, target)
    star = np.array([[0, 0, k, 0, 1] for k in range(1, 7)], np.int32)
    with pytest.raises(FitError, match="in y, and toy reaches 1 and 1; try --place hilbert or raster"):
        place(replace(partition, routes=star), mapper_target(width=64, height=1, reach=(1, 1)), Recipe(place="anneal"))


def test_the_checker_finds_a_shared_core_and_a_dead_one_and_one_off_the_grid() -> None:
    partition, target = _partition(2), mapper_target(width=4, height=4, chips=1, dead_cores=((1, 1),))
    for second in ([0, 0, 0], [0, 1, 1], [0, 4, 0], [0, 0, -1], [1, 0, 0]):
        wrong = Placement(place=np.array([[0, 0, 0], second], np.int32), method="raster")
        with pytest.raises(CheckError, match="the placement is wrong: shard 1 sits on core"):
            check_placement(wrong, partition, target)
    alone = Placement(place=np.array([[0, 0, 0]], np.int32), method="raster")
    with pytest.raises(CheckError, match="the placement is wrong: 1 places for 2 shards"):
        check_placement(alone, partition, target)


def test_the_checker_finds_a_route_off_the_grid_a_packet_beyond_reach_and_a_wrong_price() -> None:
    target = mapper_target(width=4, height=4, chips=1, reach=(3, 3))
    partition = replace(_partition(2), routes=np.array([[0, 0, 1, 0, 1]], np.int32))
    placement = place(partition, target, Recipe(place="raster"))
    lost = replace(partition, routes=np.array([[0, 0, 2, 0, 1]], np.int32))
    with pytest.raises(CheckError, match="the placement is wrong: a route leaves the grid"):
        check_placement(placement, lost, target)
    short = replace(target, topology=replace(target.topology, reach=(0, 3)))
    with pytest.raises(CheckError, match=r"the placement is wrong: a packet goes \(1, 0\) cores and reaches \(0, 3\)"):
        check_placement(placement, partition, short)
    cheap = replace(placement, price={**placement.price, "hops": 0.0})
    with pytest.raises(CheckError, match="0.000 hops per frame are named, and the packets walk 0.500"):
        check_placement(cheap, partition, target)
    with pytest.raises(CheckError, match="a core is off the grid"):
        walk(target.topology, np.array([[0, 0, 0], [0, 4, 0]]), np.array([0]), np.array([1]))


def test_no_router_serves_two_chips_where_tiles_do_not_fill_a_chip() -> None:
    top = Topology(width=3, height=4, chips=2, cores_per_tile=4)
    assert tile_shape(top) == (2, 2)
    assert hops(top, (0, 2, 0), (1, 0, 0)) == (1, 0, 1)
    assert hops(top, (0, 0, 0), (1, 2, 3)) == (3, 1, 1)


def test_the_way_of_a_flow_is_the_sum_of_its_packets_ways() -> None:
    target = mapper_target(width=3, height=3, chips=2)
    mesh = mesh_of(target.topology, ORDERS["raster"], 2)
    flow = Flow(a=np.array([0, 1]), b=np.array([1, 2]), packets=np.array([2.0, 0.5]))
    way = way_of(flow, mesh, np.array([0, 4, 9]), weights_of(target))  # (0, 0, 0), (0, 1, 1), (1, 0, 0)
    assert (way.x, way.y, way.crossings) == (2 * 1 + 0.5 * 2, 2 * 1 + 0.5 * 1, 0.5)
    assert way.weighed == way.hops + 3 * way.crossings


@settings(max_examples=30, deadline=None)
@given(program=program_any(max_cores=6), target=_boards(), seed=st.integers(0, 99))
def test_packets_of_a_run_walk_the_hops_of_its_score(program: Program, target: Target, seed: int) -> None:
    rng, t = np.random.default_rng(seed), target.topology
    spots = rng.integers(0, [t.chips, t.width, t.height], (len(program.cores), 3)).tolist()
    moved = replace(program, cores=tuple(replace(core, chip=c, x=x, y=y) for core, (c, x, y) in zip(program.cores, spots)))
    none = np.zeros((1, len(program.cores)), np.int64)
    counts = Counts(spikes=none, axon_events=none, synaptic_events=none,
                    neuron_spikes=rng.integers(0, 9, program.first[-1]))  # fmt: skip
    counted = traffic(counts, moved, target)
    check_traffic(counted, counts, moved, target)
    wrong = replace(counted, crossings=counted.crossings + 1)
    with pytest.raises(CheckError, match="the traffic is wrong: .* crossings are counted, and the packets walk"):
        check_traffic(wrong, counts, moved, target)


def _dense(sizes: tuple[int, ...]) -> ThresholdNetwork:
    """A dense network of random ±1 weights whose neurons fire about half of the time."""
    rng = np.random.default_rng(0)

    def all_to_all(first: int, inputs: int, outputs: int) -> Synapses:
        return Synapses(
            weight=rng.choice(np.array([-1, 1], np.int16), (outputs, inputs)),
            taps=np.arange(first, first + inputs, dtype=np.int32)[None], row=np.arange(outputs, dtype=np.int32),
            patch=np.zeros(outputs, np.int32),
        )  # fmt: skip

    layers, first, ones = [], 0, sizes[0]
    for k, (inputs, outputs) in enumerate(pairwise(sizes[:-1])):
        synapses = all_to_all(first, inputs, outputs)
        threshold = (synapses.weight.sum(axis=1) // 2 + 1).astype(np.int32)
        layers.append(Layer(name=f"layer{k}", kind="dense", synapses=synapses, sign=np.ones(outputs, np.int8),
                            threshold=threshold, first=ones, shape=(outputs,)))  # fmt: skip
        first, ones = ones, ones + outputs
    return ThresholdNetwork(
        inputs=sizes[0], encoder=Encoder(kind="values", shape=(sizes[0],), dtype="float32"), layers=tuple(layers),
        readout=mapper_readout(all_to_all(first, sizes[-2], sizes[-1])),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["loihi-sim", "truenorth-sim"])
def test_a_dense_net_of_four_layers_travels_a_quarter_less_than_in_raster_order(name: str) -> None:
    target = load_target(name)
    partition = split(_dense((784, 1024, 1024, 1024, 10)), target, Recipe())
    placement = place(partition, target, Recipe())
    check_placement(placement, partition, target)
    price = placement.price
    assert price["weighed"] <= 0.75 * price["raster"]["weighed"]
    assert price["hops"] <= 0.75 * price["raster"]["hops"]


def test_calibrated_on_the_frames_of_a_run_the_placement_names_the_hops_of_its_score() -> None:
    net = Path(__file__).resolve().parent.parent / "examples/japanese_vowels"
    x = data.load(net / "test.npz", 40).x
    program = spikebnn.map(net / "net.pt", "truenorth-sim", calibrate=x)
    run = spikebnn.run(program, x)
    score = spikebnn.score(run, program, load_target("truenorth-sim"))
    placement = program.header["placement"]
    assert placement["packets"] == "measured on 40 frames"
    assert placement["hops"] * 40 == pytest.approx(score.hops, abs=0.1)
    assert placement["hops"] < 0.75 * placement["raster"]["hops"]
    plain = spikebnn.map(net / "net.pt", "truenorth-sim", recipe=Recipe(place="raster"))
    np.testing.assert_array_equal(spikebnn.run(plain, x).scores, run.scores)


def test_calibration_without_frames_is_refused() -> None:
    net = Path(__file__).resolve().parent.parent / "examples/shuttle/net.pt"
    with pytest.raises(InputError, match=r"calibration needs frames on the first axis; an array of shape \(0, 9\) has none"):
        spikebnn.map(net, "truenorth-sim", calibrate=np.zeros((0, 9), np.float32))
