"""Partitions: neurons nobody hears take no core, neighbours share axons, copies and relays reach every reader."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from spikebnn.checks.program import check_emit
from spikebnn.emit import emit
from spikebnn.errors import CheckError, FitError
from spikebnn.partition import Partition, check_partition, split
from spikebnn.partition.memory import run_bits
from spikebnn.partition.plan import cost_of
from spikebnn.partition.settle import merged, settle
from spikebnn.partition.tile import sample
from spikebnn.place import place
from spikebnn.program import SUBTRACT
from spikebnn.recipe import Recipe
from spikebnn.simulate import registry
from spikebnn.targets.target import SynapseRule, Target
from spikebnn.threshold import NO_TAP, Encoder, Layer, Synapses, ThresholdNetwork, execute, sums
from tests.strategies_mapper import (
    mapper_fan_out,
    mapper_inputs,
    mapper_network,
    mapper_readout,
    mapper_synapses,
    mapper_target,
    mapper_targets,
)


def _conv(channels: int, side: int, filters: int, groups: int = 1) -> ThresholdNetwork:
    """A 3 x 3 convolution with padding over (channels, side, side) inputs, each filter a voter."""
    grid = np.pad(np.arange(channels * side * side).reshape(channels, side, side), ((0, 0), (1, 1), (1, 1)),
                  constant_values=NO_TAP)
    each = channels // groups
    taps = np.array([
        grid[g * each : (g + 1) * each, y : y + 3, x : x + 3].ravel()
        for g in range(groups) for y in range(side) for x in range(side)
    ], np.int32)
    spots, inputs = side * side, channels * side * side
    filter_of = np.repeat(np.arange(filters), spots)
    layer = Layer(
        name="conv", kind="conv", sign=np.ones(filters * spots, np.int8), threshold=np.ones(filters * spots, np.int32),
        first=inputs, shape=(filters, side, side),
        synapses=Synapses(
            weight=np.random.default_rng(0).choice([-1, 1], (filters, each * 9)).astype(np.int16), taps=taps,
            row=filter_of.astype(np.int32),
            patch=(filter_of // (filters // groups) * spots + np.tile(np.arange(spots), filters)).astype(np.int32),
        ),
    )
    votes = Synapses(
        weight=np.ones((1, spots), np.int16), row=np.zeros(filters, np.int32), patch=np.arange(filters, dtype=np.int32),
        taps=(inputs + np.arange(filters * spots)).reshape(filters, spots).astype(np.int32),
    )
    encoder = Encoder(kind="values", shape=(channels, side, side), dtype="float32")
    return ThresholdNetwork(inputs=inputs, encoder=encoder, layers=(layer,), readout=mapper_readout(votes))


def _cut(network: ThresholdNetwork, target: Target, recipe: Recipe | None = None) -> Partition:
    partition = split(network, target, recipe or Recipe())
    check_partition(partition, network, target)
    return partition


def test_neurons_that_nobody_hears_take_no_core() -> None:
    network = mapper_network(1, layers=2, width=8)
    deaf = mapper_readout(replace(network.readout.synapses, weight=np.zeros_like(network.readout.synapses.weight)))
    partition = _cut(replace(network, readout=deaf), mapper_target())
    assert len(partition.shards) == 0
    assert partition.base.tolist() == [0, 0, 0]


def test_channels_of_one_position_share_a_core_and_its_axons() -> None:
    partition = _cut(_conv(2, 4, 12), mapper_target(neurons=12, axons=36))
    assert len(partition.shards) == 16
    for shard in partition.shards:
        assert len(np.unique(shard.parts[0].neuron % 16)) == 1


def test_neighbouring_positions_share_axons() -> None:
    """Sixteen positions of a depthwise layer: far fewer axons than sixteen times nine."""
    partition = _cut(_conv(1, 8, 1), mapper_target(neurons=16, axons=64))
    assert len(partition.shards) == 4
    assert max(len(part.source) for shard in partition.shards for part in shard.parts) <= 40


def test_a_layer_that_a_core_holds_takes_the_cores_that_its_neurons_need() -> None:
    partition = _cut(_conv(2, 4, 16), mapper_target(neurons=64, axons=200))
    assert len(partition.shards) == partition.lower_bound == 4


def _used(partition: Partition, target: Target) -> dict[str, float]:
    """Cores' worth of each resource that a partition takes, counted on its shards and routes."""
    cells = axons = bits = 0
    for shard in partition.shards:
        for part in shard.parts:
            bank = partition.banks[part.bank]
            cells += len(part.neuron) * (target.core.neurons_per_subtract if bank.reset == SUBTRACT else 1)
            axons += len(part.source)
            bits += part.bits
    routes = partition.routes
    edges = len(np.unique(routes[:, :3], axis=0))
    found = {"neurons": cells / target.core.neurons, "axons": axons / target.core.axons}
    if target.core.output_edges is not None:
        found["edges"] = edges / target.core.output_edges
    if target.core.synapse_bits is not None and target.synapse.format == "list":
        found["synapse memory"] = bits / target.core.synapse_bits
    return found


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1), target=mapper_targets(), layers=st.integers(0, 4), taps=st.integers(1, 14),
    votes=st.booleans(), width=st.integers(4, 30),
)
def test_no_mapping_and_none_of_its_resources_is_below_the_bound(
    seed: int, target: Target, layers: int, taps: int, votes: bool, width: int
) -> None:
    network = mapper_network(seed, inputs=12, layers=layers, taps=taps, width=width, votes=votes and layers > 0)
    try:
        partition = _cut(network, target)
    except FitError:
        event("does not fit")
        return
    event(f"cores over bound {len(partition.shards) - partition.lower_bound}")
    assert partition.lower_bound <= len(partition.shards)
    assert partition.lower_bound >= max(partition.bound.values(), default=0)
    used = _used(partition, target)
    for name, share in partition.bound.items():
        assert share <= used[name] + 1e-3


def test_the_bound_counts_copies_that_must_be() -> None:
    """Four neurons are read by 188 columns, which take 21 cores of 9 neurons at least, and a column feeds one axon."""
    free = _cut(mapper_fan_out(), mapper_target(neurons=9))
    bound = _cut(mapper_fan_out(), mapper_target(neurons=9, axons_per_neuron=1)).bound
    assert free.bound["neurons"] < (188 + 4 + 40 + 1) / 9
    assert bound["neurons"] >= (188 + 4 * 21) / 9


def test_small_layers_share_a_core() -> None:
    """Three layers and a readout that one core holds take one core, and its axons and columns follow each other."""
    partition = _cut(mapper_network(6, layers=3, width=6), mapper_target(neurons=64, axons=64, membrane_readout=True))
    (shard,) = partition.shards
    assert len({part.bank for part in shard.parts}) == len(partition.banks) > 1
    assert len(partition.routes) == sum((part.source >= partition.inputs).sum() for part in shard.parts)


def test_a_layer_of_many_neurons_fills_what_a_layer_of_many_synapses_leaves() -> None:
    """Wide neurons leave columns and narrow ones leave memory; together they take as many cores as either needs."""
    rule = {"format": "list", "weight_bits": 2, "block": 16, "word_bits": 16, "axon_types": None, "block_overhead_bits": 0}
    target = mapper_target(neurons=32, axons=400, synapse_bits=6000, membrane_readout=True, **rule)
    narrow, wide, first = 200, 60, 200
    thin = Synapses(
        weight=np.ones((1, 1), np.int16), taps=np.arange(narrow, dtype=np.int32)[:, None], row=np.zeros(narrow, np.int32),
        patch=np.arange(narrow, dtype=np.int32),
    )
    thick = Synapses(
        weight=np.random.default_rng(0).choice([-1, 1], (wide, narrow)).astype(np.int16), row=np.arange(wide, dtype=np.int32),
        taps=(first + np.arange(narrow, dtype=np.int32))[None], patch=np.zeros(wide, np.int32),
    )
    votes = Synapses(
        weight=np.ones((1, wide), np.int16), taps=(first + narrow + np.arange(wide, dtype=np.int32))[None],
        row=np.zeros(1, np.int32), patch=np.zeros(1, np.int32),
    )
    layers = tuple(
        Layer(name=name, kind="dense", synapses=s, sign=np.ones(s.neurons, np.int8), shape=(s.neurons,), first=at,
              threshold=np.ones(s.neurons, np.int32))
        for name, s, at in (("thin", thin, first), ("thick", thick, first + narrow))
    )
    network = ThresholdNetwork(
        inputs=narrow, encoder=Encoder(kind="values", shape=(narrow,), dtype="float32"), layers=layers,
        readout=mapper_readout(votes),
    )
    partition = _cut(network, target)
    both = [shard for shard in partition.shards if {p.bank for p in shard.parts} >= {0, 1}]
    assert len(both) >= 3
    assert len(partition.shards) <= 1.3 * partition.lower_bound


def test_a_network_many_times_too_big_is_refused_by_its_neurons_alone() -> None:
    """1,024 neurons fill 64 cores of 16 without copies; 4 cores are there. Nothing is packed, and no fan-in is hidden."""
    target = mapper_target(axons=12, width=2, height=2, chips=1)
    with pytest.raises(FitError) as refusal:
        split(_conv(2, 8, 16), target, Recipe(split="none"))
    found = {v.what: v for v in refusal.value.violations}
    assert set(found) == {"cores", "fan-in"}
    assert (found["cores"].found, found["cores"].limit) == (64, 4)
    assert found["cores"].text.startswith(
        'layer "conv": needs 64 cores or more, toy has 4 and the network takes at least 64 in all (for neurons alone: conv 64)'
    )


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_sums_neuron_by_neuron_are_sums_patch_by_patch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    few = mapper_synapses(rng, np.arange(9), 6, 5, 6, 2)
    many = replace(few, row=np.tile(few.row, 20), patch=np.tile(few.patch, 20))
    bits = rng.integers(0, 2, (4, 9))
    np.testing.assert_array_equal(np.tile(sums(few, bits), (1, 20)), sums(many, bits))


def test_where_a_layer_is_split_anyway_channels_that_share_no_core_are_split_if_that_is_cheaper() -> None:
    """On 256 axons a neuron of 144 inputs is alone on its core; beside a layer of 576 inputs it is split too."""
    network = _conv(16, 4, 32)
    wide = Synapses(
        weight=np.random.default_rng(1).choice([-1, 1], (4, 512)).astype(np.int16), row=np.arange(4, dtype=np.int32),
        taps=(network.inputs + np.arange(512, dtype=np.int32))[None], patch=np.zeros(4, np.int32),
    )
    first = network.bits
    votes = replace(network.readout.synapses, taps=np.arange(first, first + 4, dtype=np.int32)[None],
                    weight=np.ones((1, 4), np.int16), row=np.zeros(1, np.int32), patch=np.zeros(1, np.int32))
    layer = Layer(name="wide", kind="dense", synapses=wide, sign=np.ones(4, np.int8), threshold=np.ones(4, np.int32),
                  first=first, shape=(4,))
    network = replace(network, layers=(*network.layers, layer), readout=mapper_readout(votes))
    target = mapper_target(neurons=256, axons=256, axons_per_neuron=1)
    auto, every = (_cut(network, target, Recipe(split=split)) for split in ("auto", "radix"))
    assert set(every.price["layers"]) == {"conv", "wide"}
    assert cost_of(auto) <= cost_of(every)
    assert len(auto.shards) < 100


def test_a_neuron_with_one_axon_has_a_copy_for_each() -> None:
    network = mapper_fan_out()
    one = _cut(network, mapper_target(axons_per_neuron=1))
    column = one.routes[:, 0].astype(np.int64) * 1000 + one.routes[:, 1]
    assert len(np.unique(column)) == len(column) > 0
    assert one.price["copies"] > 0
    free = _cut(network, mapper_target())
    assert free.price["copies"] == 0


def test_relays_are_taken_where_copies_would_cost_more() -> None:
    """24 copies of four wide neurons would ask twice as many columns of the layer before as relays do.

    Of the 200 neurons 12 never fire, because all their weights are negative: 188 need 12 cores.
    """
    partition = _cut(mapper_fan_out(), mapper_target(axons_per_neuron=1, neurons=16, axons=24))
    assert partition.price["neurons"] == {"whole": 40 * 2 + 4 * 2 + 188, "relay": 24 * 4}
    relays = [bank for bank in partition.banks if bank.role == "relay"]
    assert [bank.tick for bank in relays] == [2]
    assert partition.latency == 4


@pytest.mark.parametrize(("neurons", "levels", "cores"), [(16, 1, 25), (4, 3, 187), (2, 8, 708)])
def test_relays_have_relays_where_one_level_is_not_enough(neurons: int, levels: int, cores: int) -> None:
    """With one level alone, cores of four neurons are 278 and cores of two are 1911."""
    network = mapper_fan_out()
    target = mapper_target(axons_per_neuron=1, neurons=neurons, axons=24, chips=12)
    partition = _cut(network, target)
    relays = [bank for bank in partition.banks if bank.role == "relay"]
    assert [bank.name for bank in relays] == ["wide" + ".relays" * k for k in range(1, levels + 1)]
    assert [bank.tick for bank in relays] == list(range(2, 2 + levels))
    assert partition.latency == 3 + levels
    assert len(partition.shards) <= cores
    recipe = Recipe(place="raster")
    program = emit(network, partition, place(partition, target, recipe), target, recipe)
    check_emit(program, network, target)
    inputs = mapper_inputs(network, 3, 0)
    got = registry.simulator("reference").load(program).frames(inputs[:, None].astype(np.uint8)).sums
    assert np.array_equal(got, execute(network, inputs)[1])


def test_the_tick_of_a_relay_is_one_later_and_its_readers_follow() -> None:
    with_relays = _cut(mapper_fan_out(), mapper_target(axons_per_neuron=1, neurons=16, axons=24))
    without = _cut(mapper_fan_out(), mapper_target(neurons=16, axons=24))
    assert with_relays.latency == without.latency + 1


def test_a_source_that_is_earlier_than_the_longest_delay_is_relayed() -> None:
    network = mapper_network(11, layers=4, width=6, taps=4)
    last = replace(network.readout.synapses, taps=np.where(
        network.readout.synapses.taps >= 0, network.layers[0].first, NO_TAP).astype(np.int32))
    chain = network.layers[3].first
    taps = last.taps.copy()
    taps[:, -1] = chain
    network = replace(network, readout=mapper_readout(replace(last, taps=taps, weight=np.ones_like(last.weight))))
    for delay in (1, 2, 4):
        partition = _cut(network, mapper_target(delay_max=delay, membrane_readout=True))
        assert partition.routes[:, 4].max(initial=1) <= delay


def test_constant_neurons_are_folded_into_their_readers() -> None:
    network = mapper_network(3, layers=2, width=6)
    layer = network.layers[0]
    always = replace(layer, threshold=np.full_like(layer.threshold, -99))
    network = replace(network, layers=(always, network.layers[1]))
    partition = _cut(network, mapper_target())
    assert all(partition.banks[part.bank].name != layer.name for shard in partition.shards for part in shard.parts)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), most=st.sampled_from([1, 2]))
def test_settling_keeps_every_sum(seed: int, most: int) -> None:
    network = mapper_network(seed, inputs=7, layers=2, taps=9, most=most)
    inputs = mapper_inputs(network, 12, seed)
    bits, want = execute(network, inputs)
    layers, readout = settle(network, 1)
    for layer, settled in zip(network.layers, layers, strict=True):
        fired = sums(settled.synapses, bits) >= settled.threshold
        np.testing.assert_array_equal(fired, bits[:, layer.first : layer.first + layer.neurons])
        assert (sums(settled.synapses, bits) >= settled.low).all()
        assert (sums(settled.synapses, bits) <= settled.high).all()
    np.testing.assert_array_equal(sums(readout.synapses, bits) - readout.threshold, want)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_repeated_taps_are_added_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    synapses = mapper_synapses(rng, np.arange(5), 6, 8, 3, 2)
    bits = rng.integers(0, 2, (9, 5))
    single = merged(synapses)
    np.testing.assert_array_equal(sums(single, bits), sums(synapses, bits))
    for taps in single.taps:
        real = taps[taps != NO_TAP]
        assert len(np.unique(real)) == len(real)


def test_list_memory_is_the_published_formula() -> None:
    """Two-bit weights, overhead 10, words of 64: 59 synapses fill two words, 27 fill one (hardware notes 2.1)."""
    rule = SynapseRule(format="list", weight_bits=2, block=64, block_overhead_bits=10, word_bits=64)
    bits = run_bits(rule, 2, 200)
    assert [int(bits[n]) // 64 for n in (0, 1, 27, 28, 59, 60, 64, 118)] == [0, 1, 1, 2, 2, 3, 3, 4]


def test_the_checker_finds_an_axon_fed_by_another_neuron() -> None:
    network, target = mapper_fan_out(), mapper_target()
    partition = _cut(network, target)
    routes = partition.routes.copy()
    routes[0, 1] += 1
    with pytest.raises(CheckError, match="the partition is wrong: axon .* of shard .* is fed by signal"):
        check_partition(replace(partition, routes=routes), network, target)
    with pytest.raises(CheckError, match="is not fed"):
        check_partition(replace(partition, routes=partition.routes[1:]), network, target)



def test_a_sample_of_places_around_an_empty_middle_is_not_empty() -> None:
    ring = np.array([(0, y, x) for y in range(40) for x in range(40) if not (4 <= y < 36 and 4 <= x < 36)], np.int32)
    some = sample(ring, 20)
    assert 0 < len(some) <= len(ring)


def test_neurons_of_many_axons_share_cores_with_neurons_of_many_columns() -> None:
    rng = np.random.default_rng(0)
    thin = Synapses(
        weight=np.ones((1, 1), np.int16), taps=np.arange(96, dtype=np.int32)[:, None], row=np.zeros(96, np.int32),
        patch=np.arange(96, dtype=np.int32),
    )
    wide = Synapses(
        weight=rng.choice([-1, 1], (64, 96)).astype(np.int16), taps=np.arange(96, 192, dtype=np.int32)[None],
        row=np.arange(64, dtype=np.int32), patch=np.zeros(64, np.int32),
    )
    votes = Synapses(
        weight=np.ones((1, 64), np.int16), taps=np.arange(192, 256, dtype=np.int32)[None], row=np.zeros(1, np.int32),
        patch=np.zeros(1, np.int32),
    )
    layers = tuple(
        Layer(name=name, kind="dense", synapses=synapses, sign=np.ones(len(synapses.row), np.int8), first=first,
              shape=(len(synapses.row),), threshold=np.ones(len(synapses.row), np.int32))
        for name, synapses, first in (("thin", thin, 96), ("wide", wide, 192))
    )  # fmt: skip
    network = ThresholdNetwork(
        inputs=96, encoder=Encoder(kind="values", shape=(96,), dtype="float32"), layers=layers, readout=mapper_readout(votes)
    )
    partition = _cut(network, mapper_target(neurons=32, axons=32, axons_per_neuron=1, cores_per_neuron=1))
    roles = [{partition.banks[part.bank].role for part in shard.parts} for shard in partition.shards]
    assert any(found >= {"whole", "aggregate"} for found in roles)
    full = [sum(len(part.neuron) for part in shard.parts) for shard in partition.shards]
    least = max(sum(full) / 32, partition.bound.get("axons", 0))
    assert len(partition.shards) <= 1.25 * least


def test_cores_full_of_columns_leave_some_to_neurons_of_many_axons() -> None:
    """Digits fill the columns of their cores and leave axons; aggregators need axons and few columns."""
    rng, widths, first, layers = np.random.default_rng(0), (128, 192, 192, 192, 8), 0, []
    for inputs, neurons in pairwise(widths):
        synapses = Synapses(
            weight=rng.choice([-1, 1], (neurons, inputs)).astype(np.int16), row=np.arange(neurons, dtype=np.int32),
            taps=first + np.arange(inputs, dtype=np.int32)[None], patch=np.zeros(neurons, np.int32),
        )
        first += inputs
        layers.append(Layer(name=f"dense{first}", kind="dense", synapses=synapses, sign=np.ones(neurons, np.int8),
                            first=first, shape=(neurons,), threshold=np.ones(neurons, np.int32)))  # fmt: skip
    network = ThresholdNetwork(
        inputs=128, encoder=Encoder(kind="values", shape=(128,), dtype="float32"), layers=tuple(layers[:-1]),
        readout=mapper_readout(layers[-1].synapses),
    )
    target = mapper_target(neurons=128, axons=128, axons_per_neuron=1, width=64, height=64)
    partition = _cut(network, target, Recipe(split="radix"))
    assert len(partition.shards) <= 1.4 * partition.lower_bound  # 1.52 where every bank fills its cores
