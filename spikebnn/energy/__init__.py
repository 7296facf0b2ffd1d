"""What a run costs on its target: static plus marginal energy as an interval, every part with its constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from spikebnn.energy.traffic import Traffic, active_updates, traffic
from spikebnn.formats import indexed_events
from spikebnn.interval import Interval, exactly, interval, total
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.targets.target import Quantity, Target
from spikebnn.units import percent

KNOWN, NONE, INCLUDED, UNKNOWN = "known", "none", "included", "unknown"
PER_TICK = ("memory_scan", "barrier", "static_power")  # paid for time, whatever the network does


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the bill."""

    name: str
    count: Interval  # how many `of`
    of: str  # what is counted
    constants: tuple[str, ...]  # keys of Target.energy that price it
    joules: Interval | None  # over all frames; None where no price is known or another item holds it
    state: str  # "known", "none" (nothing to pay for), "included" (contained in another item), "unknown"
    note: str = ""
    shares: tuple[tuple[str, Interval], ...] = ()  # how many at which of two constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """The bill of `frames` frames, in joules.

    Intervals are corners: every total goes from all constants at their low ends to all at their high ends, and no
    total can lie outside, since each grows with each constant. They are no confidence intervals: sources seldom say
    how their errors are distributed, and nothing is assumed about it.

    `at_least` is true when an item is unknown: then the total holds the known items only, and its upper end is no
    upper bound. What lies outside the model is named in `left_out`, never estimated.
    """

    frames: int
    tick: float | None  # seconds
    items: tuple[Item, ...]
    constants: Mapping[str, Quantity]  # those that the items name, by key
    left_out: tuple[str, ...]
    refs: Mapping[str, str]  # citations of the constants' source keys

    @property
    def at_least(self) -> bool:
        return bool(self.lacks)

    @property
    def lacks(self) -> tuple[str, ...]:
        """Names of the items whose price nobody knows."""
        return tuple(item.name for item in self.items if item.state == UNKNOWN)

    @property
    def marginal_lacks(self) -> tuple[str, ...]:
        """Those of them that `marginal` would hold."""
        return tuple(name for name in self.lacks if name not in PER_TICK)

    @property
    def total(self) -> Interval | None:
        """All known items; None when not one of them has a price."""
        return self._sum(("",))

    @property
    def marginal(self) -> Interval | None:
        """What the network's own events cost: the total without the items paid for time."""
        return self._sum(PER_TICK)

    def per_frame(self, joules: Interval | None) -> Interval | None:
        return None if joules is None or not self.frames else joules * (1 / self.frames)

    def at_ticks(self, tick: Interval) -> Interval | None:
        """Joules per frame at a length of tick that is an interval itself, in seconds."""
        bills = [self.at_tick(end) for end in (tick.lo, tick.v, tick.hi)]
        low, middle, high = (bill.per_frame(bill.total) for bill in bills)
        if low is None or middle is None or high is None:
            return None
        return Interval(lo=low.lo, v=middle.v, hi=high.hi)

    def at_tick(self, tick: float) -> Energy:
        """The same events at another length of tick, in seconds: static power is paid for another time."""
        if self.tick is None:
            return self
        by = tick / self.tick
        items = tuple(
            replace(item, count=item.count * by, joules=None if item.joules is None else item.joules * by)
            if item.name == "static_power"
            else item
            for item in self.items
        )
        return replace(self, tick=tick, items=items)

    def _sum(self, without: tuple[str, ...]) -> Interval | None:
        parts = [item.joules for item in self.items if item.joules is not None and item.name not in without]
        priced = any(item.state == KNOWN for item in self.items if item.name not in without)
        return total(parts) if priced else None


def energy(
    counts: Counts, program: Program, target: Target, frames: int, tick_s: float | None = None
) -> Energy:
    """The energy of `frames` frames, item by item.

    Energy = static power x time + per-tick costs x ticks + sum over kinds of event of (events x energy per event), the
    form that TrueNorth's own power sweep follows (Akopyan 2015, Fig. 17) and in which Loihi's constants are published
    (Davies 2018, Table 2; SANA-FE arch/loihi.yaml). An average per synaptic event does not describe a chip.

    - synaptic_event: set synapses on active axons; those stored in indexed lists at synaptic_event_indexed, where the
      target has that price, see `spikebnn.formats`.
    - neuron_update: every neuron in every tick; it costs neuron_active in a tick with input and neuron_idle otherwise.
      How many had input is counted by our simulators, and an interval elsewhere: `traffic.active_updates`.
    - spike: spikes of all neurons. message: one per spike and route. tile_local: messages that make no hop.
    - hop_x, hop_y, chip_crossing: hops of those messages between the routers of the placed cores.
    - memory_scan, barrier: per chip in use and tick. static_power: per chip in use, over the active time
      frames x period x tick, frames back to back; the whole chip is charged, however few of its cores are used.

    Spikes that come from outside are counted as input messages in the traffic but have no price here: where they enter
    is not known, and the host's side is named in the target's `left_out`.
    `tick_s` replaces the target's nominal tick.
    """
    moved = traffic(counts, program, target)
    nominal = target.timing.get("tick")
    tick = tick_s if tick_s is not None else nominal.v if nominal is not None else None
    chips = len({core.chip for core in program.cores})
    ticks = frames * program.period
    items = [
        _synaptic(target, counts, program),
        _updates(target, counts, program, frames),
        _item(target, "spike", "spikes", int(counts.neuron_spikes.sum())),
        _item(target, "message", "messages", moved.messages),
        *_transport(target, moved),
        _item(target, "memory_scan", "chip ticks", chips * ticks),
        _item(target, "barrier", "chip ticks", chips * ticks),
        _static(target, program, chips, None if tick is None else ticks * tick),
    ]
    used = {key: target.energy[key] for item in items for key in item.constants if key in target.energy}
    return Energy(
        frames=frames,
        tick=tick,
        items=tuple(items),
        constants=used,
        left_out=target.left_out,
        refs=citations(target, used),
    )


def citations(target: Target, used: Mapping[str, Quantity]) -> dict[str, str]:
    """The references behind some constants, by key."""
    keys = {part.strip() for quantity in used.values() for part in quantity.src.split(",")}
    return {key: text for key, text in target.refs.items() if key in keys}


def _item(target: Target, name: str, of: str, count: int, note: str = "") -> Item:
    """A line of count x constant. Nothing counted costs nothing, known price or not."""
    amount = exactly(float(count))
    if count == 0:
        return Item(name=name, count=amount, of=of, constants=(), joules=exactly(0.0), state=NONE, note=note)
    if name in target.included:
        text = target.included[name]
        return Item(name=name, count=amount, of=of, constants=(), joules=None, state=INCLUDED, note=text)
    if name not in target.energy:
        text = "nobody has published what it costs"
        return Item(name=name, count=amount, of=of, constants=(name,), joules=None, state=UNKNOWN, note=text)
    joules = amount * interval(target.energy[name])
    return Item(name=name, count=amount, of=of, constants=(name,), joules=joules, state=KNOWN, note=note)


def _synaptic(target: Target, counts: Counts, program: Program) -> Item:
    """Synaptic events, dense and indexed lists apart where the target prices them apart."""
    dense, indexed = "synaptic_event", "synaptic_event_indexed"
    events = int(counts.synaptic_events.sum())
    plain = _item(target, dense, "events", events)
    if plain.state != KNOWN or indexed not in target.energy:
        return plain
    some = indexed_events(counts, program, target)
    return _two_prices(target, plain, (dense, indexed), some, f"{_part(some, events)} of them in indexed lists")


def _updates(target: Target, counts: Counts, program: Program, frames: int) -> Item:
    """Neuron updates: idle and active ones have two prices, and the same neurons are in both bounds."""
    updates = frames * program.period * sum(core.neurons for core in program.cores)
    keys = ("neuron_idle", "neuron_active")
    missing = next((key for key in keys if key not in target.energy), keys[0])
    plain = replace(_item(target, missing, "updates", updates), name="neuron_update")
    if plain.state != KNOWN:
        return plain
    active = active_updates(counts, program)
    counted = "bounded" if counts.active_updates is None else "counted"
    text = f"{_part(active, updates)} of them with input or a leak, {counted}"
    return _two_prices(target, plain, keys, active, text)


def _part(some: Interval, whole: float) -> str:
    low, high = (percent(end, whole) for end in (some.lo, some.hi))
    return low if low == high else f"{low} to {high}"


def _two_prices(target: Target, plain: Item, keys: tuple[str, str], second: Interval, note: str) -> Item:
    """An item of which `second` events cost the second price and all others the first."""
    count = plain.count.v
    first_cost, second_cost = (interval(target.energy[key]) for key in keys)
    low, high = (
        [one * (count - some) + two * some for some in (second.lo, second.hi)]
        for one, two in ((first_cost.lo, second_cost.lo), (first_cost.hi, second_cost.hi))
    )
    middle = first_cost.v * (count - second.v) + second_cost.v * second.v
    first = Interval(lo=count - second.hi, v=count - second.v, hi=count - second.lo)
    return replace(
        plain,
        constants=keys,
        joules=Interval(lo=min(low), v=middle, hi=max(high)),
        note=note,
        shares=((keys[0], first), (keys[1], second)),
    )


def _transport(target: Target, moved: Traffic) -> list[Item]:
    return [
        _item(target, "tile_local", "messages", moved.local),
        _item(target, "hop_x", "hops", moved.hops_x),
        _item(target, "hop_y", "hops", moved.hops_y),
        _item(target, "chip_crossing", "crossings", moved.crossings),
    ]


def _static(target: Target, program: Program, chips: int, seconds: float | None) -> Item:
    """Static power of the chips in use over the active time."""
    name, of = "static_power", "chip seconds"
    total_cores = chips * target.topology.width * target.topology.height
    note = f"whole chips are charged; {len(program.cores)} of {total_cores} cores in use"
    if name in target.included:
        count = exactly(chips * seconds if seconds is not None else 0.0)
        text = target.included[name]
        return Item(name=name, count=count, of=of, constants=(), joules=None, state=INCLUDED, note=text)
    if seconds is None or name not in target.energy:
        why = (
            "nobody has published it" if name not in target.energy else "the target gives no length of a tick"
        )
        count = exactly(chips * seconds if seconds is not None else 0.0)
        return Item(name=name, count=count, of=of, constants=(name,), joules=None, state=UNKNOWN, note=why)
    joules = interval(target.energy[name]) * (chips * seconds)
    return Item(
        name=name,
        count=exactly(chips * seconds),
        of=of,
        constants=(name,),
        joules=joules,
        state=KNOWN,
        note=note,
    )


def combine(a: Energy, b: Energy) -> Energy:
    """The bill of both sets of frames; both must come from one program, target and tick."""
    assert [item.name for item in a.items] == [item.name for item in b.items]
    assert a.tick == b.tick
    return Energy(
        frames=a.frames + b.frames,
        tick=a.tick,
        items=tuple(_join(x, y) for x, y in zip(a.items, b.items)),
        constants={**a.constants, **b.constants},
        left_out=a.left_out,
        refs={**a.refs, **b.refs},
    )


def _join(a: Item, b: Item) -> Item:
    shown = b if a.state == NONE else a
    joules = None if a.joules is None or b.joules is None else a.joules + b.joules
    other = a if shown is b else b
    shares = tuple(
        (key, some + more)
        for (key, some), (_, more) in zip(shown.shares, other.shares or _nothing(shown.shares))
    )
    count, note = a.count + b.count, shown.note
    if shares and count.v:  # the note's share is that of all frames now
        note = f"{_part(shares[1][1], count.v)} of them {note.partition(' of them ')[2]}"
    return replace(shown, count=count, joules=joules, note=note, shares=shares)


def _nothing(shares: tuple[tuple[str, Interval], ...]) -> tuple[tuple[str, Interval], ...]:
    return tuple((key, exactly(0.0)) for key, _ in shares)
