"""Mapped programs compute the network's bits and sums, tick by tick, and the checkers notice when they do not."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from spikebnn.emit import check_emit, emit
from spikebnn.fit import find_violations
from spikebnn.partition import check_partition, split
from spikebnn.place import check_placement, place
from spikebnn.program import Program
from spikebnn.recipe import Recipe
from spikebnn.target import Target
from spikebnn.threshold import ThresholdNetwork, execute
from tests.strategies_mapper import mapper_inputs, mapper_network, mapper_run, mapper_target, mapper_targets


def _map(network: ThresholdNetwork, target: Target, recipe: Recipe | None = None) -> Program:
    recipe = recipe or Recipe()
    partition = split(network, target, recipe)
    check_partition(partition, network, target)
    placement = place(partition, target, recipe)
    check_placement(placement, partition, target)
    program = emit(network, partition, placement, target, recipe)
    check_emit(program, network, target)
    return program


def _agrees(program: Program, network: ThresholdNetwork, frames: int = 5, seed: int = 0) -> None:
    inputs = mapper_inputs(network, frames, seed)
    bits, sums = _execute(network, inputs)
    got, windows = mapper_run(program, inputs)
    np.testing.assert_array_equal(got, sums)
    for (c, n), spikes in windows.items():
        layer, unit = int(program.cores[c].layer[n]), int(program.cores[c].unit[n])
        if layer < len(network.layers) and unit >= 0:
            np.testing.assert_array_equal(spikes, bits[:, network.layers[layer].first + unit])


def _execute(network: ThresholdNetwork, inputs):  # type: ignore[no-untyped-def]
    return execute(network, inputs)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1), target=mapper_targets(), layers=st.integers(0, 4), inputs=st.integers(1, 14),
    taps=st.integers(1, 14), most=st.sampled_from([1, 1, 2, 3]), votes=st.booleans(),
    readout=st.sampled_from(["auto", "auto", "thermometer", "burst"]),
    way=st.sampled_from(["auto", "exact", "none"]), order=st.sampled_from(["raster", "hilbert"]),
)
def test_a_random_network_on_a_random_target_keeps_every_bit_and_sum(
    seed: int, target: Target, layers: int, inputs: int, taps: int, most: int, votes: bool, readout: str, way: str, order: str
) -> None:
    network = mapper_network(seed, inputs=inputs, layers=layers, taps=taps, most=most, votes=votes and layers > 0)
    recipe = Recipe(readout=readout, split=way, place=order)
    violations = find_violations(network, target, recipe)
    event("fits" if not violations else violations[0].what)
    assume(not violations)
    program = _map(network, target, recipe)
    event(f"split {program.header['split']['method']}, {program.header['split']['readout']}, relays {'relay' in program.header['split']['neurons']}")
    _agrees(program, network, seed=seed)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1), axons=st.integers(16, 40), types=st.integers(2, 4), layers=st.integers(1, 3),
    copies=st.sampled_from([None, 1]), delay=st.integers(1, 3), wmax=st.sampled_from([1, 5, 255]),
    form=st.sampled_from(["crossbar", "list"]), membrane=st.booleans(), clear=st.booleans(),
)
def test_layers_wider_than_a_core_keep_every_bit_frame_after_frame(
    seed: int, axons: int, types: int, layers: int, copies: int | None, delay: int, wmax: int, form: str, membrane: bool,
    clear: bool,
) -> None:
    target = mapper_target(
        axons=axons, axon_types=types, axons_per_neuron=copies, delay_max=delay, weight_max=wmax, weight_min=-wmax, neurons=12,
        format=form, membrane_readout=membrane, floors=("clear",) if clear else ("saturate",),
    )
    network = mapper_network(seed, inputs=64, layers=layers, taps=48, width=20, scores=2)
    violations = find_violations(network, target, Recipe())
    event("fits" if not violations else violations[0].what)
    assume(not violations)
    program = _map(network, target)
    event(f"split {program.header['split']['method']}, {program.header['split']['readout']}, relays {'relay' in program.header['split']['neurons']}")
    _agrees(program, network, seed=seed)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1), axons=st.integers(8, 24), ticks=st.sampled_from([3, 15]), layers=st.integers(0, 2),
    form=st.sampled_from(["crossbar", "list"]), taps=st.integers(1, 10),
)
def test_inputs_that_come_in_bursts_are_added_up_before_a_neuron_decides(
    seed: int, axons: int, ticks: int, layers: int, form: str, taps: int
) -> None:
    target = mapper_target(axons=axons, format=form, neurons=12)
    network = mapper_network(seed, inputs=6, layers=layers, taps=taps, width=5, scores=2, ticks=ticks)
    violations = find_violations(network, target, Recipe())
    event("fits" if not violations else violations[0].what)
    assume(not violations)
    program = _map(network, target)
    event(f"split {program.header['split']['method']}, {program.header['split']['readout']}")
    _agrees(program, network, seed=seed)
