"""A mapped network inside a user's own Brian2 network: exact from tick 0, however the user drives and schedules it."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import weakref
from functools import cache
from pathlib import Path

import brian2 as b2
import numpy as np
import pytest
from brian2 import Network, SpikeGeneratorGroup, SpikeMonitor, StateMonitor, TimedArray, ms, second
from brian2.core.base import BrianObjectException
from brian2.utils.logger import catch_logs
from hypothesis import given, settings
from hypothesis import strategies as st

import spikebnn
from spikebnn.brian2 import MappedNet, embed
from spikebnn.errors import InputError
from spikebnn.fold import FoldOptions
from spikebnn.importers import save
from spikebnn.program import NO_FLOOR
from spikebnn.simulate import layout
from spikebnn.simulate.reference import Reference
from spikebnn.simulate.wiring import last_tick, line_count
from tests import zoo
from tests.strategies_program import make_core, make_program, program_any, program_bits, program_layered

ROOT = Path(__file__).resolve().parent.parent
SHUTTLE, VOWELS = ROOT / "examples" / "shuttle", ROOT / "examples" / "japanese_vowels"


@pytest.fixture(autouse=True)
def numpy_target():
    """Tests choose a code target that compiles nothing, and every test has a scope of its own."""
    old = b2.prefs.codegen.target
    b2.prefs.codegen.target = "numpy"
    b2.start_scope()
    yield
    b2.prefs.codegen.target = old


@cache
def vowels(target="loihi-sim"):
    """A program of 639 or 990 neurons, and frames for it."""
    program = spikebnn.map(VOWELS / "net.pt", target)
    return program, np.load(VOWELS / "test.npz")["x"][:12]


def drive_of(program, bits):
    """What the lines do while frames follow each other, in one stream (ticks, lines)."""
    at = layout.feed(program, bits[None])
    ticks = last_tick(program, len(bits))
    return (
        np.stack([at(tick)[0] for tick in range(ticks)])
        if ticks
        else np.zeros((0, line_count(program)), np.uint8)
    )


def slow_twin(program, drive):
    """Spikes (ticks, neurons) of the reference."""
    return Reference().load(program).ticks(drive[None]).spikes[0]


def raster(net, monitor, ticks, first=0):
    """Recorded spikes of `net.neurons` (ticks, neurons), in the program's order."""
    out = np.zeros((ticks, len(net.neurons)), np.uint8)
    tick = np.rint(np.asarray(monitor.t / net.clock.dt)).astype(int) - first
    some = (tick >= 0) & (tick < ticks)
    out[tick[some], net._arranged.neuron[np.asarray(monitor.i)[some]]] = 1
    return out


def generator(drive, inputs, dt, first=0, **more):
    """A source that fires what the lines of a drive do."""
    tick, line = np.nonzero(drive[:, :inputs])
    return SpikeGeneratorGroup(inputs, line, (tick + first) * dt, dt=dt, **more)


@settings(max_examples=8)
@given(
    programs=st.lists(program_any(max_cores=3) | program_layered(max_size=8), min_size=5, max_size=5),
    seed=st.integers(0, 99),
    how=st.sampled_from(["heard", "timed", "later"]),
)
def test_several_random_programs_in_one_network_spike_as_in_the_slow_twin(programs, seed, how):
    """Heard from a group, from a TimedArray, and from a tick other than 0 on."""
    first, dt = (3 if how == "later" else 0), 0.5 * ms
    parts, checks = [], []
    for number, program in enumerate(programs):
        bits = program_bits(program, seed + number, frames=4, density=0.4)
        drive = drive_of(program, bits)
        if how == "timed":
            source = TimedArray(drive[:, : program.inputs].astype(float), dt=dt)
        else:
            source = generator(drive, program.inputs, dt, first, name=f"source_{number}")
            parts.append(source)
        net = MappedNet(program, source, dt=dt, start=first * dt, name=f"net_{number}")
        spikes = SpikeMonitor(net.neurons, name=f"spikes_{number}")
        parts += [net, spikes]
        checks.append((program, bits, drive, net, spikes))
    Network(parts).run(max(first * dt + net.duration(4) for *_, net, _ in checks))
    for program, bits, drive, net, spikes in checks:
        np.testing.assert_array_equal(raster(net, spikes, len(drive), first), slow_twin(program, drive))
        want = Reference().load(program).frames(bits).sums
        np.testing.assert_array_equal(net.sums(0, 4), want)


@settings(max_examples=6)
@given(programs=st.lists(program_any(max_cores=3), min_size=5, max_size=5), seed=st.integers(0, 99))
def test_presented_frames_have_the_sums_of_the_slow_twin(programs, seed):
    """Codes of one tick and bursts, with controls and periods; a second batch follows the first."""
    nets, wants = [], []
    for number, program in enumerate(programs):
        rng = np.random.default_rng(seed + number)
        x = rng.integers(0, program.encoder.ticks + 1, (4, program.inputs)).astype(np.uint8)
        nets.append(MappedNet(program, x, name=f"net_{number}"))
        wants.append(Reference().load(program).frames(spikebnn.encode.encode(program.encoder, x)).sums)
    Network(nets).run(max(net.duration(4) for net in nets))
    for net, want in zip(nets, wants):
        np.testing.assert_array_equal(net.sums(), want)


@pytest.mark.parametrize("target", ["loihi-sim", "truenorth-sim"])
def test_scores_classes_and_decisions_are_those_of_a_run(target):
    program, x = vowels(target)
    want = spikebnn.run(program, x, simulator="reference")
    bnn = embed(program, x, decide=True, name="bnn")
    won = SpikeMonitor(bnn.decision)
    b2.run(bnn.duration(len(x)))
    np.testing.assert_array_equal(bnn.sums(), want.sums)
    np.testing.assert_array_equal(bnn.scores(), want.scores)
    np.testing.assert_array_equal(bnn.classes(), want.classes)
    np.testing.assert_array_equal(won.i, want.classes)
    frames = np.rint(np.asarray((won.t - bnn.latency + bnn.clock.dt) / bnn.period))
    np.testing.assert_array_equal(frames, np.arange(len(x)))
    np.testing.assert_array_equal(bnn.classes(3, 4), want.classes[3:7])


@pytest.mark.parametrize("name", ["negative_gamma", "binarynet_mlp", "votes", "strict_heaviside"])
def test_a_decision_is_by_the_score_whatever_comes_after_the_sum(name, tmp_path):
    """A batch norm with a negative factor in six-tick frames with controls, an offset before a log-softmax, a scale,
    and three ticks without a frame before the first sums."""
    model, example = zoo.member(name)
    save(model, example, tmp_path / "net.pt")
    program = spikebnn.map(tmp_path / "net.pt", "truenorth-sim")
    x = zoo.more_input(example, 5).numpy()
    want = spikebnn.run(program, x)
    bnn = MappedNet(program, x, decide=True)
    won = SpikeMonitor(bnn.decision)
    Network(bnn, won).run(bnn.duration(len(x)))
    np.testing.assert_array_equal(bnn.scores(), want.scores)
    np.testing.assert_array_equal(np.asarray(won.i), want.classes)


def test_scores_made_of_several_sums_are_not_decided_inside(tmp_path):
    model, example = zoo.member("xnor_alpha")
    save(model, example, tmp_path / "net.pt")
    program = spikebnn.map(tmp_path / "net.pt", "loihi-sim", options=FoldOptions(host="auto"))
    refused(
        "the network's scores are made of several sums each (aten.linear.default comes after the sums), "
        "and decide=True compares sums one by one; use classes() after the run",
        lambda: MappedNet(program, decide=True),
    )


def test_equal_scores_go_to_the_first_class_and_one_class_always_wins():
    for sums in (3, 1):
        core = one_core(np.ones((sums, 2)), np.ones(sums))
        program = make_program(
            [core],
            [],
            [(0, 0, 0, 0), (1, 0, 1, 0)],
            2,
            outputs=[(k, 0, k) for k in range(sums)],
            base=[0] * sums,
        )
        bnn = MappedNet(program, np.array([[1, 0], [0, 0], [1, 1]], np.uint8), decide=True)
        won = SpikeMonitor(bnn.decision)
        Network(bnn, won).run(3 * ms)
        assert list(won.i) == [0, 0, 0]


def one_core(weights, threshold, reset=0):
    """A core with one axon per column of the weights."""
    weights = np.asarray(weights)
    neurons, axons = weights.shape
    planes = [
        (0, axons, np.full(neurons, value), weights == value) for value in np.unique(weights[weights != 0])
    ]
    return make_core(
        axons, planes, np.asarray(threshold), np.zeros(neurons), np.full(neurons, reset),
        np.full(neurons, NO_FLOOR), np.zeros(neurons), np.zeros(neurons),
    )  # fmt: skip


def relay(inputs=3):
    """Neuron k fires when line k is active."""
    core = one_core(np.eye(inputs, dtype=int), np.ones(inputs))
    return make_program(
        [core],
        [],
        [(k, 0, k, 0) for k in range(inputs)],
        inputs,
        outputs=[(k, 0, k) for k in range(inputs)],
        base=[0] * inputs,
    )


SCHEDULES = [
    ["start", "groups", "thresholds", "resets", "synapses", "end"],
    ["start", "groups", "synapses", "thresholds", "resets", "end"],
    ["resets", "start", "synapses", "thresholds", "groups", "end"],
    ["thresholds", "end", "start", "resets", "groups", "synapses"],
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: "-".join(word[0] for word in s))
def test_no_schedule_changes_a_spike(schedule):
    rng = np.random.default_rng(1)
    parts, checks = [], []
    for number, program in enumerate(random_programs(6)):
        drive = drive_of(program, program_bits(program, int(rng.integers(99)), 4, 0.4))
        source = generator(drive, program.inputs, 1 * ms, name=f"source_{number}")
        net = MappedNet(program, source, name=f"net_{number}")
        spikes = SpikeMonitor(net.neurons, name=f"spikes_{number}")
        parts += [source, net, spikes]
        checks.append((net, spikes, len(drive), slow_twin(program, drive)))
    network = Network(parts)
    network.schedule = schedule
    network.run(max(ticks for *_, ticks, _ in checks) * ms)
    assert network.schedule == schedule
    for net, spikes, ticks, want in checks:
        np.testing.assert_array_equal(raster(net, spikes, ticks), want)


def random_programs(count):
    """The same mixture every time."""
    found = []

    @settings(max_examples=count, derandomize=True, database=None)
    @given(program=program_any())
    def collect(program):
        found.append(program)

    collect()
    return found[:count]


def test_a_finer_clock_is_latched_to_bits_and_several_spikes_in_a_tick_count_once():
    """Spikes after tick k-1 up to tick k are heard in tick k."""
    at = np.array([0.0, 0.1, 0.5, 1.0, 1.1, 4.9, 5.0])  # ms: ticks 0, 1, 1, 1, 2, 5, 5
    source = SpikeGeneratorGroup(3, np.ones(len(at), int), at * ms, dt=0.1 * ms)
    core = one_core(
        np.eye(3, dtype=int), [1, 2, 1], reset=2
    )  # the second fires at the second spike that it counts
    program = make_program([core], [], [(k, 0, k, 0) for k in range(3)], 3)
    bnn = MappedNet(program, source)
    heard, spikes, v = (
        SpikeMonitor(bnn.inputs),
        SpikeMonitor(bnn.neurons),
        StateMonitor(bnn.neurons, "v", [1], when="end", dt=1 * ms),
    )
    with catch_logs() as logs:
        Network(source, bnn, heard, spikes, v).run(8 * ms)
    np.testing.assert_allclose(heard.t / ms, [0, 1, 2, 5])
    np.testing.assert_allclose(spikes.t / ms, [1, 5])
    assert v.v[0].tolist() == [1, 0, 1, 1, 1, 0, 0, 0]
    assert logs == []


def test_poisson_neurons_on_the_default_clock_are_a_source():
    b2.defaultclock.dt = 0.1 * ms
    b2.seed(4)
    program, _ = vowels()
    retina = b2.PoissonGroup(program.inputs, rates=200 * b2.Hz)
    bnn = MappedNet(program, retina, name="bnn")
    fired, spikes = SpikeMonitor(retina), SpikeMonitor(bnn.neurons)
    b2.run(20 * ms)
    drive = np.zeros((21, program.inputs), np.uint8)
    drive[np.ceil(np.round(np.asarray(fired.t / ms), 6)).astype(int), np.asarray(fired.i)] = 1
    np.testing.assert_array_equal(raster(bnn, spikes, 20), slow_twin(program, drive[:20]))
    assert b2.defaultclock.dt == 0.1 * ms
    assert spikes.num_spikes > 1000


def test_a_part_of_a_larger_group_and_an_index_say_who_feeds_which_bit():
    program = relay(3)
    cells = b2.NeuronGroup(
        9, "dv/dt = 1/ms : 1", threshold="v >= 1.5 + i", reset="v = 0", method="euler", dt=1 * ms
    )
    part = MappedNet(program, cells[2:5], name="part")
    mixed = MappedNet(program, cells, index=[8, 0, 0], name="mixed")
    tail = MappedNet(program, cells[6:], index=[2, 1, 0], name="tail")
    fired, got = SpikeMonitor(cells), [SpikeMonitor(net.neurons) for net in (part, mixed, tail)]
    Network(cells, part, mixed, tail, fired, got).run(40 * ms)
    for monitor, sources in zip(got, ([2, 3, 4], [8, 0, 0], [8, 7, 6])):
        for neuron, source in enumerate(sources):
            np.testing.assert_allclose(monitor.spike_trains()[neuron] / ms, fired.spike_trains()[source] / ms)
            assert len(monitor.spike_trains()[neuron]) > 2


def test_one_mapped_network_hears_another_in_the_next_tick():
    x = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]], np.uint8)
    for names in (("first", "second"), ("z", "a")):  # whichever Brian2 would put first
        one = MappedNet(relay(), x, name=names[0])
        two = MappedNet(relay(), one.output, name=names[1])
        three = MappedNet(relay(2), two.neurons[1:3], name="three")
        spikes = [SpikeMonitor(net.neurons) for net in (one, two, three)]
        Network(one, two, three, spikes).run(10 * ms)
        for late, (net, monitor) in enumerate(zip((one, two, three), spikes)):
            want = np.zeros((10, 3), np.uint8)
            want[late : late + 4] = x
            np.testing.assert_array_equal(raster(net, monitor, 10), want[:, -len(net.neurons) :])


def test_the_output_drives_a_users_neurons_in_the_same_tick():
    bnn = MappedNet(relay(), np.array([[1, 0, 1]], np.uint8))
    motor = b2.NeuronGroup(3, "n : 1", dt=1 * ms)
    link = b2.Synapses(bnn.output, motor, on_pre="n_post += 1", dt=1 * ms)
    link.connect(j="i")
    seen = StateMonitor(motor, "n", record=True, when="end", dt=1 * ms)
    Network(bnn, motor, link, seen).run(2 * ms)
    assert seen.n[:, 0].tolist() == [1, 0, 1]


def test_monitors_of_the_whole_of_a_part_and_of_a_part_of_it_tell_the_same_times():
    program, x = vowels()
    bnn = MappedNet(program, x)
    whole, out, some = (
        SpikeMonitor(bnn.neurons),
        SpikeMonitor(bnn.output),
        SpikeMonitor(bnn.layer["5"][10:20]),
    )
    rate = b2.PopulationRateMonitor(bnn.neurons)
    b2.run(bnn.duration(len(x)))
    first = bnn.output.start
    keep = np.asarray(whole.i) >= first
    np.testing.assert_array_equal(np.asarray(out.t), np.asarray(whole.t)[keep])
    np.testing.assert_array_equal(np.asarray(out.i), np.asarray(whole.i)[keep] - first)
    low = bnn.layer["5"].start + 10
    keep = (np.asarray(whole.i) >= low) & (np.asarray(whole.i) < low + 10)
    np.testing.assert_array_equal(np.asarray(some.t), np.asarray(whole.t)[keep])
    counts = np.bincount(np.rint(np.asarray(whole.t / ms)).astype(int), minlength=len(rate.t))
    np.testing.assert_allclose(rate.rate / b2.Hz, counts * 1000 / len(bnn.neurons))


def test_magic_run_finds_all_of_it_and_goes_on_where_it_was():
    program, x = vowels()
    want = spikebnn.run(program, x).classes
    bnn = MappedNet(program)
    assert b2.collect() == {bnn}
    bnn.present(x[:5])
    b2.run(bnn.duration(5))
    np.testing.assert_array_equal(bnn.classes(), want[:5])
    bnn.present(x[5:])
    b2.run(bnn.duration(len(x) - 5))
    np.testing.assert_array_equal(bnn.classes(), want[5:])
    np.testing.assert_array_equal(bnn.classes(0, 5), want[:5])


def test_store_and_restore_in_the_middle_of_a_frame():
    (program,) = (p for p in random_programs(30)[-1:])
    drive = drive_of(program, program_bits(program, 3, 4, 0.4))
    source = generator(drive, program.inputs, 1 * ms)
    bnn = MappedNet(program, source)
    spikes = SpikeMonitor(bnn.neurons)
    network = Network(source, bnn, spikes)
    network.run(3 * ms)
    network.store()
    for _ in range(2):
        network.run((len(drive) - 3) * ms)
        np.testing.assert_array_equal(raster(bnn, spikes, len(drive)), slow_twin(program, drive))
        network.restore()
    b2.start_scope()
    vowel, x = vowels()
    again = MappedNet(vowel, name="again")
    loop = Network(again)
    loop.store()
    for some in (x[:4], x[4:6]):
        loop.restore()
        again.present(some)
        loop.run(again.duration(len(some)))
        np.testing.assert_array_equal(again.classes(), spikebnn.run(vowel, some).classes)


def test_frames_that_were_presented_come_back_with_the_state_that_was_stored():
    program, x = vowels()
    bnn = MappedNet(program, x[:4])
    network = Network(bnn)
    network.store()
    for _ in range(2):
        network.run(bnn.duration(4))
        np.testing.assert_array_equal(bnn.sums(), spikebnn.run(program, x[:4]).sums)
        bnn.present(x[4:9])
        network.run(bnn.duration(5))
        np.testing.assert_array_equal(bnn.sums(), spikebnn.run(program, x[4:9]).sums)
        network.restore()


@pytest.mark.parametrize("target", ["loihi-sim", "truenorth-sim"])
def test_frames_that_began_before_the_net_joined_are_refused(target):
    program, x = vowels(target)
    other, bnn = b2.NeuronGroup(1, "v : 1"), MappedNet(program, x)
    network = Network(other)
    network.run(3 * ms)
    network.add(bnn)
    network.run(3 * ms + bnn.duration(len(x)))
    with pytest.raises(InputError, match=r"frame 0 of .* began before .* since 3. ms; frames from \d+ on"):
        bnn.classes()
    first = -(-3 // program.period)
    want = spikebnn.run(program, x).sums[first:]
    np.testing.assert_array_equal(bnn.sums(first, len(want)), want)
    late = MappedNet(program, x, start=network.t)
    network.add(late)
    network.run(late.duration(len(x)))
    np.testing.assert_array_equal(late.sums(), spikebnn.run(program, x).sums)


def test_a_net_that_was_left_out_of_a_run_does_not_go_on():
    bnn, other = MappedNet(relay(), np.ones((9, 3), np.uint8)), b2.NeuronGroup(1, "v : 1")
    network = Network(bnn, other)
    network.run(2 * ms)
    bnn.active = False
    network.run(4 * ms)
    bnn.active = True
    with pytest.raises(BrianObjectException) as told:
        network.run(2 * ms)
    assert "was run until 2. ms and left out of the run after that, until 6. ms" in str(told.value.__cause__)


def test_no_frames_have_no_classes_and_a_time_that_has_passed_is_refused():
    program, x = vowels()
    bnn = MappedNet(program, x[:0])
    b2.run(5 * ms)
    assert bnn.classes().shape == (0,)
    with pytest.raises(InputError, match=r"at=2. ms has passed: it is 5. ms in"):
        bnn.present(x, at=2 * ms)


def test_objects_come_and_go():
    """Added later, given twice, given in a list, switched off, removed; two unnamed ones do not clash."""
    one, two = MappedNet(relay(), np.ones((4, 3), np.uint8)), MappedNet(relay(), np.ones((4, 3), np.uint8))
    assert one.name != two.name
    network = Network()
    network.add([one, one.neurons, one])
    network.add(two)
    seen = [SpikeMonitor(net.neurons) for net in (one, two)]
    network.add(seen)
    two.active = False
    network.run(2 * ms)
    assert [monitor.num_spikes for monitor in seen] == [6, 0]
    two.active = True
    network.remove(one, one.neurons, seen[0])
    network.run(2 * ms)
    assert seen[1].num_spikes == 6


def test_a_network_that_is_gone_leaves_nothing_behind():
    def one_run():
        bnn = MappedNet(relay(), np.ones((2, 3), np.uint8))
        Network(bnn).run(2 * ms)
        return [weakref.ref(part) for part in (bnn, bnn.neurons, bnn.inputs)]

    gone = one_run()
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_parts_have_readable_names_and_the_networks_own_order():
    program, x = vowels("truenorth-sim")
    bnn = MappedNet(program, x, name="bnn", decide=True)
    assert {part.name for part in bnn.contained_objects} == {
        "bnn_inputs", "bnn_neurons", "bnn_synapses", "bnn_input_synapses", "bnn_readout",
        "bnn_decision", "bnn_reads", "bnn_rivals",
    }  # fmt: skip
    assert type(bnn.neurons) is b2.NeuronGroup
    assert type(bnn.synapses) is type(bnn.input_synapses) is b2.Synapses
    assert set(np.unique(bnn.synapses.w)) == {-1, 1}
    assert [len(bnn.layer[name]) for name in ("1", "5")] == [360, 270]
    spikes = {name: SpikeMonitor(bnn.layer[name]) for name in ("1", "5")}
    Network(bnn, spikes).run(bnn.duration(len(x)))
    folded = spikebnn.verify(program, VOWELS / "net.pt", x, simulators="reference")
    assert folded.equal
    run = spikebnn.run(program, x, simulator="reference", record=True)
    for depth, name in enumerate(("1", "5")):
        got = np.zeros((len(x) + 2, len(bnn.layer[name])), np.uint8)
        got[np.rint(np.asarray(spikes[name].t / ms)).astype(int), np.asarray(spikes[name].i)] = 1
        index = [layer.name for layer in program.layers].index(name)
        layer = np.concatenate([core.layer for core in program.cores])
        unit = np.concatenate([core.unit for core in program.cores])
        of = [int(np.flatnonzero((layer == index) & (unit == number))[0]) for number in bnn.units[name]]
        assert bnn.units[name].tolist() == list(range(len(of)))
        np.testing.assert_array_equal(got[depth : depth + len(x)], run.raster[:, of])


def test_names_that_stand_in_equations_may_be_the_users_too():
    v = w = theta = leak = total = rank = heard = number = np.arange(3)  # noqa: F841
    program, x = vowels()
    bnn = MappedNet(program, x[:2], decide=True)
    b2.run(bnn.duration(2), namespace={})
    np.testing.assert_array_equal(bnn.classes(), spikebnn.run(program, x[:2]).classes)


def test_single_precision_and_short_integers_of_a_users_preference_change_nothing():
    old = b2.prefs.core.default_float_dtype
    b2.prefs.core.default_float_dtype = np.float32
    try:
        for program in random_programs(5):
            drive = drive_of(program, program_bits(program, 7, 4, 0.4))
            source = generator(drive, program.inputs, 0.1 * ms)
            bnn = MappedNet(program, source, dt=0.1 * ms)
            spikes = SpikeMonitor(bnn.neurons)
            Network(source, bnn, spikes).run(len(drive) * 0.1 * ms)
            np.testing.assert_array_equal(raster(bnn, spikes, len(drive)), slow_twin(program, drive))
    finally:
        b2.prefs.core.default_float_dtype = old


# ------------------------------------------------------------------------------------------------------ refusals


def refused(sentence, call, error=InputError):
    with pytest.raises(error) as refusal:
        call()
    found = refusal.value.__cause__ if isinstance(refusal.value, BrianObjectException) else refusal.value
    assert str(found) == sentence


def test_what_cannot_be_a_source_is_refused_in_one_sentence():
    program = relay()
    can = "; a PoissonGroup, a SpikeGeneratorGroup, a NeuronGroup with a threshold, or a part of one can"
    silent = b2.NeuronGroup(3, "v : 1", name="silent")
    refused(
        f"silent cannot be the source of a: it has no threshold, so it never spikes{can}",
        lambda: MappedNet(program, silent, name="a"),
    )
    noise = b2.PoissonInput(silent, "v", 3, 1 * b2.Hz, 1)
    refused(
        f"{noise.name} cannot be the source of b: a PoissonInput fires no spikes of its own{can}",
        lambda: MappedNet(program, noise, name="b"),
    )
    four = b2.PoissonGroup(4, 1 * b2.Hz, name="four")
    refused(
        "four has 4 neurons, and c takes 3 input bits; give index=, the neuron of four for each input bit",
        lambda: MappedNet(program, four, name="c"),
    )
    refused(
        "index names neurons 0 to 4, and four has 0 to 3",
        lambda: MappedNet(program, four, index=[0, 4, 1], name="d"),
    )
    refused(
        "index is of shape (2,) and type int64; e takes 3 whole numbers, one source neuron for each input bit",
        lambda: MappedNet(program, four, index=np.array([0, 1], np.int64), name="e"),
    )
    refused(
        "index names the source neuron of each input bit, and there is no source group",
        lambda: MappedNet(program, index=[0, 1, 2], name="f"),
    )
    refused(
        "the TimedArray has shape (5, 2), and g takes (ticks, 3), 0 or 1 for each input bit in each tick",
        lambda: MappedNet(program, TimedArray(np.zeros((5, 2)), dt=1 * ms), name="g"),
    )
    refused(
        "the TimedArray steps every 2. ms, and h every 1. ms; make one like the other, or rows would be left out or played twice",
        lambda: MappedNet(program, TimedArray(np.zeros((5, 3)), dt=2 * ms), name="h"),
    )
    whole = MappedNet(program, name="whole")
    refused(
        "whole is a whole network; give one of its groups, such as whole.output",
        lambda: MappedNet(program, whole, name="i"),
    )
    with pytest.raises(InputError, match="the data has shape"):
        MappedNet(program, np.zeros((2, 4), np.uint8))
    Network(whole, four, silent, noise).run(0 * ms)


def test_a_net_that_is_refused_leaves_no_warnings():
    program, x = vowels()
    with catch_logs() as logged:
        for source in (x[:, :3], "net.npz", b2.TimedArray(np.zeros((2, 2)), dt=1 * ms)):
            with pytest.raises((InputError, ValueError)):
                MappedNet(program, source)
        with pytest.raises(InputError, match="none.sbnn cannot be read"):
            MappedNet("none.sbnn")
        gc.collect()
    assert not logged


def test_times_that_are_no_ticks_are_refused_in_one_sentence():
    program = vowels()[0]
    refused(
        "start=1.5 ms is not a tick of a, whose dt is 1. ms",
        lambda: MappedNet(program, start=1.5 * ms, name="a"),
    )
    with pytest.raises(b2.DimensionMismatchError):
        MappedNet(program, start=3, name="b")
    with pytest.raises(b2.DimensionMismatchError):
        MappedNet(program, dt=1, name="c")
    slow = make_program([one_core([[1]], [1])], [], [(0, 0, 0, 0)], 1, period=4)
    bnn = MappedNet(slow, start=2 * ms, name="bnn")
    refused(
        "at=4. ms is not the beginning of a frame: frames of bnn begin every 4. ms from 2. ms on",
        lambda: bnn.present(np.ones((1, 1), np.uint8), at=4 * ms),
    )
    bnn.present(np.ones((1, 1), np.uint8), at=6 * ms)
    spikes = SpikeMonitor(bnn.neurons)
    Network(bnn, spikes).run(10 * ms)
    np.testing.assert_allclose(spikes.t / ms, [6])


def test_answers_that_are_not_there_yet_are_refused_in_one_sentence():
    program, x = vowels()
    bnn = MappedNet(program, x[:4], name="bnn")
    quiet = MappedNet(program, record=False, name="quiet")
    network = Network(bnn, quiet)
    network.run(5 * ms)
    refused("frames 0 to 3 of bnn are wanted, and 3 are complete; they are at 6. ms", bnn.classes)
    refused("quiet was made with record=False, so there is nothing to read sums from", quiet.sums)
    source = b2.PoissonGroup(program.inputs, 1 * b2.Hz)
    refused(
        "heard hears a source; to present frames, make it without one",
        lambda: MappedNet(program, source, name="heard").present(x),
    )
    bare = make_program([one_core([[1]], [1])], [], [(0, 0, 0, 0)], 1)
    refused(
        "the program has no outputs, so there is nothing to read", lambda: MappedNet(bare, name="bare").output
    )
    refused(
        "the program has no outputs, so there is nothing to decide",
        lambda: MappedNet(bare, decide=True, name="blank"),
    )


def test_sums_that_no_table_holds_are_not_decided_inside():
    keeps = make_program(
        [one_core([[1]], [9], reset=2)],
        [],
        [(0, 0, 0, 0)],
        1,
        readout="membrane",
        outputs=[(0, 0, 0)],
        base=[0],
    )
    refused(
        "the sums of this program are membranes that keep their value from tick to tick, so no table can hold "
        "all of them, and decide=True needs one; use classes() after the run",
        lambda: MappedNet(keeps, decide=True),
    )
    wide = make_program(
        [one_core([[2**30]], [9])], [], [(0, 0, 0, 0)], 1, readout="membrane", outputs=[(0, 0, 0)], base=[0]
    )
    refused(
        "the 1 sums reach up to 1073741825 values each, more than a table of 4000000 entries holds, "
        "and decide=True needs one; use classes() after the run",
        lambda: MappedNet(wide, decide=True),
    )


def test_a_source_that_fires_after_it_is_heard_is_refused_before_the_run():
    source = b2.NeuronGroup(3, "v : 1", threshold="v > 1", dt=1 * ms, name="source")
    source.set_event_schedule("spike", when="end", order=2)
    bnn = MappedNet(relay(), source, name="bnn")
    network = Network(source, bnn)
    sentence = (
        "source fires in the slot 'end' with order 2, after bnn has heard this tick's spikes (slot 'thresholds', "
        "order 100), so every frame would be one tick late; let it fire earlier, or change the network's schedule"
    )
    refused(sentence, lambda: network.run(1 * ms), BrianObjectException)
    network.schedule = ["start", "end", "groups", "thresholds", "synapses", "resets"]
    network.run(1 * ms)


def test_a_run_without_the_source_is_refused_before_it_begins():
    sources = [b2.PoissonGroup(3, 1 * b2.Hz, name="hidden")]  # magic does not look into lists
    bnn = MappedNet(relay(), sources[0], name="bnn")  # noqa: F841
    with catch_logs(), pytest.raises(BrianObjectException) as refusal:
        b2.run(1 * ms)
    assert str(refusal.value.__cause__) == (
        "bnn cannot run without its part bnn_link, which is not active; its source hidden must be in the network too"
    )


def test_neurons_without_their_synapses_are_refused_by_brian2():
    bnn = MappedNet(relay(), name="bnn")
    with pytest.raises(
        ValueError,
        match="'bnn_neurons' has been included in the network but not the object on which it depends",
    ):
        Network(bnn.neurons).run(1 * ms)


def test_a_dt_that_changed_is_refused_before_the_run():
    bnn = MappedNet(relay(), name="bnn")
    bnn.clock.dt = 2 * ms
    refused(
        "the dt of bnn was 1. ms when its delays were set and is 2. ms now; make a new one with dt=",
        lambda: Network(bnn).run(2 * ms),
        BrianObjectException,
    )


def test_a_device_that_nobody_tried_is_refused_before_the_run():
    from brian2.devices.device import RuntimeDevice, reset_device, set_device

    b2.all_devices["elsewhere"] = RuntimeDevice()
    set_device("elsewhere")
    try:
        bnn = MappedNet(relay(), name="bnn")
        refused(
            "bnn is exact on the devices runtime and cpp_standalone, and the device is elsewhere; "
            'choose one with set_device("runtime")',
            lambda: Network(bnn).run(1 * second / 1000),
            BrianObjectException,
        )
    finally:
        reset_device()
        del b2.all_devices["elsewhere"]


def test_the_example_decides_behind_poisson_neurons_as_well_as_without_noise(capsys):
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        import brian2_poisson
    finally:
        sys.path.remove(str(ROOT / "examples"))
    found = brian2_poisson.main(12)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "12 utterances, 990 neurons on 8 cores, 115920 synapses"
    assert said[1].endswith("speaker 0")
    assert said[2] == f"accuracy behind Poisson neurons: {found:.1%} (without noise: 91.7%)"
    assert found >= 0.8


def test_the_benchmark_is_exact_and_names_its_ways():
    script = ROOT / "benchmarks" / "brian2_speed.py"
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(script),
        "--streams",
        "2",
        "--ticks",
        "3",
        "--rounds",
        "1",
        "--json",
    ]
    home = {**os.environ, "PYTHONPATH": str(ROOT)}
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=home).stdout)
    assert [row["way"] for row in rows] == [
        "reference",
        "brian2 on numpy, one stream",
        "brian2 on numpy, 2 streams",
    ]
    assert all(row["frames_per_second"] > 0 for row in rows)


def test_a_pulse_that_is_named_twice_counts_once():
    core = make_core(
        1, [(0, 1, np.ones(1), np.ones((1, 1)))], np.array([3]), np.array([-1]), np.array([1]), np.array([-1]),
        np.array([0]), np.array([0]),
    )  # fmt: skip
    program = make_program([core], [], [(1, 0, 0, 0)], 1, [(1, 0), (1, 0), (1, 3)], 3, outputs=[(0, 0, 0)], base=[0])
    bits = np.zeros((4, 1, 1), np.uint8)
    drive = drive_of(program, bits)
    net = MappedNet(program, generator(drive, 1, 0.5 * ms, 0, name="twice"), dt=0.5 * ms)
    spikes = SpikeMonitor(net.neurons)
    Network(net.source, net, spikes).run(net.duration(4))
    np.testing.assert_array_equal(raster(net, spikes, len(drive), 0), slow_twin(program, drive))
