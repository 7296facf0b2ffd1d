"""Weights of more values than a crossbar has axon types are sums of digits, and stay exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn.checks.program import check_emit
from spikebnn.emit import emit
from spikebnn.errors import FitError
from spikebnn.partition import split
from spikebnn.partition.digits import _column, _digits
from spikebnn.place import place
from spikebnn.recipe import Recipe
from spikebnn.simulate import registry
from spikebnn.threshold import execute
from tests.strategies_mapper import mapper_inputs, mapper_network, mapper_target


@given(low=st.integers(-40, 0), high=st.integers(0, 40), types=st.integers(1, 8))
def test_digits_add_up_to_every_weight(low, high, types):
    digits = _digits(low, high, types)
    if digits is None or (low, high) == (0, 0):
        return
    assert len(set(digits)) == len(digits) <= types
    weight = np.arange(low, high + 1)
    assert np.array_equal(sum(_column(weight, d, digits) for d in digits), weight)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(("most", "types"), [(1, 3), (2, 4), (3, 5), (7, 6)])
def test_a_crossbar_of_few_types_takes_weights_of_many_values(seed, most, types):
    network = mapper_network(seed, most=most, taps=6)
    target = mapper_target(neurons=24, axons=60, axons_per_neuron=1, membrane_readout=True, axon_types=types)
    try:
        partition = split(network, target, Recipe())
    except FitError as refusal:  # repeated taps may add up to more than the types can write
        assert "axon types" in str(refusal)
        return
    program = emit(network, partition, place(partition, target, Recipe()), target, Recipe())
    check_emit(program, network, target)
    bits = mapper_inputs(network, 6, seed).astype(np.uint8)
    _, sums = execute(network, bits)
    for name in ("bitwise", "reference"):
        assert np.array_equal(registry.simulator(name).load(program).frames(bits[:, None, :]).sums, sums)
