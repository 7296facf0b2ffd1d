"""A split neuron is the neuron: for every input there is, and whatever frame came before."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn import sbnn
from spikebnn.cli import main
from spikebnn.cli.mapping import SPLITS
from spikebnn.data import load
from spikebnn.emit import check_emit, check_equivalent, emit
from spikebnn.errors import CheckError, FitError
from spikebnn.fit import find_violations
from spikebnn.partition import split
from spikebnn.place import place
from spikebnn.program import SUBTRACT, Program
from spikebnn.recipe import Recipe
from spikebnn.simulate import registry
from spikebnn.split import KINDS, cut_taps, lossless
from spikebnn.split.radix import busy, digits_of
from spikebnn.split.sums import Wide
from spikebnn.targets import load_target
from spikebnn.targets.target import Quantity, Target
from spikebnn.threshold import Encoder, Layer, Synapses, ThresholdNetwork, execute
from spikebnn.verify import verify
from tests.strategies_mapper import mapper_readout, mapper_run, mapper_target

EXACT = Recipe(split="exact")
ROOT = Path(__file__).resolve().parent.parent
KINDS_TRIED = ("exact", "radix", "radix3")


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


def _mapped(network: ThresholdNetwork, target: Target, recipe: Recipe = EXACT, seen: np.ndarray | None = None) -> Program:
    partition = split(network, target, recipe, seen)
    program = emit(network, partition, place(partition, target, recipe), target, recipe)
    check_emit(program, network, target, approximate=recipe.split == "window")
    return program


@pytest.mark.parametrize("kind", KINDS_TRIED)
@pytest.mark.parametrize(
    ("form", "types", "floors"),
    [("crossbar", 4, ("clear",)), ("crossbar", 3, ("clear",)), ("list", None, ("clear",)), ("list", None, ("saturate",)),
     ("crossbar", 5, ("saturate",))],
)
def test_every_input_of_a_split_neuron_gives_its_bit(
    form: str, types: int | None, floors: tuple[str, ...], kind: str
) -> None:
    """All 256 inputs, one after the other without a pause, for every threshold that matters."""
    recipe = Recipe(split=kind)
    rng = np.random.default_rng(7)
    weight = np.repeat(rng.choice([-1, 1], (2, 8)), 9, axis=0)
    threshold = np.concatenate([np.arange(-4, 5) + int(w.sum()) // 2 for w in weight[::9]])
    network = _one_layer(weight, threshold)
    changes = {"format": form, "floors": floors, "axon_types": types, "neurons": 40}
    fitting = (axons for axons in range(4, 40) if not find_violations(network, mapper_target(axons=axons, **changes), recipe))
    program = _mapped(network, mapper_target(axons=next(fitting), **changes), recipe)
    assert program.header["split"]["method"] == kind
    assert program.header["split"]["layers"] == ["wide"]
    inputs = np.array(list(product([0, 1], repeat=8)))
    inputs = np.concatenate([inputs, rng.permutation(inputs)])
    want = execute(network, inputs)[1]
    np.testing.assert_array_equal(_run(program, inputs), want)
    np.testing.assert_array_equal(mapper_run(program, inputs[-50:])[0], want[-50:])


def _run(program: Program, inputs: np.ndarray) -> np.ndarray:
    """The slow twin's sums; frames follow each other in fours."""
    return registry.simulator("reference").load(program).frames(inputs[:, None].astype(np.uint8)).sums


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


def _wide(weight: np.ndarray) -> Wide:
    """One neuron, not yet split."""
    synapses = _one_layer(weight, np.ones(len(weight))).layers[0].synapses
    n = len(weight)
    return Wide(
        name="wide", layer=1, role="partial", synapses=synapses, spot=np.zeros((n, 3), np.int32),
        count=np.ones((1, weight.shape[1]), np.int64), first=weight.shape[1] + n,
    )


@pytest.mark.parametrize("kind", KINDS_TRIED)
def test_the_lines_of_every_kind_add_up_to_the_sum_for_every_sum(kind: str) -> None:
    """Plain arithmetic on the banks, tick law left out: floor(sum / threshold), digits before taken away, weighed."""
    weight = np.array([[1] * 13 + [-1] * 6, [-1] * 19, [1] * 19, [1, -1] * 9 + [0]])
    made = KINDS[kind].made(_wide(weight), mapper_target(axons=40))
    assert not hasattr(made, "remedy")
    rng = np.random.default_rng(5)
    for bits in [np.arange(19) < k for k in range(20)] + [np.arange(19) >= k for k in range(20)] + list(rng.random((40, 19)) < 0.5):
        said = np.append(np.zeros(made.next), 0).astype(np.int64)  # the last stands for NO_TAP
        said[:19] = bits
        for bank in made.banks:
            s = bank.synapses
            total = (s.weight[s.row] * said[s.taps[s.patch]]).sum(axis=1)
            total = total + sum(pulse.total for pulse in bank.pulses if pulse.name == "bias")
            count = total // bank.threshold
            assert (total >= 0).all()
            assert (count <= bank.burst).all()
            said[bank.first : bank.first + bank.neurons] = count
        assert all((said[line.signal] <= line.most).all() for line in made.lines)
        got = sum(line.weight * said[line.signal] for line in made.lines)
        np.testing.assert_array_equal(got - made.offset, weight @ bits)


def test_digits_are_busy_for_about_two_roots_of_the_sum() -> None:
    """Two digits of a sum up to K take about 2 sqrt(K) ticks, three about 2 cubic roots, one K."""
    for most in (3, 4, 9, 50, 128, 157, 1000):
        one, two, three = (digits_of(most, count) for count in (1, 2, 3))
        assert one == (1,)
        assert busy(most, two) <= 2 * most**0.5 + 2
        assert busy(most, three) <= 3 * most ** (1 / 3) + 3
        assert list(three) == sorted(three, reverse=True)
        assert three[-1] == two[-1] == 1


@pytest.mark.parametrize("kind", KINDS_TRIED)
def test_sums_of_sums_are_exact(kind: str) -> None:
    """Aggregators that cannot hear all partial sums: cores of six or seven axons for 40 inputs."""
    rng = np.random.default_rng(3)
    weight = rng.choice([-1, 1], (4, 40))
    network = _one_layer(weight, np.array([-6, -1, 1, 5]))
    recipe = Recipe(split=kind)
    for floors in (("clear",), ("saturate",)):
        target = mapper_target(axons=7, neurons=40, floors=floors, format="list", axon_types=None, v_bits=24, weight_max=255)
        program = _mapped(network, target, recipe)
        inputs = (rng.random((30, 40)) < rng.random((30, 1))).astype(np.int64)
        np.testing.assert_array_equal(mapper_run(program, inputs)[0], execute(network, inputs)[1])


def _planted(program: Program, number: int, **changes: object) -> Program:
    cores = list(program.cores)
    cores[number] = replace(cores[number], **changes)  # type: ignore[arg-type]
    return replace(program, cores=tuple(cores))


@pytest.mark.parametrize("kind", ["radix", "radix3"])
def test_a_planted_error_in_a_digit_is_found(kind: str) -> None:
    """Another radix, a spike that is not taken away, a digit that speaks too early, one that is not emptied."""
    rng = np.random.default_rng(2)
    weight = rng.choice([-1, 1], (6, 60))
    network, recipe = _one_layer(weight, np.arange(6)), Recipe(split=kind)
    program = _mapped(network, mapper_target(axons=50, neurons=64), recipe)
    digits = [
        (k, n) for k, core in enumerate(program.cores) for n in range(core.neurons)
        if core.reset[n] == SUBTRACT and core.threshold[n] > 1
    ]
    assert digits
    k, n = digits[0]
    core = program.cores[k]
    for field, change in (("threshold", 1), ("threshold", -1), ("leak", 1), ("start", 1)):
        value = getattr(core, field).copy()
        value[n] += change
        with pytest.raises(CheckError, match="the program is not the network"):
            check_equivalent(_planted(program, k, **{field: value}), network)
    inputs = (rng.random((40, 60)) < 0.5).astype(np.int64)
    found = 0
    for row in np.flatnonzero((program.routes[:, 0] == k) & (program.routes[:, 1] == n)):
        for late in (1, 3, 9):
            routes = program.routes.copy()
            routes[row, 4] += late
            slow = replace(program, routes=routes)
            try:
                check_equivalent(slow, network)
            except CheckError:
                found += 1
            else:  # late, and still in time
                np.testing.assert_array_equal(_run(slow, inputs), execute(network, inputs)[1])
    assert found
    for line in range(len(program.controls)):
        if program.period > 1:
            controls = program.controls.copy()
            controls[line, 1] = (controls[line, 1] + 1) % program.period
            with pytest.raises(CheckError, match="the program is not the network"):
                check_equivalent(replace(program, controls=controls), network)
    for p, plane in enumerate(core.planes):
        for j in np.flatnonzero(plane.bits[n])[:1]:
            bits = plane.bits.copy()
            bits[n, j] &= bits[n, j] - 1
            planes = (*core.planes[:p], replace(plane, bits=bits), *core.planes[p + 1 :])
            with pytest.raises(CheckError, match="the program is not the network"):
                check_equivalent(_planted(program, k, planes=planes), network)


def test_a_window_says_what_it_cuts_off_and_is_never_called_exact() -> None:
    rng = np.random.default_rng(7)
    weight = rng.choice([-1, 1], (3, 24))
    network, target = _one_layer(weight, np.zeros(3)), mapper_target(axons=26, neurons=40)
    inputs = (rng.random((60, 24)) < rng.random((60, 1))).astype(np.int64)
    bits, want = execute(network, inputs)
    wrong = []
    for ticks in (2, 5, 24):
        program = _mapped(network, target, Recipe(split="window", window=ticks), bits)
        price = program.header["split"]
        assert price["clipping"]["frames"] == 60
        assert price["clipping"]["window"] == ticks
        assert price["lossless"] == (price["clipping"]["worst"] == 0) == (ticks == 24)
        got, _ = mapper_run(program, inputs)
        wrong.append(int((got != want).any(axis=1).sum()))
        if price["lossless"]:
            assert check_equivalent(program, network) == price["clipping"]["measured"] == 0
        else:
            assert price["clipping"]["measured"] > 0
            assert check_equivalent(program, network, approximate=True) > 0
            with pytest.raises(CheckError, match="can have a negative count|counts for|is emptied while it counts"):
                check_equivalent(program, network)
    assert wrong[0] > wrong[1] > wrong[2] == 0


def test_a_window_without_calibration_is_refused_in_words() -> None:
    network = _one_layer(np.ones((1, 40), int), np.array([3]))
    target = mapper_target(axons=24)
    with pytest.raises(FitError, match=r'the split "window" needs frames .*; give some with --calibrate x.npz'):
        split(network, target, Recipe(split="window"))


def test_a_digit_with_more_weights_than_axon_types_is_refused() -> None:
    """Weights 1, 2 and 4, and two digits before it that take away, and its control lines: more axon types than a core has."""
    network = _one_layer(np.resize([1, 2, 4], (2, 30)), np.array([20, 35]))
    with pytest.raises(FitError, match=r'layer "wide": needs 7 axon types for its weights and control lines, but toy has 4'):
        split(network, mapper_target(axons=14), Recipe(split="radix3"))
    _mapped(network, mapper_target(axons=14, axon_types=7), Recipe(split="radix3"))


def test_auto_takes_the_cheapest_lossless_kind() -> None:
    """The toy has no energies: ticks x cores decides. With energies: joules x seconds."""
    network = _one_layer(np.random.default_rng(0).choice([-1, 1], (8, 60)), np.zeros(8))
    toy = mapper_target(axons=40, neurons=64)
    priced = replace(
        toy, energy={"static_power": Quantity(v=1.0, lo=1, hi=1, unit="W", src="", kind="assumed")},
        timing={"tick": Quantity(v=1e-3, lo=1e-3, hi=1e-3, unit="s", src="", kind="assumed")},
    )
    for target, known in ((toy, "ticks_cores"), (priced, "energy_delay")):
        prices = {kind: split(network, target, Recipe(split=kind)).price for kind in lossless(target)}
        got = split(network, target, Recipe()).price
        assert got["method"] == min(prices, key=lambda kind: prices[kind][known])
        assert (got["energy_delay"] is None) == (known == "ticks_cores")
    assert got["energy_delay"] == pytest.approx(got["joules"] * got["period"] * 1e-3)
    assert got["joules"] == pytest.approx(got["period"] * 1e-3)


def test_a_radix_program_needs_few_ticks_and_its_price_says_so() -> None:
    weight = np.random.default_rng(1).choice([-1, 1], (64, 784))
    network = _one_layer(weight, np.zeros(64))
    periods = {kind: split(network, load_target("truenorth-sim"), Recipe(split=kind)).period for kind in KINDS_TRIED}
    assert 4 * periods["radix"] <= periods["exact"]
    assert periods["radix3"] < periods["radix"]


def test_the_command_line_knows_every_kind() -> None:
    assert tuple(KINDS) == SPLITS


def test_all_kinds_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    """72 inputs on cores of 32 axons: what fits has a price, what does not has a reason, one is chosen."""
    net, data = ROOT / "examples" / "shuttle" / "net.pt", ROOT / "examples" / "shuttle" / "test.npz"
    words = ["map", str(net), "--target", "tiny-test", "--explore", "--calibrate", str(data), "--window", "6"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["split"]: row for row in found["alternatives"]}
    assert list(rows) == ["none", *KINDS]
    assert found["by"] == "energy-delay"
    assert [name for name, row in rows.items() if row["chosen"]] == ["exact"]
    assert "spikes that carry numbers" in rows["graded"]["refused"]
    assert "a neuron reads 72 inputs" in rows["none"]["refused"]
    assert rows["window"]["lossless"] is False
    assert rows["window"]["clipping"]["measured"] > 0
    assert rows["exact"]["joules"] > 0
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "exact *" in text
    assert "% of sums" in text
    assert "window: worst case, a sum is wrong by" in text


def test_an_approximate_program_says_so_and_verify_finds_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    net, data = ROOT / "examples" / "shuttle" / "net.pt", ROOT / "examples" / "shuttle" / "test.npz"
    goal = tmp_path / "a.sbnn"
    words = ["map", str(net), "--target", "tiny-test", "--split", "window", "-o", str(goal)]
    assert main(words) == 1
    assert "needs frames to find the mean of every partial sum; give some with --calibrate" in capsys.readouterr().err
    assert main([*words, "--window", "3", "--calibrate", str(data)]) == 0
    assert "approximate: " in capsys.readouterr().out
    frames = load(data, 100)
    certificate = verify(sbnn.load(goal), against=net, x=frames.x)
    assert not certificate.equal
    assert certificate.structure != "equal"
    assert certificate.verdicts[0].differing_frames > 0


def test_scores_wider_than_a_core_are_read_in_digits_where_that_is_cheaper() -> None:
    """No layer is split; a score of 40 neurons would be a burst of 20 ticks."""
    rng = np.random.default_rng(4)
    layer = Synapses(
        weight=np.ones((1, 1), np.int16), taps=np.arange(40, dtype=np.int32)[:, None], row=np.zeros(40, np.int32),
        patch=np.arange(40, dtype=np.int32),
    )
    scores = Synapses(
        weight=rng.choice([-1, 1], (2, 40)).astype(np.int16), taps=np.arange(40, 80, dtype=np.int32)[None],
        row=np.arange(2, dtype=np.int32), patch=np.zeros(2, np.int32),
    )
    thin = Layer(
        name="thin", kind="dense", synapses=layer, sign=np.ones(40, np.int8), threshold=np.ones(40, np.int32), first=40,
        shape=(40,),
    )
    network = ThresholdNetwork(
        inputs=40, encoder=Encoder(kind="values", shape=(40,), dtype="float32"), layers=(thin,), readout=mapper_readout(scores)
    )
    target = mapper_target(axons=30, neurons=40)
    program, bursts = _mapped(network, target, Recipe()), _mapped(network, target, EXACT)
    assert program.header["split"]["readout"] == "digits"
    assert program.period < bursts.period
    inputs = rng.integers(0, 2, (20, 40))
    np.testing.assert_array_equal(mapper_run(program, inputs)[0], execute(network, inputs)[1])


def test_auto_buys_no_chip_for_a_quicker_split() -> None:
    """On as many chips as one wishes the quicker split is taken; where "exact" needs one chip less, it is given up."""
    rng = np.random.default_rng(5)
    network = _one_layer(rng.choice([-1, 1], (40, 40)), rng.integers(-3, 4, 40))
    tile = mapper_target(neurons=24, axons=24, axon_types=4)
    cores = {kind: len(split(network, tile, Recipe(split=kind)).shards) for kind in ("exact", "radix")}
    assert cores["exact"] < cores["radix"]
    small = replace(tile, topology=replace(tile.topology, width=cores["exact"], height=1, chips=50))
    assert split(network, small, Recipe()).price["method"] == "exact"
    large = replace(tile, topology=replace(tile.topology, width=4 * cores["radix"], height=1, chips=50))
    assert split(network, large, Recipe()).price["method"] != "exact"
