"""When every bank acts: ticks, delays, the frame period, and relays where a delay is too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from spikebnn.arrays import I32, I64, Array
from spikebnn.partition.merge import ALONE, SHARED, merges_of, shared_inputs
from spikebnn.partition.types import INPUTS, Bank, Violation
from spikebnn.program import AUXILIARY, GRADED, MEMORYLESS, NO_FLOOR, SATURATE, ProgramLayer
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP, Synapses

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """Banks with their ticks, relays included."""

    banks: tuple[Bank, ...]
    layers: tuple[ProgramLayer, ...]
    signals: int
    period: int
    violations: tuple[Violation, ...]
    fused: Mapping[str, int]  # bank -> how many of its neurons are axons instead


def relay(of: Bank, source: I32, first: int, layer: int) -> Bank:
    """Neurons that repeat the signals `source` of a bank, one tick or more later."""
    n = len(source)
    return Bank(
        name=f"{of.name}.relays", role="relay", layer=layer, unit=np.full(n, AUXILIARY, np.int32),
        spot=of.spot[source - of.first],
        synapses=Synapses(
            weight=np.ones((1, 1), np.int16), taps=source.reshape(-1, 1).astype(np.int32), row=np.zeros(n, np.int32),
            patch=np.arange(n, dtype=np.int32),
        ),
        threshold=np.ones(n, np.int32), leak=np.zeros(n, np.int32), reset=GRADED if of.reset == GRADED else MEMORYLESS,
        floor=np.full(n, NO_FLOOR, np.int32), floor_mode=SATURATE, first=first, low=np.zeros(n, np.int64),
        high=of.high[source - of.first] if of.reset == GRADED else np.ones(n, np.int64), burst=of.burst,
    )


def retap(synapses: Synapses, old: I32, new: I32) -> Synapses:
    """The same synapses reading signals `new` where they read `old` (sorted)."""
    at = np.searchsorted(old, synapses.taps)
    hit = old[np.minimum(at, len(old) - 1)] == synapses.taps
    taps = np.where(hit, new[np.minimum(at, len(old) - 1)], synapses.taps).astype(np.int32)
    return Synapses(weight=synapses.weight, taps=taps, row=synapses.row, patch=synapses.patch)


def sources(bank: Bank, banks: Sequence[Bank], inputs: int) -> dict[int, I32]:
    """The signals that a bank reads, by the index of their bank."""
    taps = np.unique(bank.synapses.taps)
    taps = taps[taps != NO_TAP]
    out: dict[int, I32] = {}
    if (taps < inputs).any():
        out[INPUTS] = taps[taps < inputs]
    for index, other in enumerate(banks):
        mine = taps[(taps >= other.first) & (taps < other.first + other.neurons)]
        if len(mine):
            out[index] = mine
    return out


def _feedback(bank: Bank, banks: Sequence[Bank], inputs: int) -> set[int]:
    """The banks whose spikes must all come before the rest."""
    if not bank.feedback:
        return set()
    s = bank.synapses
    last = replace(bank, synapses=replace(s, taps=s.taps[:, -bank.feedback :]))
    return set(sources(last, banks, inputs))


def schedule(
    given: Sequence[Bank], layers: Sequence[ProgramLayer], inputs: int, spread: int, signals: int, splitters: frozenset[str],
    target: Target, told: Array | None = None, keeps: Mapping[str, str] = NOTHING,
) -> Schedule:
    """Give every bank its tick: as early as its latest source allows, sources that are early wait by their delay.

    Banks named in `splitters` get a relay per neuron, which all their readers read instead, so that copies are
    made of the relays; relays named there get relays of their own. Where a source is earlier than the longest delay,
    relays bridge the rest. A frame's inputs come in `spread` ticks. The period is the longest time that any neuron is
    busy with one frame.

    Where axons merge, neurons that are pools become axons (`spikebnn.partition.merge`). Where the host reads them (`told`,
    (signals,)), and in banks that `keeps` calls SHARED, they stay neurons, which hear such an axon; in those that it calls
    ALONE they hear their inputs one by one.
    """
    shortest, longest = target.neuron.delay_min, target.neuron.delay_max
    banks: list[Bank] = []
    names = list(layers)
    moved: list[tuple[I32, I32]] = []  # signals and the relays to read instead
    bridges: dict[tuple[int, int], int] = {}  # (bank, tick) -> relay bank that repeats it all then
    violations: list[Violation] = []
    period = spread
    fused: dict[str, int] = {}
    for bank in given:
        for old, new in moved:
            bank = replace(bank, synapses=retap(bank.synapses, old, new))
        if target.core.axon_merges and told is not None and keeps.get(bank.name) != ALONE:
            mine = told[bank.first : bank.first + bank.neurons]
            for own, merge in merges_of(bank, banks, inputs, signals):
                banks.append(merge)
                signals += merge.neurons
                stays = mine[own] | (keeps.get(bank.name) == SHARED)
                bank = shared_inputs(bank, own[stays], merge, stays)
                if not stays.all():
                    moved.append((bank.first + own[~stays], merge.first + np.flatnonzero(~stays).astype(np.int32)))
                fused[bank.name] = fused.get(bank.name, 0) + int((~stays).sum())
        reads = sources(bank, banks, inputs)
        inner = {k: v for k, v in reads.items() if k != INPUTS}
        early = _feedback(bank, banks, inputs)
        lasts = {k: banks[k].span - 1 if bank.gathers or k in early else 0 for k in inner}  # until all of it is there
        ends = [banks[k].tick + shortest + lasts[k] for k in inner]
        if INPUTS in reads and bank.gathers:
            ends.append(spread - 1)
        tick = max(ends, default=0)
        spans = [banks[k].span for k in inner if k not in early] + ([spread] if INPUTS in reads else [])
        delays: dict[int, int] = {}
        for k in inner:
            wait = tick - banks[k].tick - lasts[k]
            if wait > longest and (bank.gathers or k in early):
                wait = longest
            if wait > longest:
                hops = _hops(wait, shortest, longest)
                if hops is None:
                    violations.append(_no_delay(bank.name, banks[k].name, wait, target))
                    hops = [longest]
                near = k
                for hop in hops[:-1]:
                    near, signals = _bridge(k, near, hop, banks, names, bridges, signals)
                copy = banks[near]
                old = np.arange(banks[k].first, banks[k].first + banks[k].neurons, dtype=np.int32)
                new = np.arange(copy.first, copy.first + copy.neurons, dtype=np.int32)
                bank = replace(bank, synapses=retap(bank.synapses, old, new))
                k, wait = near, hops[-1]
            delays[k] = wait
        if INPUTS in reads:
            delays[INPUTS] = tick - (spread - 1) if bank.gathers else tick
        start = min((banks[k].tick + d if k != INPUTS else d for k, d in delays.items()), default=tick)
        span_in = max(spans, default=1)
        span = span_in if bank.role == "relay" else bank.burst + span_in - 1 if bank.counts else 1
        pulses = tuple(
            replace(p, ticks=tuple(span + t for t in p.ticks), after="tick") if p.after == "end" else p for p in bank.pulses
        )
        bank = replace(bank, tick=tick, start=start, span=span, delays=delays, pulses=pulses)
        last = max((t for pulse in bank.pulses for t in pulse.ticks), default=0)
        period = max(period, tick + max(span - 1, last) - start + 1)
        banks.append(bank)
        if bank.name in splitters and bank.role in ("whole", "aggregate"):
            own = np.arange(bank.first, bank.first + bank.neurons, dtype=np.int32)
            while banks[-1].name in splitters:  # relays of relays, each read only by the next
                above = banks[-1]
                names.append(ProgramLayer(name=f"{above.name}.relays", role="relay", neurons=bank.neurons))
                copy = relay(above, above.first + own - bank.first, signals, len(names) - 1)
                tick = above.tick + shortest
                banks.append(replace(copy, tick=tick, start=tick, delays={len(banks) - 1: shortest}))
                signals += bank.neurons
            moved.append((own, banks[-1].first + own - bank.first))
    return Schedule(
        banks=tuple(banks), layers=tuple(names), signals=signals, period=period, violations=tuple(violations),
        fused=MappingProxyType(fused),
    )


def _hops(wait: int, shortest: int, longest: int) -> list[int] | None:
    """Delays that add up to `wait`, as few as possible; None where none do."""
    count = -(-wait // longest)
    if count * shortest > wait:
        return None
    hops, left = [], wait
    for k in range(count, 0, -1):
        hops.append(min(longest, left - (k - 1) * shortest))
        left -= hops[-1]
    return hops


def _bridge(
    origin: int, near: int, hop: int, banks: list[Bank], names: list[ProgramLayer], bridges: dict[tuple[int, int], int],
    signals: int,
) -> tuple[int, int]:
    """A relay bank that repeats bank `near` after `hop` ticks, made once per origin and tick."""
    tick = banks[near].tick + hop
    if (origin, tick) not in bridges:
        whole = banks[near]
        own = np.arange(whole.first, whole.first + whole.neurons, dtype=np.int32)
        names.append(ProgramLayer(name=f"{banks[origin].name}.relays", role="relay", neurons=whole.neurons))
        made = relay(whole, own, signals, len(names) - 1)
        made = replace(made, name=f"{banks[origin].name}.relays", tick=tick, start=tick, span=whole.span, delays={near: hop})
        banks.append(made)
        signals += whole.neurons
        bridges[origin, tick] = len(banks) - 1
    return bridges[origin, tick], signals


def _no_delay(name: str, source: str, wait: int, target: Target) -> Violation:
    low, high = target.neuron.delay_min, target.neuron.delay_max
    remedy = "put a layer between them or use a target with other delays"
    return Violation(
        layer=name, what="delay", found=wait, limit=high, remedy=remedy,
        text=f'layer "{name}": reads "{source}" {wait} ticks later, which delays of {low} to {high} ticks of {target.name} '
        f"cannot add up to; {remedy}",
    )


def latest(banks: Sequence[Bank], heard: I64) -> int:
    """Ticks from a frame's presentation until the signals `heard` have said all."""
    return max((bank.tick + bank.span for bank in banks
                if ((heard >= bank.first) & (heard < bank.first + bank.neurons)).any()), default=1)
