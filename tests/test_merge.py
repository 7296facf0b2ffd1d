"""Pools that are axons: several neurons feed one axon, which is on when any of them fires."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from torch import nn

import spikebnn
from spikebnn.cli.facts import facts_of, text_of
from spikebnn.emit import check_emit, check_equivalent, check_program, emit
from spikebnn.errors import CheckError, ImportRefused
from spikebnn.fit import find_violations
from spikebnn.importers import from_module
from spikebnn.partition import check_partition, split
from spikebnn.pipeline import thresholds
from spikebnn.place import place
from spikebnn.program import Program
from spikebnn.recipe import Recipe
from spikebnn.simulate.registry import simulator
from spikebnn.targets.target import Target
from spikebnn.threshold import Encoder, Layer, Synapses, ThresholdNetwork, execute
from tests.strategies_mapper import (
    mapper_inputs,
    mapper_network,
    mapper_readout,
    mapper_run,
    mapper_target,
    mapper_targets,
)
from tests.zoo import BConv, BLinear, member, more_input, sign_detach, signs


def mapped(network: ThresholdNetwork, target: Target, way: str = "auto") -> Program:
    recipe = Recipe(place="raster", split=way)
    partition = split(network, target, recipe)
    check_partition(partition, network, target)
    program = emit(network, partition, place(partition, target, recipe), target, recipe)
    check_emit(program, network, target)
    return program


def merged_axons(program: Program) -> int:
    _, many = np.unique(program.routes[:, 2:4], axis=0, return_counts=True)
    return int((many > 1).sum())


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), target=mapper_targets(), layers=st.integers(1, 3), pools=st.integers(1, 2),
    taps=st.integers(1, 14), way=st.sampled_from(["auto", "exact", "radix", "none"]), votes=st.booleans(),
)
def test_a_network_with_pools_keeps_every_bit_and_sum_and_needs_no_more_ticks_times_cores_than_without_merged_axons(
    seed: int, target: Target, layers: int, pools: int, taps: int, way: str, votes: bool
) -> None:
    network = mapper_network(seed, inputs=10, layers=layers, taps=taps, pools=pools, votes=votes)
    target = replace(target, core=replace(target.core, axon_merges=True))
    assume(not find_violations(network, target, Recipe(split=way)))
    program = mapped(network, target, way)
    event(f"merged axons: {min(merged_axons(program), 3)}, split {program.header['split']['method']}")
    inputs = mapper_inputs(network, 5, seed)
    bits, sums = execute(network, inputs)
    got, windows = mapper_run(program, inputs)
    np.testing.assert_array_equal(got, sums)
    for (c, n), spikes in windows.items():
        layer, unit = int(program.cores[c].layer[n]), int(program.cores[c].unit[n])
        if layer < len(network.layers) and unit >= 0:
            np.testing.assert_array_equal(spikes, bits[:, network.layers[layer].first + unit])
    alone = replace(target, core=replace(target.core, axon_merges=False))
    if not find_violations(network, alone, Recipe(split=way)):
        other = mapped(network, alone, way)
        assert other.period * len(other.cores) >= program.period * len(program.cores)


def pooled(side: int = 6, falls: bool = False) -> ThresholdNetwork:
    """A convolution of one channel, a pool of 2 x 2, and a dense layer of two neurons that are read as votes."""
    inputs, wide, half = side * side, side - 2, (side - 2) // 2
    y, x = np.divmod(np.arange(wide * wide), wide)
    window = (y[:, None] + np.arange(3).repeat(3)) * side + x[:, None] + np.tile(np.arange(3), 3)
    conv = Synapses(
        weight=np.where(np.arange(9) % 2, -1, 1)[None].astype(np.int16), taps=window.astype(np.int32),
        row=np.zeros(len(y), np.int32), patch=np.arange(len(y), dtype=np.int32),
    )
    py, px = np.divmod(np.arange(half * half), half)
    members = inputs + (2 * py[:, None] + [0, 0, 1, 1]) * wide + 2 * px[:, None] + [0, 1, 0, 1]
    pool = Synapses(
        weight=np.ones((1, 4), np.int16), taps=members.astype(np.int32), row=np.zeros(half * half, np.int32),
        patch=np.arange(half * half, dtype=np.int32),
    )
    first = inputs + len(y)
    dense = Synapses(
        weight=np.array([[1, -1, 1, 1]], np.int16), taps=(first + np.arange(half * half))[None].astype(np.int32),
        row=np.zeros(2, np.int32), patch=np.zeros(2, np.int32),
    )
    votes = Synapses(
        weight=np.ones((2, 1), np.int16), taps=(first + half * half + np.arange(2))[:, None].astype(np.int32),
        row=np.arange(2, dtype=np.int32), patch=np.arange(2, dtype=np.int32),
    )
    layers, at = [], inputs
    for name, synapses, theta in (("conv", conv, 1), ("pool", pool, 4 if falls else 1), ("dense", dense, [1, 2])):
        n = synapses.neurons
        layers.append(Layer(name=name, kind=name, synapses=synapses, sign=np.ones(n, np.int8), first=at, shape=(n,),
                            threshold=np.full(n, theta, np.int32)))  # fmt: skip
        at += n
    encoder = Encoder(kind="values", shape=(inputs,), dtype="float32")
    return ThresholdNetwork(inputs=inputs, encoder=encoder, layers=tuple(layers), readout=mapper_readout(votes))


ONE = mapper_target(axons_per_neuron=1, cores_per_neuron=1, axon_merges=True)


def test_a_pool_takes_no_neuron_and_no_tick_where_axons_merge() -> None:
    program, before = mapped(pooled(), ONE), mapped(pooled(), replace(ONE, core=replace(ONE.core, axon_merges=False)))
    assert merged_axons(program) == 4
    assert program.latency == before.latency - 1
    assert program.header["merged"] == {"pool": 4}
    assert [layer.role for layer in program.layers if layer.name == "pool"] == ["merged"]
    line = "pools      fused into what they read, without a neuron or a tick: pool (4 neurons)"
    assert line in text_of(facts_of(program)).splitlines()
    assert "pool: 4 of 4 neurons are axons that all of their inputs feed, and take no core" in program.header["notes"]
    assert sum(core.neurons for core in program.cores) == sum(core.neurons for core in before.cores) - 4


def wide_pools(taps: int = 14) -> ThresholdNetwork:
    """The same with four pools of so many of the 16 positions each."""
    network = pooled()
    conv, pool, dense = network.layers
    members = conv.first + np.stack([(np.arange(taps) + k) % 16 for k in range(4)])
    wired = replace(pool.synapses, weight=np.ones((1, taps), np.int16), taps=members.astype(np.int32))
    return replace(network, layers=(conv, replace(pool, synapses=wired), dense))


def test_a_pool_that_is_wider_than_a_core_is_an_axon_and_not_a_sum() -> None:
    target = replace(ONE, core=replace(ONE.core, axons=10))
    network = wide_pools()
    program, alone = mapped(network, target), mapped(network, replace(target, core=replace(target.core, axon_merges=False)))
    assert program.header["merged"] == {"pool": 4}
    assert program.header["split"]["method"] == "none"
    assert (program.period, alone.period > 1) == (1, True)
    assert len(program.cores) < len(alone.cores)
    inputs = mapper_inputs(network, 20, 1)
    np.testing.assert_array_equal(mapper_run(program, inputs)[0], execute(network, inputs)[1])


def test_a_wide_pool_that_the_host_reads_is_a_neuron_that_hears_one_axon() -> None:
    network = wide_pools()
    votes = replace(network.readout.synapses, taps=np.array([[16 + 36], [17 + 36]], np.int32))
    network = replace(network, layers=network.layers[:2], readout=mapper_readout(votes))
    program = mapped(network, replace(ONE, core=replace(ONE.core, axons=10)))
    assert (program.header["shared"], program.header["split"]["method"]) == ({"pool": 2}, "none")
    inputs = mapper_inputs(network, 20, 1)
    np.testing.assert_array_equal(mapper_run(program, inputs)[0], execute(network, inputs)[1])


def test_a_pool_whose_sum_is_wider_than_v_is_an_axon_where_axons_merge() -> None:
    target = replace(ONE, neuron=replace(ONE.neuron, v_bits=4))
    assert mapped(wide_pools(), target).header["merged"] == {"pool": 4}
    alone = replace(target, core=replace(target.core, axon_merges=False))
    assert any('"pool": needs a membrane of' in v.text for v in find_violations(wide_pools(), alone, Recipe()))


def test_a_min_pool_stays_a_layer_of_neurons() -> None:
    program = mapped(pooled(falls=True), ONE)
    assert merged_axons(program) == 0
    assert program.header["merged"] == {}


def test_pools_that_the_host_reads_are_neurons_that_hear_one_axon_each() -> None:
    network = pooled()
    votes = replace(network.readout.synapses, taps=network.layers[1].first + np.arange(2, dtype=np.int32)[:, None])
    network = replace(network, layers=network.layers[:2], readout=mapper_readout(votes))
    target = replace(ONE, neuron=replace(ONE.neuron, membrane_readout=False))
    program = mapped(network, target)
    inputs = mapper_inputs(network, 6, 1)
    np.testing.assert_array_equal(mapper_run(program, inputs)[0], execute(network, inputs)[1])
    assert merged_axons(program) == program.header["shared"]["pool"] == 2
    line = "pools      one axon for all that they read: pool (2 neurons)"
    assert line in text_of(facts_of(program)).splitlines()


def test_each_source_sends_its_own_packet_and_the_axon_is_on_once() -> None:
    network = pooled()
    program = mapped(network, ONE)
    bits = np.random.default_rng(3).integers(0, 2, (1, 1, 36), dtype=np.uint8)
    known = execute(network, bits[:, 0])[0][0]
    fired, told = known[36:52].astype(bool), known[52:56].astype(bool)
    assert fired.sum() > told.sum() > 0  # some pool has two sources that fire
    for name in ("reference", "bitwise"):
        counts = simulator(name).load(program).frames(bits).counts
        own = counts.neuron_spikes.sum() - known[56:58].sum()
        assert own == fired.sum(), name  # a packet each
        assert counts.axon_events.sum() == told.sum() + bits[0, 0][program.lines[:, 0]].sum(), name


def test_a_packet_of_another_neuron_on_a_merged_axon_is_found() -> None:
    network = pooled()
    program = mapped(network, ONE)
    key, count = np.unique(program.routes[:, 2:4], axis=0, return_counts=True)
    core, axon = key[count > 1][0]
    row = np.flatnonzero((program.routes[:, 2] == core) & (program.routes[:, 3] == axon))[0]
    routes = program.routes.copy()
    taken = np.flatnonzero((routes[:, 2] == core) & (routes[:, 3] != axon))[0]
    routes[row, :2] = routes[taken, :2]
    with pytest.raises(CheckError, match="axon .* of core .* hears 4 neurons, and the network has no neuron that is the OR of"):
        check_equivalent(replace(program, routes=routes), network)


def test_a_packet_that_comes_a_tick_later_than_the_others_is_found() -> None:
    network = pooled()
    program = mapped(network, ONE)
    key, count = np.unique(program.routes[:, 2:4], axis=0, return_counts=True)
    core, axon = key[count > 1][0]
    routes = program.routes.copy()
    routes[np.flatnonzero((routes[:, 2] == core) & (routes[:, 3] == axon))[0], 4] += 1
    with pytest.raises(CheckError, match="axon .* of core .* hears several neurons in different ticks"):
        check_equivalent(replace(program, routes=routes), network)


def test_a_target_where_each_packet_counts_refuses_merged_axons() -> None:
    alone = replace(ONE, core=replace(ONE.core, axon_merges=False))
    with pytest.raises(CheckError, match="an axon hears 4 neurons, but each counts for itself on toy"):
        check_program(mapped(pooled(), ONE), alone)


@pytest.mark.parametrize(
    ("name", "chip"),
    [("zero_one", "truenorth-sim"), ("brevitas_conv", "ranc-sim"), ("overlapping_pool", "ranc-sim"),
     ("average_of_bits", "truenorth-sim")],
)  # fmt: skip
def test_pools_of_trained_networks_are_those_of_the_framework_in_every_simulator(name: str, chip: str) -> None:
    model, x = member(name)
    network = from_module(model, x)
    program = spikebnn.map(network, chip)
    assert program.header["merged"] or merged_axons(program)
    frames = more_input(x, 12).numpy()
    certificate = spikebnn.verify(program, network, frames, simulators=["reference", "bitwise"])
    assert certificate.equal, certificate.reason()


def test_the_report_shows_a_fused_pool_on_the_cores_without_a_neuron() -> None:
    program = mapped(pooled(), ONE)
    run = spikebnn.run(program, np.ones((2, 36), np.float32))
    layer = next(layer for layer in spikebnn.score(run, program, ONE).layers if layer.name == "pool")
    assert (layer.role, layer.where, layer.neurons, layer.placed, layer.cores) == ("merged", "cores", 4, 0, 0)


class _Added(nn.Module):
    """Two signs that are added, and then pooled: three levels that no single bit tells apart."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.fc = BConv(2, 4, 1, bias=False), BConv(2, 4, 1, bias=False), BLinear(36, 10, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = sign_detach(self.a(x) + 0.5) + sign_detach(self.b(x) + 0.5)
        return self.fc(sign_detach(nn.functional.max_pool2d(y, 2) + 0.5).flatten(1))


def test_a_pool_over_added_signs_is_refused_with_what_to_do() -> None:
    with pytest.raises(ImportRefused, match="else pool before the addition, or behind a sign"):
        thresholds(_Added(), example_input=signs(5, 2, 6, 6))
