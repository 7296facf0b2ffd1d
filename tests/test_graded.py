"""Spikes that carry numbers: a sum of any width in one tick more, the law that they keep, and what refuses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn import sbnn
from spikebnn.arrays import door
from spikebnn.emit import check_emit, check_equivalent, check_program, emit
from spikebnn.errors import CheckError, FitError, InputError
from spikebnn.exchange.limits import unrepresentable
from spikebnn.faults import Faults
from spikebnn.lava.ordinary import check_ordinary
from spikebnn.partition import split
from spikebnn.payload import payloads
from spikebnn.place import place
from spikebnn.program import GRADED, MEMORYLESS, NO_FLOOR, Program
from spikebnn.recipe import Recipe
from spikebnn.simulate import registry
from spikebnn.simulate.blas import BlasSession
from spikebnn.simulate.kept import Kept
from spikebnn.simulate.wiring import wire
from spikebnn.targets import load_target
from spikebnn.targets.target import Target
from spikebnn.threshold import Encoder, Layer, Synapses, ThresholdNetwork, execute
from tests.strategies_mapper import mapper_readout, mapper_run, mapper_target
from tests.strategies_program import make_core, make_program, program_any, program_bits

GRADED_SPLIT = Recipe(split="graded")


def _wide(weight: np.ndarray, threshold: Sequence[int] | np.ndarray, ticks: int = 1) -> ThresholdNetwork:
    """Every neuron is a voter of its own score."""
    neurons, inputs = weight.shape
    votes = Synapses(
        weight=np.ones((1, 1), np.int16), taps=np.arange(inputs, inputs + neurons, dtype=np.int32)[:, None],
        row=np.zeros(neurons, np.int32), patch=np.arange(neurons, dtype=np.int32),
    )
    layer = Layer(
        name="wide", kind="dense", sign=np.ones(neurons, np.int8), threshold=np.asarray(threshold, np.int32), first=inputs,
        shape=(neurons,),
        synapses=Synapses(
            weight=weight.astype(np.int16), taps=np.arange(inputs, dtype=np.int32)[None],
            row=np.arange(neurons, dtype=np.int32), patch=np.zeros(neurons, np.int32),
        ),
    )
    encoder = Encoder(kind="burst" if ticks > 1 else "values", shape=(inputs,), dtype="float32", ticks=ticks)
    return ThresholdNetwork(inputs=inputs, encoder=encoder, layers=(layer,), readout=mapper_readout(votes))


def _mapped(network: ThresholdNetwork, target: Target, recipe: Recipe = GRADED_SPLIT) -> Program:
    partition = split(network, target, recipe)
    program = emit(network, partition, place(partition, target, recipe), target, recipe)
    check_emit(program, network, target)
    return program


def _sums(program: Program, inputs: np.ndarray) -> np.ndarray:
    return registry.simulator("reference").load(program).frames(inputs[:, None].astype(np.uint8)).sums


def _changed(program: Program, name: str, change: object) -> Program:
    """The program with a number of the first graded neuron changed."""
    cores = list(program.cores)
    k = next(k for k, core in enumerate(cores) if (core.reset == GRADED).any())
    array = getattr(cores[k], name).copy()
    at = int(np.flatnonzero(cores[k].reset == GRADED)[0])
    array[at] = change(array[at]) if callable(change) else change
    cores[k] = replace(cores[k], **{name: door(array, array.dtype.type, len(array))})
    return replace(program, cores=tuple(cores))


@pytest.mark.parametrize("readout", ["auto", "burst"])
@pytest.mark.parametrize(("form", "types", "axons"), [("list", None, 5), ("crossbar", 4, 8), ("list", None, 3)])
def test_every_input_of_a_graded_split_gives_its_bit(form: str, types: int | None, axons: int, readout: str) -> None:
    """All 256 inputs, one after the other without a pause, for every threshold that matters; three axons make it nest."""
    rng = np.random.default_rng(7)
    weight = np.repeat(rng.choice([-1, 1, 2], (2, 8)), 9, axis=0)
    threshold = np.concatenate([np.arange(-4, 5) + int(w.sum()) // 2 for w in weight[::9]])
    network = _wide(weight, threshold)
    target = mapper_target(axons=axons + 2 * (readout == "burst"), format=form, axon_types=types, neurons=40, graded_bits=6)
    target = target if types is None else replace(target, synapse=replace(target.synapse, axon_types=5))
    program = _mapped(network, target, Recipe(split="graded", readout=readout))
    assert program.header["split"]["method"] == "graded"
    assert program.header["split"]["lossless"]
    inputs = np.array(list(product([0, 1], repeat=8)))
    inputs = np.concatenate([inputs, rng.permutation(inputs)])
    want = execute(network, inputs)[1]
    np.testing.assert_array_equal(_sums(program, inputs), want)
    np.testing.assert_array_equal(mapper_run(program, inputs[-50:])[0], want[-50:])


def test_a_graded_split_costs_one_tick_and_frames_follow_at_once() -> None:
    network = _wide(np.random.default_rng(0).choice([-1, 1], (8, 60)), np.zeros(8))
    target = mapper_target(format="list", axons=20, neurons=40, graded_bits=5)
    program = _mapped(network, target)
    assert (program.period, program.latency) == (1, 2)
    deep = _mapped(network, replace(target, core=replace(target.core, axons=6)))
    assert (deep.period, deep.latency) == (1, 3)
    for other in ("exact", "radix", "radix3"):
        assert split(network, target, Recipe(split=other)).period > 5


def test_a_fan_in_beyond_a_core_of_loihi_2_takes_one_tick_more() -> None:
    """6,272 inputs, where a core hears 4,096: two numbers for each neuron, and a frame every tick."""
    rng = np.random.default_rng(0)
    network = _wide(rng.choice([-1, 1], (16, 6272)), rng.integers(-40, 40, 16))
    program = _mapped(network, load_target("loihi2-sim"), Recipe())
    assert program.header["split"]["method"] == "graded"
    assert (program.period, program.latency, program.first[-1]) == (1, 3, 64)  # 16 neurons hold the scores
    x = rng.integers(0, 2, (40, 6272))
    got = registry.simulator("bitwise").load(program).frames(x[:, None].astype(np.uint8)).sums
    np.testing.assert_array_equal(got, execute(network, x)[1])


def test_auto_takes_numbers_where_a_target_has_them() -> None:
    network = _wide(np.random.default_rng(0).choice([-1, 1], (8, 60)), np.zeros(8))
    target = mapper_target(format="list", axons=30, neurons=40, graded_bits=6)
    assert split(network, target, Recipe()).price["method"] == "graded"
    bits = replace(target, neuron=replace(target.neuron, graded_bits=None))
    assert split(network, bits, Recipe()).price["method"] != "graded"


def test_slices_are_as_small_as_the_numbers_and_biases_ask() -> None:
    """60 synapses of ±1: numbers of b bits hold slices of 2^b - 1, and no neuron's bias leaves its range."""
    network = _wide(np.random.default_rng(1).choice([-1, 1], (5, 60)), np.arange(5) * 8 - 16)
    for bits, slices in ((6, 2), (5, 2), (3, 9)):
        partition = split(network, mapper_target(format="list", axons=59, graded_bits=bits), Recipe(split="graded"))
        partial = [bank for bank in partition.banks if bank.reset == GRADED]
        assert len(partial) == slices
        assert all(int(bank.high.max()) < 2**bits for bank in partial)
    narrow = mapper_target(format="list", axons=40, graded_bits=9, bias_min=-9, bias_max=9)
    program = _mapped(_wide(np.ones((1, 60)), [30]), narrow)
    assert all((abs(core.leak) <= 9).all() for core in program.cores)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1), axons=st.integers(3, 30), bits=st.integers(2, 9), largest=st.sampled_from([1, 1, 3]),
    readout=st.sampled_from(["auto", "auto", "burst"]), copies=st.sampled_from([None, 1]), form=st.sampled_from(["list", "crossbar"]),
)
def test_any_wide_layer_is_the_layer_or_is_refused(
    seed: int, axons: int, bits: int, largest: int, readout: str, copies: int | None, form: str
) -> None:
    rng = np.random.default_rng(seed)
    neurons, inputs = int(rng.integers(1, 6)), int(rng.integers(2, 60))
    weight = rng.integers(-largest, largest + 1, (neurons, inputs))
    network = _wide(weight, rng.integers(-5, 6, neurons) + weight.sum(axis=1) // 2)
    target = mapper_target(
        axons=axons, neurons=30, graded_bits=bits, format=form, axons_per_neuron=copies, axon_types=8 if form != "list" else None
    )
    try:
        program = _mapped(network, target, Recipe(split="graded", readout=readout))
    except FitError:
        return
    x = rng.integers(0, 2, (12, inputs))
    np.testing.assert_array_equal(mapper_run(program, x)[0], execute(network, x)[1])


def test_a_target_or_a_net_without_a_way_is_refused_in_words() -> None:
    network, plain = _wide(np.ones((1, 40)), [3]), mapper_target(axons=24)
    with pytest.raises(FitError, match=r'and the split "graded" needs spikes that carry numbers, which toy does not have; use'):
        split(network, plain, GRADED_SPLIT)
    some = mapper_target(axons=24, graded_bits=8)
    with pytest.raises(FitError, match='the split "graded" needs inputs of one tick, and they come in bursts; use --split radix'):
        split(_wide(np.ones((1, 40)), [3], ticks=3), some, GRADED_SPLIT)
    with pytest.raises(FitError, match="needs numbers of 1 bits .* and no slice on toy is small enough; use --split radix3"):
        split(_wide(np.full((1, 40), 3), [3]), replace(some, neuron=replace(some.neuron, graded_bits=1)), GRADED_SPLIT)


def test_a_planted_error_in_a_number_is_found() -> None:
    network = _wide(np.random.default_rng(0).choice([-1, 1], (4, 30)), np.zeros(4))
    target = mapper_target(format="list", axons=20, graded_bits=5)
    program = _mapped(network, target)
    for name, change, words in (
        ("leak", lambda leak: leak + 1, "fires at"),
        ("leak", lambda leak: leak - 1, "sends another number than its sum"),
        ("reset", MEMORYLESS, "does not repeat one wire"),
        ("threshold", 2, "sends another number than its sum"),
    ):
        with pytest.raises(CheckError, match=f"the program is not the network: .*{words}"):
            check_equivalent(_changed(program, name, change), network)
    with pytest.raises(CheckError, match="a spike of core . can carry more than 7"):
        check_program(program, replace(target, neuron=replace(target.neuron, graded_bits=3)))


def _pair(reset: int = GRADED, threshold: int = 1, routes: object = ((0, 0, 1, 0, 1),), weight: int = 1, axons: int = 1) -> Program:
    """Two neurons of their own cores, the first of `reset`; the second hears it."""

    def core(reset: int, threshold: int, place: int):  # noqa: ANN202
        one = np.ones((1, 2))
        planes = [(0, 2, np.array([weight]), one)]
        return make_core(2, planes, np.array([threshold]), np.zeros(1), np.array([reset]), np.array([NO_FLOOR]), np.zeros(1),
                         np.array([place]), place)  # fmt: skip

    lines = [(0, 0, 0, 0)]
    return make_program([core(reset, threshold, 0), core(reset, 1, 1)], list(routes), lines, 1, outputs=[(0, 1, 0)], base=[0])  # type: ignore[call-overload]


def test_the_law_of_numbers_is_kept_or_the_program_refused(tmp_path: Path) -> None:
    for program, words in (
        (_pair(threshold=0), "neuron 0 of core 0 sends numbers and has the threshold 0; numbers begin at 1"),
        (_pair(routes=[(0, 0, 1, 0, 1), (0, 0, 1, 0, 2)]), "axon 0 of core 1 hears a neuron that sends numbers, and 2 arrivals"),
        (_pair(routes=[(0, 0, 1, 0, 1), (1, 0, 0, 1, 1)]), "neuron 0 of core 0 sends numbers and hears, .* itself"),
        (_pair(weight=2**20), "neuron 0 of core 1 sends numbers up to .*, and 2147483647 is the largest that a spike carries"),
        (_pair(weight=2**30), "neuron 0 of core 0 sends numbers up to 2147483648"),
    ):
        for way in (payloads, lambda p: registry.simulator("reference").load(p)):
            with pytest.raises(InputError, match=words):
                way(program)
        sbnn.save(program, tmp_path / "net.sbnn")
        with pytest.raises(InputError, match=f"is damaged: {words}"):
            sbnn.load(tmp_path / "net.sbnn")
    assert payloads(_pair(weight=3)).tolist() == [6, 21]  # also an axon that nothing feeds may be active
    assert payloads(_pair(reset=MEMORYLESS)).tolist() == [1, 1]


def test_only_files_with_numbers_have_the_new_version(tmp_path: Path) -> None:
    for reset, version in ((GRADED, 2), (MEMORYLESS, 1)):
        path = tmp_path / "net.sbnn"
        sbnn.save(_pair(reset=reset), path)
        assert f'"version": {version}'.encode() in path.read_bytes()
        assert sbnn.load(path).cores[0].reset[0] == reset


def test_those_that_know_bits_only_say_so() -> None:
    program = _pair()
    assert "2 neurons send numbers, and its built-in units send bits" in unrepresentable(program)
    with pytest.raises(InputError, match="2 of 2 neurons send numbers, and LIFReset sends bits"):
        check_ordinary(program)


@settings(max_examples=40)
@given(program=program_any(), seed=st.integers(0, 99))
def test_numpy_alone_and_a_kept_state_know_numbers(program: Program, seed: int) -> None:
    bits = program_bits(program, seed, frames=5, density=0.4)
    want = registry.simulator("reference").load(program).frames(bits)
    for session in (BlasSession(program), Kept(program, keep=False)):
        np.testing.assert_array_equal(session.frames(bits).sums, want.sums)


def test_lost_and_doubled_numbers_are_another_answer_and_no_crash() -> None:
    network = _wide(np.random.default_rng(0).choice([-1, 1], (8, 60)), np.zeros(8))
    program = _mapped(network, mapper_target(format="list", axons=20, neurons=40, graded_bits=5))
    assert wire(program).numbers
    bits = program_bits(program, 0, 40, 0.5)
    want = registry.simulator("bitwise").load(program).frames(bits).sums
    for kind in ("packet-loss", "packet-copy", "axon-flip"):
        strike = Faults(rates={kind: 0.2}).strike(program, 20)
        got = Kept(program, keep=False, strike=strike).frames(bits).sums
        assert 0 < (got != want).sum() < got.size, kind
