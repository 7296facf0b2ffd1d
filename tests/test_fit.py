"""The fit check names every reason at once, with numbers and a way out; what fits is never refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from spikebnn.errors import FitError
from spikebnn.fit import find_violations
from spikebnn.partition import split
from spikebnn.recipe import Recipe
from spikebnn.threshold import Encoder, Layer, Synapses, ThresholdNetwork
from tests.strategies_mapper import mapper_network, mapper_readout, mapper_target


def _dense(name: str, reads: tuple[int, int], neurons: int, threshold: int = 1, weight: int = 1) -> Layer:
    first, count = reads
    signs = np.where((np.arange(neurons)[:, None] + np.arange(count)) % 2, weight, -weight)
    return Layer(
        name=name, kind="dense", sign=np.ones(neurons, np.int8), threshold=np.full(neurons, threshold, np.int32),
        first=first + count, shape=(neurons,),
        synapses=Synapses(
            weight=signs.astype(np.int16), taps=np.arange(first, first + count, dtype=np.int32)[None],
            row=np.arange(neurons, dtype=np.int32), patch=np.zeros(neurons, np.int32),
        ),
    )


def _network(*sizes: int, threshold: int = 1, weight: int = 1) -> ThresholdNetwork:
    """Dense layers of these sizes, the first being the inputs and the last the scores."""
    layers, first = [], 0
    for k, (count, neurons) in enumerate(pairwise(sizes)):
        layers.append(_dense(f"fc{k + 1}", (first, count), neurons, threshold, weight))
        first += count
    encoder = Encoder(kind="values", shape=(sizes[0],), dtype="float32")
    return ThresholdNetwork(
        inputs=sizes[0], encoder=encoder, layers=tuple(layers[:-1]), readout=mapper_readout(layers[-1].synapses)
    )


def test_a_network_that_fits_has_no_violation() -> None:
    assert find_violations(_network(8, 6, 3), mapper_target(), Recipe()) == ()


def test_too_many_cores_are_counted_layer_by_layer() -> None:
    target = mapper_target(neurons=4, width=2, height=2, chips=1, membrane_readout=True)
    (violation,) = find_violations(_network(8, 30, 3), target, Recipe(split="none"))
    assert violation.text == (
        'layer "fc1": needs 8 cores, toy has 4 and the network takes 11 in all (fc1 8, readout 3); '
        "try a target with 3 chips or more, a narrower network, or another readout or split"
    )
    assert (violation.what, violation.found, violation.limit) == ("cores", 11, 4)


def test_a_neuron_wider_than_a_core_is_refused_where_the_recipe_forbids_to_split() -> None:
    target = mapper_target(axons=16, membrane_readout=True)
    (violation,) = find_violations(_network(20, 4, 2), target, Recipe(split="none"))
    assert violation.text == (
        'layer "fc1": a neuron reads 20 inputs, but a core of toy takes 16, and the recipe forbids splitting; use --split exact'
    )
    assert not find_violations(_network(20, 4, 2), target, Recipe())


def test_a_target_without_subtraction_says_what_a_split_would_need() -> None:
    target = mapper_target(axons=16, membrane_readout=True, resets=("memoryless", "zero"))
    (violation,) = find_violations(_network(20, 4, 2), target, Recipe())
    assert violation.text == (
        'layer "fc1": a neuron reads 20 inputs, but a core of toy takes 16, and the exact split needs the neuron modes '
        '"subtract", which toy does not have; use more groups, fewer input channels or another target'
    )


def test_all_violations_come_at_once() -> None:
    network = _network(20, 12, 6, 2, threshold=3)
    target = mapper_target(
        axons=14, resets=("memoryless",), bias_min=-1, neurons=4, width=1, height=1, chips=1, membrane_readout=True
    )
    found = [(v.layer, v.what) for v in find_violations(network, target, Recipe())]
    assert ("fc1", "fan-in") in found
    assert ("fc2", "bias") in found
    assert "cores" in [what for _, what in found]
    with pytest.raises(FitError) as caught:
        split(network, target, Recipe())
    assert [(v.layer, v.what) for v in caught.value.violations] == found  # type: ignore[attr-defined]
    assert all(v.text in str(caught.value) for v in find_violations(network, target, Recipe()))


def test_more_weights_than_axon_types_are_named() -> None:
    target = mapper_target(axon_types=1)
    texts = [v.text for v in find_violations(_network(6, 4, 2), target, Recipe())]
    assert texts[0] == (
        'layer "fc1": needs 2 axon types for its weights and control lines, but toy has 1; use inputs and pools that '
        "give fewer different weights, or a target with synapse lists"
    )


def test_weights_beyond_the_targets_are_named() -> None:
    target = mapper_target(weight_min=-1, weight_max=1)
    found = find_violations(_network(6, 4, 2, weight=3), target, Recipe())
    assert 'layer "fc1": needs a weight of 3, but toy has -1 to 1; use an encoding with smaller weights' in [
        v.text for v in found
    ]


def test_a_membrane_readout_is_refused_where_the_host_cannot_read_membranes() -> None:
    (violation,) = find_violations(_network(6, 4, 2), mapper_target(), Recipe(readout="membrane"))
    assert violation.text == 'layer "readout": toy has no membrane readout; use --readout thermometer or burst'


def test_delays_that_no_chain_of_relays_adds_up_to_are_named() -> None:
    network = _network(6, 4, 4, 2)
    last = network.readout.synapses
    skip = replace(last, taps=np.array([[6, 7, 10, 11]], np.int32))
    target = mapper_target(delay_min=3, delay_max=4, membrane_readout=True)
    assert not find_violations(replace(network, readout=mapper_readout(skip)), target, Recipe())
    five = mapper_target(delay_min=2, delay_max=2, membrane_readout=True)
    assert not find_violations(replace(network, readout=mapper_readout(skip)), five, Recipe())


def test_a_limit_that_is_broken_first_does_not_hide_the_others() -> None:
    target = mapper_target(axon_types=1, bias_min=0, bias_max=0, v_bits=3, neurons=6, width=1, height=1, chips=1)
    network = mapper_network(3, inputs=16, layers=2, width=12, taps=9)
    found = find_violations(network, target, Recipe())
    assert {"axon types", "bias", "membrane", "cores"} <= {v.what for v in found}
    assert len({(v.layer, v.what) for v in found}) == len(found)
