"""A split neuron is the neuron: for every input there is, and whatever frame came before."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn.emit import check_emit, emit
from spikebnn.fit import find_violations
from spikebnn.partition import split
from spikebnn.place import place
from spikebnn.program import Program
from spikebnn.recipe import Recipe
from spikebnn.split import cut_taps
from spikebnn.target import Target
from spikebnn.threshold import Encoder, Layer, Synapses, ThresholdNetwork, execute
from tests.strategies_mapper import mapper_readout, mapper_run, mapper_target

EXACT = Recipe(split="exact")


def _one_layer(weight: np.ndarray, threshold: np.ndarray) -> ThresholdNetwork:
    """Every neuron is a voter of its own score."""
    neurons, inputs = weight.shape
    votes = Synapses(
        weight=np.ones((1, 1), np.int16), taps=np.arange(inputs, inputs + neurons, dtype=np.int32)[:, None],
        row=np.zeros(neurons, np.int32), patch=np.arange(neurons, dtype=np.int32),
    )
    layer = Layer(
        name="wide", kind="dense", sign=np.ones(neurons, np.int8), threshold=threshold.astype(np.int32), first=inputs,
        shape=(neurons,),
        synapses=Synapses(
            weight=weight.astype(np.int16), taps=np.arange(inputs, dtype=np.int32)[None],
            row=np.arange(neurons, dtype=np.int32), patch=np.zeros(neurons, np.int32),
        ),
    )
    return ThresholdNetwork(
        inputs=inputs, encoder=Encoder(kind="values", shape=(inputs,), dtype="float32"), layers=(layer,),
        readout=mapper_readout(votes),
    )


def _mapped(network: ThresholdNetwork, target: Target) -> Program:
    partition = split(network, target, EXACT)
    program = emit(network, partition, place(partition, target, EXACT), target, EXACT)
    check_emit(program, network, target)
    return program


@pytest.mark.parametrize(
    ("form", "types", "floors"),
    [("crossbar", 4, ("clear",)), ("crossbar", 3, ("clear",)), ("list", None, ("clear",)), ("list", None, ("saturate",)),
     ("crossbar", 5, ("saturate",))],
)
def test_every_input_of_a_split_neuron_gives_its_bit(form: str, types: int | None, floors: tuple[str, ...]) -> None:
    """All 256 inputs, one after the other without a pause, for every threshold that matters."""
    rng = np.random.default_rng(7)
    weight = np.repeat(rng.choice([-1, 1], (2, 8)), 9, axis=0)
    threshold = np.concatenate([np.arange(-4, 5) + int(w.sum()) // 2 for w in weight[::9]])
    network = _one_layer(weight, threshold)
    changes = {"format": form, "floors": floors, "axon_types": types, "neurons": 40}
    fitting = [axons for axons in range(4, 40) if not find_violations(network, mapper_target(axons=axons, **changes), EXACT)]
    program = _mapped(network, mapper_target(axons=fitting[0], **changes))
    assert program.header["split"]["method"] == "exact"
    assert program.header["split"]["layers"] == ["wide"]
    inputs = np.array(list(product([0, 1], repeat=8)))
    inputs = np.concatenate([inputs, rng.permutation(inputs)])
    got, _ = mapper_run(program, inputs)
    np.testing.assert_array_equal(got, execute(network, inputs)[1])


def test_the_period_is_the_longest_count_and_not_the_width_of_a_core() -> None:
    """Two slices of 8 synapses, one of them all positive: eight ticks to count, and one to clear."""
    weight = np.where(np.arange(16) < 12, 1, -1)[None]
    program = _mapped(_one_layer(weight, np.array([5])), mapper_target(axons=15, weight_max=255))
    assert program.period == 9
    assert program.header["split"]["period"] == 9


def test_the_price_of_a_split_is_in_the_header() -> None:
    weight = np.where(np.arange(16) % 2, 1, -1) * np.ones((3, 1), int)
    program = _mapped(_one_layer(weight, np.array([1, 2, 3])), mapper_target(axons=15))
    price = program.header["split"]
    assert price["neurons"] == {"partial": 12, "aggregate": 3}
    assert price["cores"] == {"partial": 2, "aggregate": 1}
    assert program.period == price["period"] == 5
    assert [(layer.name, layer.role) for layer in program.layers] == [
        ("wide", "aggregate"), ("readout", "readout"), ("wide.partials", "partial")
    ]


@given(cost=st.lists(st.integers(0, 3), min_size=1, max_size=40), limit=st.integers(3, 12))
def test_slices_cover_all_taps_and_stay_within_a_core(cost: list[int], limit: int) -> None:
    weight = np.ones((1, len(cost)), np.int16)
    synapses = Synapses(
        weight=weight, taps=np.arange(len(cost), dtype=np.int32)[None], row=np.zeros(1, np.int32),
        patch=np.zeros(1, np.int32),
    )
    slices = cut_taps(synapses, np.array(cost), limit)
    assert slices is not None
    assert [t for cut in slices for t in range(cut.start, cut.stop)] == list(range(len(cost)))
    assert all(sum(cost[cut]) <= limit for cut in slices)


def test_a_tap_that_no_core_holds_cannot_be_cut() -> None:
    network = _one_layer(np.ones((1, 4)), np.array([2]))
    assert cut_taps(network.layers[0].synapses, np.array([1, 4, 1, 1]), 3) is None
