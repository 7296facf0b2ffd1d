"""Targets that nobody built: whatever their limits, a network fits them bit for bit or is refused at once, in words."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spikebnn.checks.program import check_emit
from spikebnn.emit import emit
from spikebnn.errors import FitError
from spikebnn.fit import find_violations
from spikebnn.partition import check_partition, split
from spikebnn.place import check_placement, place
from spikebnn.recipe import Recipe
from spikebnn.simulate import registry
from spikebnn.targets.target import Target
from spikebnn.threshold import ThresholdNetwork, execute
from tests.strategies_mapper import mapper_inputs, mapper_network, mapper_target

RESETS = (*[("memoryless", "zero", "subtract")] * 6, ("memoryless",), ("memoryless", "subtract"), ("zero", "subtract"), ("none",))


def odd(seed: int) -> tuple[ThresholdNetwork, int, Target, Recipe]:
    """A small network, the ticks of its inputs, a target with limits from ordinary to absurd, and a recipe."""
    one = random.Random(seed).choice
    ticks = one([1, 1, 1, 1, 3])
    network = mapper_network(
        seed, inputs=one([1, 2, 8, 20]), layers=one([1, 2, 3, 5]), width=one([1, 3, 6, 12]), taps=one([1, 2, 5, 12, 30]),
        most=one([1, 1, 1, 2, 5, 130]), scores=one([1, 3, 8]), votes=one([False, False, True]), ticks=ticks,
        pools=one([0, 0, 1, 2]),
    )
    changes: dict[str, object] = {
        "neurons": one([1, 2, 3, 8, 16, 64]), "axons": one([1, 2, 3, 4, 6, 8, 12, 24, 64]),
        "delay_min": (least := one([1, 1, 1, 2, 3])), "delay_max": max(least, one([1, 2, 4, 15])),
        "membrane_readout": one([True, False]), "axons_per_neuron": one([None, None, 1, 2]),
        "cores_per_neuron": one([None, None, 1, 2]), "axon_merges": one([True, False]),
        "graded_bits": one([None, None, 2, 8]), "fan_in": one([None, None, 1, 2, 3, 10]), "resets": one(RESETS),
        "floors": one([("saturate", "clear"), ("saturate",), ("clear",), ()]), "chips": one([1, 4, 4, 40]),
        "width": one([1, 4, 16]), "height": one([1, 4, 16]), "bias_min": one([-255, -255, -3, 0]),
        "bias_max": one([255, 255, 3, 0]), "threshold_max": one([9999, 9999, 10, 1]), "v_bits": one([20, 20, 20, 8, 4]),
        "weight_min": one([-255, -255, -1, 0]), "weight_max": one([255, 255, 1]), "dead_cores": one([(), (), ((0, 0),)]),
    }  # fmt: skip
    if one([False, True]):
        changes |= {
            "format": "list", "axon_types": None, "weight_bits": 2, "word_bits": 16, "block": one([4, 16]),
            "block_overhead_bits": one([0, 9]), "index_bits": one([(0,), (0, 5)]), "delay_bits": one([0, 2]),
            "synapse_bits": one([2000, 1000, 100, 32, 16, 8]), "output_edges": one([None, 24, 2, 1]),
            "neurons_per_subtract": one([1, 2, 4]),
        }  # fmt: skip
    else:
        changes |= {"axon_types": one([1, 2, 3, 4, 4, 4, 8])}
    recipe = Recipe(
        split=one(["auto", "auto", "auto", "none", "exact", "radix", "radix3", "graded"]),
        readout=one(["auto", "auto", "auto", "membrane", "thermometer", "burst"]),
        place=one(["hilbert", "anneal", "raster"]),
    )
    return network, ticks, mapper_target(**changes), recipe


@given(seed=st.integers(0, 100_000))
@example(seed=61)  # a core's memory holds not one synapse
@example(seed=67)
@example(seed=1208)  # a pool wider than a core, whose axons were to be compared with neurons
@example(seed=2840)  # a neuron that counts is wider than a core
@example(seed=20109)  # digits of weights that leave V's bits on the way to a sum that does not
@settings(max_examples=60)
def test_a_network_on_any_target_keeps_every_sum_or_is_refused_with_numbers_and_a_remedy(seed: int) -> None:
    network, ticks, target, recipe = odd(seed)
    x = mapper_inputs(network, 4, seed).astype(np.uint8)
    try:
        partition = split(network, target, recipe)
    except FitError as refusal:
        assert refusal.violations
        assert all(v.layer in v.text and v.remedy in v.text and v.remedy for v in refusal.violations)
        return
    check_partition(partition, network, target)
    placement = place(partition, target, recipe)
    check_placement(placement, partition, target)
    program = emit(network, partition, placement, target, recipe)
    check_emit(program, network, target)
    assert len(partition.shards) >= partition.lower_bound
    lines = np.stack([x > k for k in range(ticks)], axis=1).astype(np.uint8)
    sums = registry.simulator("reference").load(program).frames(lines).sums
    assert np.array_equal(sums, execute(network, x)[1])


@pytest.mark.parametrize("form", ["list", "crossbar"])
def test_cores_of_one_axon_are_refused_in_words(form: str) -> None:
    lists = {"format": "list", "axon_types": None} if form == "list" else {}
    found = find_violations(mapper_network(3, taps=9), mapper_target(axons=1, **lists), Recipe())
    assert any(v.what == "fan-in" and "1 for one neuron" in v.text for v in found)


def test_copies_of_copies_without_end_are_refused_before_they_are_packed() -> None:
    """Each neuron reaches one core, so readers double from layer to layer back to the inputs."""
    network, _, target, recipe = odd(21078)
    found = {v.what: v for v in find_violations(network, target, recipe)}
    assert "the network takes at least" in found["cores"].text
    assert found["cores"].found > 4 * found["cores"].limit


def test_a_core_whose_memory_holds_no_synapse_is_refused_in_words() -> None:
    target = mapper_target(format="list", axon_types=None, weight_bits=2, word_bits=16, synapse_bits=8)
    for kind in ("auto", "radix", "exact"):
        found = find_violations(mapper_network(3), target, Recipe(split=kind))
        assert "whose memory holds not one of its synapses; use a target with more memory per core" in found[0].text


def test_where_no_readout_fits_every_one_is_refused_with_its_reason_and_none_is_advised() -> None:
    """A burst needs a reset that the target lacks, one neuron a level more inputs than a core takes."""
    network = mapper_network(5, inputs=20, layers=1, width=12, taps=3, scores=3)
    reads = np.arange(20, dtype=np.int32)[None]
    wide = replace(network.readout.synapses, weight=np.ones((3, 20), np.int16), taps=reads, row=np.arange(3, dtype=np.int32),
                   patch=np.zeros(3, np.int32))  # fmt: skip
    network = replace(network, readout=replace(network.readout, synapses=wide))
    found = find_violations(network, mapper_target(axons=8, resets=("memoryless",)), Recipe())
    text = next(v.text for v in found if v.what == "readout")
    assert 'layer "readout": no readout fits: membrane: toy has no membrane readout, votes: ' in text
    assert "thermometer: a score reads 20 inputs, but a core of toy takes 8" in text
    assert 'burst: a burst needs the reset "subtract", which toy does not have' in text
    assert text.endswith("; use fewer inputs per score or another target")
