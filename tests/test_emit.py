"""Mapped programs compute the network's bits and sums, tick by tick, and the checkers notice when they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from spikebnn.emit import check_emit, check_equivalent, check_program, emit
from spikebnn.errors import CheckError
from spikebnn.fit import find_violations
from spikebnn.partition import check_partition, split
from spikebnn.place import check_placement, place
from spikebnn.program import ZERO, Program
from spikebnn.recipe import Recipe
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork, execute
from tests.strategies_mapper import (
    mapper_fan_out,
    mapper_inputs,
    mapper_network,
    mapper_run,
    mapper_target,
    mapper_targets,
)


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
    bits, sums = execute(network, inputs)
    got, windows = mapper_run(program, inputs)
    np.testing.assert_array_equal(got, sums)
    for (c, n), spikes in windows.items():
        layer, unit = int(program.cores[c].layer[n]), int(program.cores[c].unit[n])
        if layer < len(network.layers) and unit >= 0:
            np.testing.assert_array_equal(spikes, bits[:, network.layers[layer].first + unit])


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1), target=mapper_targets(), layers=st.integers(0, 4), inputs=st.integers(1, 14),
    taps=st.integers(1, 14), most=st.sampled_from([1, 1, 2, 3]), votes=st.booleans(),
    readout=st.sampled_from(["auto", "auto", "thermometer", "burst"]),
    way=st.sampled_from(["auto", "exact", "radix", "radix3", "none"]), order=st.sampled_from(["raster", "hilbert"]),
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
    price = program.header["split"]
    event(f"split {price['method']}, readout {price['readout']}, relays {'relay' in price['neurons']}")
    _agrees(program, network, seed=seed)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1), axons=st.integers(16, 40), types=st.integers(2, 4), layers=st.integers(1, 3),
    copies=st.sampled_from([None, 1]), delay=st.integers(1, 3), wmax=st.sampled_from([1, 5, 255]),
    form=st.sampled_from(["crossbar", "list"]), membrane=st.booleans(), clear=st.booleans(),
    way=st.sampled_from(["auto", "exact", "radix", "radix3"]),
)
def test_layers_wider_than_a_core_keep_every_bit_frame_after_frame(
    seed: int, axons: int, types: int, layers: int, copies: int | None, delay: int, wmax: int, form: str, membrane: bool,
    clear: bool, way: str,
) -> None:
    target = mapper_target(
        axons=axons, axon_types=types, axons_per_neuron=copies, delay_max=delay, weight_max=wmax, weight_min=-wmax, neurons=12,
        format=form, membrane_readout=membrane, floors=("clear",) if clear else ("saturate",),
    )
    network = mapper_network(seed, inputs=64, layers=layers, taps=48, width=20, scores=2)
    violations = find_violations(network, target, Recipe(split=way))
    event("fits" if not violations else violations[0].what)
    assume(not violations)
    program = _map(network, target, Recipe(split=way))
    price = program.header["split"]
    event(f"split {price['method']}, readout {price['readout']}, relays {'relay' in price['neurons']}")
    _agrees(program, network, seed=seed)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1), axons=st.integers(8, 24), ticks=st.sampled_from([3, 15]), layers=st.integers(0, 2),
    form=st.sampled_from(["crossbar", "list"]), taps=st.integers(1, 10), way=st.sampled_from(["auto", "exact", "radix", "radix3"]),
)
def test_inputs_that_come_in_bursts_are_added_up_before_a_neuron_decides(
    seed: int, axons: int, ticks: int, layers: int, form: str, taps: int, way: str
) -> None:
    target = mapper_target(axons=axons, format=form, neurons=12)
    network = mapper_network(seed, inputs=6, layers=layers, taps=taps, width=5, scores=2, ticks=ticks)
    violations = find_violations(network, target, Recipe(split=way))
    event("fits" if not violations else violations[0].what)
    assume(not violations)
    program = _map(network, target, Recipe(split=way))
    event(f"split {program.header['split']['method']}, {program.header['split']['readout']}")
    _agrees(program, network, seed=seed)


def _program() -> tuple[Program, ThresholdNetwork, Target]:
    target = mapper_target(axons_per_neuron=1)
    network = mapper_fan_out()
    return _map(network, target), network, target


def _with_core(program: Program, number: int, **changes: object) -> Program:
    cores = list(program.cores)
    cores[number] = replace(cores[number], **changes)  # type: ignore[arg-type]
    return replace(program, cores=tuple(cores))


def test_a_flipped_synapse_is_found() -> None:
    program, network, _ = _program()
    plane = program.cores[0].planes[0]
    bits = plane.bits.copy()
    bits[0, 0] ^= 1
    wrong = _with_core(program, 0, planes=(replace(plane, bits=bits), *program.cores[0].planes[1:]))
    with pytest.raises(CheckError, match="the program is not the network: .* other synapses"):
        check_equivalent(wrong, network)


def test_a_wrong_threshold_is_found() -> None:
    program, network, _ = _program()
    leak = program.cores[0].leak.copy()
    leak[-1] += 1
    with pytest.raises(CheckError, match="the program is not the network: neuron .* of core 0 .* fires at"):
        check_equivalent(_with_core(program, 0, leak=leak), network)


def test_a_route_with_another_delay_is_found() -> None:
    program, network, target = _program()
    routes = program.routes.copy()
    routes[0, 4] += 1
    with pytest.raises(CheckError, match="the program is not the network"):
        check_equivalent(replace(program, routes=routes), network)
    routes[0, 4] = 9
    with pytest.raises(CheckError, match="the program is wrong: a delay is outside 1 to 3"):
        check_program(replace(program, routes=routes), target)


def test_a_route_from_another_neuron_is_found() -> None:
    program, network, _ = _program()
    first = program.routes[0]
    other = next(row for row in program.routes if program.cores[row[0]].unit[row[1]] != program.cores[first[0]].unit[first[1]])
    routes = program.routes.copy()
    routes[0, :2] = other[:2]
    with pytest.raises(CheckError, match="the program is not the network"):
        check_equivalent(replace(program, routes=routes), network)


def test_limits_of_the_target_are_recomputed_from_the_program() -> None:
    program, _, target = _program()
    for changed, words in (
        (replace(target, core=replace(target.core, neurons=1)), "core . holds .* neurons of 1"),
        (replace(target, core=replace(target.core, axons=1)), "core . has .* axons of 1"),
        (replace(target, synapse=replace(target.synapse, axon_types=1)), "core . has 2 axon types of 1"),
        (replace(target, neuron=replace(target.neuron, bias_max=-99)), "neuron . of core . has the bias"),
        (replace(target, neuron=replace(target.neuron, v_bits=2)), "V of core . can leave 2 bits"),
        (replace(target, topology=replace(target.topology, width=1, height=1)), "core .* of chip . is not usable"),
    ):
        with pytest.raises(CheckError, match=f"the program is wrong: {words}"):
            check_program(program, changed)


def test_the_same_network_gives_the_same_program() -> None:
    one, other = _program()[0], _program()[0]
    assert one.header == other.header
    np.testing.assert_array_equal(one.routes, other.routes)
    np.testing.assert_array_equal(one.lines, other.lines)
    for a, b in zip(one.cores, other.cores, strict=True):
        assert [plane.bits.tobytes() for plane in a.planes] == [plane.bits.tobytes() for plane in b.planes]


def test_the_header_says_what_was_made() -> None:
    header = _program()[0].header
    assert header["target"] == "toy"
    assert header["recipe"] == {"split": "auto", "readout": "auto", "place": "anneal", "seed": 0}
    assert header["split"]["method"] == "none"
    assert header["lower_bound_cores"] >= 1


def _split_program() -> tuple[Program, ThresholdNetwork]:
    """The first random network whose layer is wider than a core."""
    target = mapper_target(axons=20)
    for seed in range(50):
        network = mapper_network(seed, inputs=40, layers=1, taps=40, width=8, votes=True)
        if not find_violations(network, target, Recipe()):
            program = _map(network, target)
            if program.header["split"]["method"] == "exact":
                return program, network
    raise AssertionError("no network was split")


def test_a_wide_layer_of_several_weights_on_few_axon_types_keeps_its_bits() -> None:
    """Digits of one weight come from several partials, so V goes further than any sum does."""
    target = mapper_target(
        axons=29, axon_types=3, delay_max=1, weight_max=5, weight_min=-5, neurons=12, floors=("saturate",)
    )
    for seed in range(60):
        network = mapper_network(seed, inputs=64, layers=1, taps=48, width=20, scores=2, most=2)
        if not find_violations(network, target, Recipe()):
            _agrees(_map(network, target), network, seed=seed)


def test_a_comparison_that_comes_too_early_is_found() -> None:
    program, network = _split_program()
    for line in np.flatnonzero(program.controls[:, 1]):
        controls = program.controls.copy()
        controls[line, 1] = 0
        with pytest.raises(CheckError, match="the program is not the network"):
            check_equivalent(replace(program, controls=controls), network)


def test_an_aggregator_that_is_not_cleared_is_found() -> None:
    program, network = _split_program()
    number = next(k for k, core in enumerate(program.cores) if (core.reset == ZERO).any())
    last = program.cores[number].planes[-1]
    weak = replace(last, scale=(last.scale // 2).astype(np.int32))
    wrong = _with_core(program, number, planes=(*program.cores[number].planes[:-1], weak))
    with pytest.raises(CheckError, match="the program is not the network: .* carries something into the next frame"):
        check_equivalent(wrong, network)


def test_one_wrong_copy_among_right_ones_is_found() -> None:
    """Copies of an aggregator are looked at once; what is no copy must be looked at by itself."""
    network = mapper_network(10, inputs=40, layers=2, taps=40, width=8, votes=True)
    program = _map(network, mapper_target(axons=20, axons_per_neuron=1))
    copies = [
        (k, n)
        for k, core in enumerate(program.cores)
        for n in range(core.neurons)
        if core.reset[n] == ZERO and ((core.unit == core.unit[n]) & (core.layer == core.layer[n])).sum() > 1
    ]
    assert copies
    for number, n in copies:
        core = program.cores[number]
        for field in ("threshold", "start", "unit"):
            value = getattr(core, field).copy()
            value[n] += 1 if field != "unit" or value[n] == 0 else -1
            with pytest.raises(CheckError, match="the program is not the network"):
                check_equivalent(_with_core(program, number, **{field: value}), network)
        plane = next(p for p in core.planes if p.bits[n].any())
        bits = plane.bits.copy()
        bits[n, np.flatnonzero(bits[n])[0]] &= bits[n, np.flatnonzero(bits[n])[0]] - 1
        planes = tuple(replace(p, bits=bits) if p is plane else p for p in core.planes)
        with pytest.raises(CheckError, match="the program is not the network"):
            check_equivalent(_with_core(program, number, planes=planes), network)


def test_the_decoder_is_the_readout_without_its_synapses() -> None:
    program, network, _ = _program()
    assert program.decoder.synapses.neurons == 0
    for name in type(network.readout).__slots__:
        assert name == "synapses" or getattr(program.decoder, name) is getattr(network.readout, name)


def test_the_header_says_what_the_packets_of_a_frame_travel() -> None:
    placement = _program()[0].header["placement"]
    assert placement["method"] == "anneal"
    assert placement["packets"].startswith("assumed: every neuron sends half of the most spikes")
    assert 0 <= placement["weighed"] <= placement["raster"]["weighed"]
