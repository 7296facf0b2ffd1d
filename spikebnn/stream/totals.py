"""The sums of a stream while it runs: missed windows, decisions, labels, spikes and energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from spikebnn.arrays import I64
from spikebnn.battery import battery
from spikebnn.battery import facts as battery_facts
from spikebnn.energy import Energy, Item, citations, combine, energy
from spikebnn.energy.duty import at_rate
from spikebnn.energy.timing import Timing
from spikebnn.errors import InputError
from spikebnn.interval import Interval, exactly, interval
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.stream.beside import Beside, load_beside, rivals
from spikebnn.stream.decide import BAD, LATE
from spikebnn.stream.plan import Scenario
from spikebnn.stream.report import Facts, StreamReport
from spikebnn.targets.target import Target

MOST_CLASSES = 1000  # beyond this no table of truth against decision is kept
COUNTS = ("rows", "windows", "bad", "late", "held", "decisions", "spikes", "events", "classes")
RIVAL = ("judged", "float_right", "int8_right", "float_same")  # labelled windows that a float32 net decided as well


class Totals:
    """Counters of fixed size."""

    def __init__(self, plan: Scenario, program: Program, target: Target, facts: Facts) -> None:
        self.plan, self.program, self.target, self.facts = plan, program, target, facts
        self.classes = 0
        self.confusion: I64 | None = None
        self.by_class: I64 = np.zeros(0, np.int64)
        self.rows = self.windows = self.bad = self.late = self.held = self.decisions = 0
        self.spikes = self.events = 0
        self.bill: Energy | None = None
        single = plan.vote == plan.average == 1  # what stands beside was decided window by window
        self.beside: Beside | None = load_beside(plan.beside) if plan.beside is not None and single else None
        self.judged = self.float_right = self.int8_right = self.float_same = 0

    def spend(self, counts: Counts, frames: int) -> None:
        """Add what some frames cost."""
        bill = energy(counts, self.program, self.target, frames)
        self.bill = bill if self.bill is None else combine(self.bill, bill)

    def miss(self, row: int, fate: str) -> None:
        """Add a window that is missed."""
        self.rows, self.windows = row + 1, self.windows + 1
        self.bad += fate == BAD
        self.late += fate == LATE

    def book(
        self, row: int, label: str | None, held: bool, chosen: int, classes: int, spikes: int, events: int
    ) -> bool | None:
        """Add a decision; True or False where the label says whether it is right."""
        self.rows, self.windows = row + 1, self.windows + 1
        self.spikes, self.events = self.spikes + spikes, self.events + events
        if not self.classes:
            self.classes = classes
            self.by_class = np.zeros(classes, np.int64)
            if self.plan.classes and len(self.plan.classes) != classes:
                raise InputError(
                    f"{len(self.plan.classes)} classes are named, and the network tells {classes} apart"
                )
        self.decisions += 1
        self.held += held
        self.by_class[chosen] += 1
        truth = None if label is None else self.index(row, label)
        if self.beside is not None and truth is not None:
            floated, rounded = self.beside.at(self.windows - 1, truth)
            self.judged += 1
            self.float_right += floated == truth
            self.int8_right += rounded == truth
            self.float_same += floated == chosen
        if truth is None or self.classes > MOST_CLASSES:
            return None if truth is None else truth == chosen
        if self.confusion is None:
            self.confusion = np.zeros((classes, classes), np.int64)
        self.confusion[truth, chosen] += 1
        return truth == chosen

    def name(self, chosen: int) -> str:
        """The name of a class, or its number."""
        return self.plan.classes[chosen] if self.plan.classes else str(chosen)

    def state(self) -> dict[str, Any]:
        """Everything that must be known to go on."""
        bill = (
            None
            if self.bill is None
            else {"frames": self.bill.frames, "items": [asdict(item) for item in self.bill.items]}
        )
        confusion = None if self.confusion is None else self.confusion.copy()
        counts = {name: getattr(self, name) for name in (*COUNTS, *RIVAL)}
        return {**counts, "by_class": self.by_class.copy(), "confusion": confusion, "bill": bill}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for name in (*COUNTS, "by_class", "confusion"):
            setattr(self, name, state[name])
        for name in RIVAL:
            setattr(self, name, state.get(name, 0))
        bill = state["bill"]
        if bill is not None:
            items = tuple(_item(part) for part in bill["items"])
            used = {
                key: self.target.energy[key]
                for item in items
                for key in item.constants
                if key in self.target.energy
            }
            self.bill = Energy(frames=bill["frames"], tick=self.facts.tick, items=items, constants=used,
                               left_out=self.target.left_out, refs=citations(self.target, used))  # fmt: skip

    def index(self, row: int, label: str) -> int | None:
        """The class that a label names, None where it is empty; InputError where there is no such class."""
        if label in self.plan.classes:
            return self.plan.classes.index(label)
        try:
            index = int(float(label))
        except ValueError:
            index = -1
        if not label:
            return None
        if not 0 <= index < self.classes or float(label) != index:
            names = ", ".join(self.plan.classes) or f"0 to {self.classes - 1}"
            raise InputError(
                f"row {row} is labelled {label!r}, which is none of the classes ({names}); name the classes in order"
            )
        return index

    def report(self, stopped: str, pace: Mapping[str, Any]) -> StreamReport:
        """Everything so far; `pace` holds what was measured of the host and the source."""
        facts, bill = self.facts, self.bill
        many = max(1, self.decisions)
        busy = None if bill is None else bill.per_frame(bill.total)
        throughout, idle = self._powered(busy, facts.interval)
        unknown = tuple(dict.fromkeys((*(() if bill is None else bill.lacks), *idle)))
        power = None if throughout is None else throughout * (1 / facts.interval)
        cell = battery(self.plan.battery) if self.plan.battery else None
        share = self.decisions / max(1, self.windows)
        gated = self._gated()
        gated_power = None if gated is None else gated * (1 / facts.interval)
        return StreamReport(
            **asdict(facts), rows=self.rows, windows=self.windows, decisions=self.decisions,
            missed_bad=self.bad, missed_late=self.late, held=self.held,
            classes=self.plan.classes or tuple(str(k) for k in range(self.classes)),
            by_class=tuple(int(n) for n in self.by_class), confusion=self.confusion,
            spikes=self.spikes / many, synaptic_events=self.events / many, energy=busy, interval_energy=throughout,
            power=power, busy=None if facts.tick is None else min(1.0, share * facts.period * facts.tick / facts.interval),
            battery=None if cell is None or power is None else battery_facts(cell, power, unknown, gated_power),
            gated_energy=gated, gated_power=gated_power,
            float32=self._float32(), int8=rivals(self.program, self.beside, facts.interval),
            at_least=bool(unknown), unknown=unknown, left_out=self.target.left_out, stopped=stopped, **pace,
        )  # fmt: skip

    def _gated(self) -> Interval | None:
        """Joules per decision where power is cut in between; None where the target names no fastest tick for any activity."""
        fastest, tick, period = self.target.timing.get("tick_min"), self.facts.tick, self.program.period
        if self.bill is None or fastest is None or tick is None or period * tick > self.facts.interval:
            return None
        times = Timing(period=period, latency=self.program.latency, tick=tick, fastest=interval(fastest), at_least=False,
                       busiest=None, note="")  # fmt: skip
        return at_rate(self.bill, times, 1 / self.facts.interval).gated

    def _float32(self) -> Mapping[str, Any] | None:
        """What the float32 net and its int8 form did on the labelled windows that were decided."""
        if self.beside is None or not self.judged:
            return None
        return {
            "net": self.beside.about, "windows": self.judged, "accuracy": self.float_right / self.judged,
            "int8_accuracy": self.int8_right / self.judged, "same": self.float_same / self.judged,
            "macs": self.beside.macs, "parameters": self.beside.parameters,
        }  # fmt: skip

    def _powered(self, busy: Interval | None, spacing: float) -> tuple[Interval | None, tuple[str, ...]]:
        """Joules per decision interval of a chip that stays on, and which costs of idling are unknown.

        Between frames the chip ticks on: static power for the time, and per tick the memory scan, the barrier and the
        idle update of every neuron. The share of windows that are missed is idle too.
        """
        static = self.target.energy.get("static_power")
        if busy is None or static is None or self.facts.tick is None or not self.decisions:
            return None, ()
        share = self.decisions / max(1, self.windows)
        idle = max(0.0, spacing - share * self.program.period * self.facts.tick)
        chips = len({core.chip for core in self.program.cores})
        neurons = sum(core.neurons for core in self.program.cores)
        out = busy * share + interval(static) * (chips * idle)
        unknown = []
        for name, count in (("memory_scan", chips), ("barrier", chips), ("neuron_idle", neurons)):
            if name in self.target.energy:
                out += interval(self.target.energy[name]) * exactly(count * idle / self.facts.tick)
            elif name not in self.target.included:
                unknown.append("neuron_update" if name == "neuron_idle" else name)  # the bill's word
        return out, tuple(unknown)


def _item(part: Mapping[str, Any]) -> Item:
    """A line of the bill, from its plain form."""
    return Item(**{name: _value(value) for name, value in part.items()})


def _value(value: Any) -> Any:
    """Intervals and tuples made again."""
    if isinstance(value, Mapping) and set(value) == {"lo", "v", "hi"}:
        return Interval(**value)
    return tuple(_value(part) for part in value) if isinstance(value, list) else value
