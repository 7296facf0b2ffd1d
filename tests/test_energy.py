"""Energy: intervals with sources, static plus marginal, against published power and against arithmetic by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.energy import INCLUDED, NONE, UNKNOWN, combine, energy
from spikebnn.energy.timing import timing
from spikebnn.energy.traffic import active_updates, traffic
from spikebnn.formats import connected
from spikebnn.interval import Interval, exactly
from spikebnn.program import ProgramLayer
from spikebnn.run import Counts
from spikebnn.simulate import layout
from spikebnn.simulate.reference import Reference
from spikebnn.targets import load_target, target_names
from spikebnn.targets.target import hops, tile_shape
from tests.strategies_energy import core, counts, program, programs
from tests.strategies_program import program_any, program_layered

# Nearest neighbours on a board of 32 Loihi chips (Frady 2020): 76 800 neurons for 60 steps, 667 to 750 input spikes that
# reach every neuron, 1.33 mJ measured without static power. Prediction against measurement, for both preset's constants.
BOARD = [
    ("loihi-sim-davies2018", 667, 0.089),
    ("loihi-sim-davies2018", 750, 0.202),
    ("loihi-sim-sanafe2025", 667, 0.545),
    ("loihi-sim-sanafe2025", 750, 0.715),
]


@pytest.mark.parametrize(("name", "spikes", "error"), BOARD)
def test_the_loihi_presets_miss_a_measured_board_as_published_and_hold_it_in_their_intervals(
    name: str, spikes: int, error: float
) -> None:
    cost = load_target(name).energy
    low, middle, high = (
        76_800 * spikes * getattr(cost["synaptic_event"], end)
        + 76_800 * 60 * getattr(cost["neuron_idle"], end)
        for end in ("lo", "v", "hi")
    )
    assert middle / 1.33e-3 - 1 == pytest.approx(error, abs=0.005)
    assert low < 1.33e-3 < high


def two_cores(target: str = "tiny-test", period: int = 1):
    made = program(
        (core(0, 0, 0), core(0, 3, 2)), [(0, 0, 1, 0, 1), (0, 1, 1, 1, 1)], target=target, period=period
    )
    counted = Counts(
        spikes=np.array([[2, 1]]), axon_events=np.array([[3, 2]]), synaptic_events=np.array([[6, 4]]),
        neuron_spikes=np.array([1, 1, 0, 1]),
    )  # fmt: skip
    return made, counted


def test_a_bill_of_two_cores_adds_up_by_hand() -> None:
    made, counted = two_cores()
    bill = {item.name: item for item in energy(counted, made, load_target("tiny-test"), 1).items}
    assert bill["synaptic_event"].joules == Interval(lo=10e-12, v=20e-12, hi=40e-12)
    assert bill["spike"].joules.v == pytest.approx(3 * 7e-12)
    assert bill["message"].joules.v == pytest.approx(2 * 11e-12)
    assert bill["hop_x"].joules.v == pytest.approx(2 * 3 * 3e-12)
    assert bill["hop_y"].joules.v == pytest.approx(2 * 2 * 4e-12)
    assert bill["tile_local"].state == NONE
    assert bill["neuron_update"].joules.v == pytest.approx(4 * 8e-12)
    assert bill["memory_scan"].state == INCLUDED
    assert bill["barrier"].joules.v == pytest.approx(1e-12)
    assert bill["static_power"].joules.v == pytest.approx(1e-3 * 1e-3)
    assert bill["chip_crossing"].joules == exactly(0.0)


def test_static_energy_grows_with_the_tick_and_marginal_energy_does_not() -> None:
    made, counted = two_cores()
    target = load_target("tiny-test")
    slow, fast = (energy(counted, made, target, 1, tick) for tick in (1e-3, 1e-6))
    assert slow.marginal == fast.marginal
    assert slow.total.v > fast.total.v


def test_a_cost_that_nobody_published_makes_the_total_at_least_and_is_never_zero() -> None:
    made, counted = two_cores("loihi-sim-davies2018")
    bill = energy(counted, made, load_target("loihi-sim-davies2018"), 1)
    unknown = {item.name for item in bill.items if item.state == UNKNOWN}
    assert unknown == {"spike", "message", "barrier"}
    assert bill.at_least
    assert all(item.joules is None for item in bill.items if item.state == UNKNOWN)


def test_an_unknown_price_of_something_that_did_not_happen_costs_nothing() -> None:
    made, counted = two_cores("loihi-sim")
    bill = {item.name: item for item in energy(counted, made, load_target("loihi-sim"), 1).items}
    assert bill["chip_crossing"].joules == exactly(0.0)
    assert "chip_crossing" not in load_target("loihi-sim").energy


def test_a_target_without_prices_gets_no_total() -> None:
    made, counted = two_cores("loihi2-sim")
    bill = energy(counted, made, load_target("loihi2-sim"), 1)
    assert bill.total is None
    assert bill.at_least


def test_a_calibrated_chip_has_no_unknown_item() -> None:
    made, counted = two_cores("truenorth-sim")
    assert not energy(counted, made, load_target("truenorth-sim"), 1).at_least


def test_every_constant_used_is_kept_with_its_citation() -> None:
    made, counted = two_cores("loihi-sim")
    bill = energy(counted, made, load_target("loihi-sim"), 1)
    assert {"synaptic_event", "neuron_idle", "neuron_active", "static_power"} <= set(bill.constants)
    for quantity in bill.constants.values():
        assert all(key.strip() in bill.refs for key in quantity.src.split(","))


@pytest.mark.parametrize("name", target_names())
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_item_is_an_interval_and_totals_add_over_frames(name: str, data: st.DataObject) -> None:
    target = load_target(name)
    made = data.draw(programs(name))
    a, b = counts(made, 3, seed=1), counts(made, 2, seed=2)
    both = Counts(
        spikes=np.concatenate([a.spikes, b.spikes]), axon_events=np.concatenate([a.axon_events, b.axon_events]),
        synaptic_events=np.concatenate([a.synaptic_events, b.synaptic_events]), neuron_spikes=a.neuron_spikes + b.neuron_spikes,
    )  # fmt: skip
    parts = combine(energy(a, made, target, 3), energy(b, made, target, 2))
    whole = energy(both, made, target, 5)
    assert parts.frames == whole.frames
    for x, y in zip(parts.items, whole.items):
        assert (x.name, x.state, x.constants) == (y.name, y.state, y.constants)
        assert x.count.v == pytest.approx(y.count.v)
        assert (x.note == y.note) or NONE in (x.state, y.state)
        for (key, some), (other, more) in zip(x.shares, y.shares, strict=True):
            assert key == other
            assert [some.lo, some.v, some.hi] == pytest.approx([more.lo, more.v, more.hi])
        assert (x.joules is None) == (y.joules is None)
        if x.joules is not None and y.joules is not None:
            assert [x.joules.lo, x.joules.v, x.joules.hi] == pytest.approx(
                [y.joules.lo, y.joules.v, y.joules.hi]
            )


@settings(max_examples=40, deadline=None)
@given(made=programs(), key=st.sampled_from(sorted(load_target("tiny-test").energy)), by=st.floats(1, 10))
def test_a_wider_constant_gives_a_wider_total(made, key: str, by: float) -> None:
    target = load_target("tiny-test")
    old = target.energy[key]
    wider = dataclasses.replace(
        target, energy={**target.energy, key: dataclasses.replace(old, lo=old.lo / by, hi=old.hi * by)}
    )
    counted = counts(made, 2)
    narrow, wide = energy(counted, made, target, 2).total, energy(counted, made, wider, 2).total
    assert wide.lo <= narrow.lo
    assert narrow.hi <= wide.hi
    assert wide.v == pytest.approx(narrow.v)


@settings(max_examples=40, deadline=None)
@given(made=programs(), more=st.integers(1, 100))
def test_more_events_never_cost_less(made, more: int) -> None:
    target, counted = load_target("tiny-test"), counts(made, 2)
    busier = counted._replace(synaptic_events=counted.synaptic_events + more)
    a, b = energy(counted, made, target, 2).total, energy(busier, made, target, 2).total
    assert a.lo <= b.lo
    assert a.v <= b.v
    assert a.hi <= b.hi


@settings(max_examples=60, deadline=None)
@given(made=programs("tiny-list"))
def test_traffic_equals_a_walk_along_every_route(made) -> None:
    target, counted = load_target("tiny-list"), counts(made, 3)
    moved = traffic(counted, made, target)
    x = y = crossed = local = 0
    for a, neuron, b, _, _ in made.routes.tolist():
        spikes = int(counted.neuron_spikes[made.first[a] + neuron])
        p, q = made.cores[a], made.cores[b]
        dx = abs((p.chip * 8 + p.x) // 2 - (q.chip * 8 + q.x) // 2)
        dy = abs(p.y // 2 - q.y // 2)
        x, y, crossed = x + spikes * dx, y + spikes * dy, crossed + spikes * abs(p.chip - q.chip)
        local += spikes * (dx + dy == 0)
    assert (moved.hops_x, moved.hops_y, moved.crossings, moved.local) == (x, y, crossed, local)
    assert moved.sent.sum() == moved.received.sum() == moved.messages
    assert moved.core_hops.sum() == x + y


def test_hops_are_counted_between_tiles() -> None:
    top = load_target("loihi-sim").topology
    assert tile_shape(top) == (2, 2)
    assert hops(top, (0, 0, 0), (0, 1, 1)) == (0, 0, 0)
    assert hops(top, (0, 0, 0), (0, 15, 7)) == (7, 3, 0)
    assert hops(top, (0, 15, 0), (1, 0, 0)) == (1, 0, 1)


def counted_by_hand(axon_events: int, synaptic_events: int, active: int | None = None) -> Counts:
    return Counts(
        spikes=np.array([[0]]), axon_events=np.array([[axon_events]]), synaptic_events=np.array([[synaptic_events]]),
        neuron_spikes=np.zeros(4, np.int64), active_updates=None if active is None else np.array([[active]]),
    )  # fmt: skip


def test_neurons_with_input_are_bounded_from_both_sides() -> None:
    made = program((core(neurons=4, axons=8),))
    assert active_updates(counted_by_hand(3, 3), made) == Interval(lo=1, v=3, hi=3)
    assert active_updates(counted_by_hand(2, 5), made) == Interval(lo=3, v=4, hi=4)


def test_the_bounds_of_a_dense_core_meet() -> None:
    made = program((core(neurons=4, axons=8),))
    assert active_updates(counted_by_hand(5, 5 * 4), made) == exactly(4.0)


def test_counted_updates_are_taken_and_a_leak_may_add_to_them() -> None:
    quiet, leaky = (program((core(neurons=4, axons=8, leak=leak),)) for leak in (0, 1))
    assert active_updates(counted_by_hand(3, 3, 2), quiet) == exactly(2.0)
    assert active_updates(counted_by_hand(3, 3, 2), leaky) == Interval(lo=2, v=4, hi=4)


@settings(max_examples=60, deadline=None)
@given(made=program_any(), seed=st.integers(0, 99))
def test_the_slow_twin_counts_the_neurons_that_found_input(made, seed: int) -> None:
    """Against a walk over every tick, axon and neuron of one stream."""
    session = Reference().load(made)
    bits = np.random.default_rng(seed).integers(0, 2, (3, made.encoder.ticks, made.inputs), np.uint8)
    lines = layout.drive(made, bits)
    arriving = layout.arrivals(session.wiring, lines, session.ticks(lines).spikes)
    counted = session.frames(bits).counts
    for c, part in enumerate(made.cores):
        own = arriving[0, :, session.wiring.axon_first[c] : session.wiring.axon_first[c + 1]]
        hears = (own.astype(int) @ connected(part).T.astype(int)) > 0  # (ticks, neurons)
        for frame in range(3):
            ticks = [slice(start + frame * made.period, start + (frame + 1) * made.period) for start in part.start]
            wanted = sum(int(hears[window, n].sum()) for n, window in enumerate(ticks))
            assert counted.active_updates[frame, c] == wanted


@settings(max_examples=30, deadline=None)
@given(made=program_layered(), seed=st.integers(0, 99))
def test_the_bounds_hold_what_is_counted(made, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, (4, made.encoder.ticks, made.inputs), np.uint8)
    counted = Reference().load(made).frames(bits).counts
    bounds = active_updates(counted._replace(active_updates=None), made)
    assert bounds.lo <= counted.active_updates.sum() <= bounds.hi


def test_the_fastest_tick_is_set_by_the_busiest_core() -> None:
    made, counted = two_cores()
    times = timing(counted, made, load_target("tiny-test"), 1)
    # core 0: 6 events, 2 active updates, 2 spikes, 2 messages out, 3 axon events in; then the barrier
    assert times.fastest.v == pytest.approx(6 * 4e-9 + 2 * 8e-9 + 2 * 7e-9 + 2 * 5e-9 + 3 * 6e-9 + 1e-6)
    assert times.busiest == 0
    assert times.latency_s == pytest.approx(2e-3)


def test_a_kind_of_event_without_a_published_time_makes_the_fastest_tick_at_least() -> None:
    made, counted = two_cores("loihi-sim-davies2018")
    times = timing(counted, made, load_target("loihi-sim-davies2018"), 1)
    assert times.at_least
    assert times.note == "no published time for spike, message, message_in"


def test_a_measured_fastest_tick_is_taken_as_it_is() -> None:
    made, counted = two_cores("truenorth-sim")
    assert timing(counted, made, load_target("truenorth-sim"), 1).fastest.v == 47.6e-6


def test_no_frames_cost_nothing_but_are_no_error() -> None:
    made = program((core(),), layers=(ProgramLayer(name="a", role="whole", neurons=2),))
    empty = counts(made, 0)
    bill = energy(empty, made, load_target("tiny-test"), 0)
    assert bill.total is None or bill.total.v == 0
    assert bill.per_frame(bill.total) is None
    assert timing(empty, made, load_target("tiny-test"), 0).fastest is None
