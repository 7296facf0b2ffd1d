"""The sums of a stream while it runs: missed windows, decisions, labels, spikes and energy."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64
from spikebnn.energy import Energy, combine, energy
from spikebnn.errors import InputError
from spikebnn.interval import Interval, exactly, interval
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.stream.report import StreamReport
from spikebnn.stream.scenario import Scenario
from spikebnn.stream.window import Window
from spikebnn.target import Target

BAD, LATE = "bad row", "too late"
MOST_CLASSES = 1000  # beyond this no table of truth against decision is kept


class Totals:
    """Counters of fixed size."""

    def __init__(self, plan: Scenario, program: Program, target: Target, simulator: str) -> None:
        self.plan, self.program, self.target, self.simulator = plan, program, target, simulator
        nominal = target.timing.get("tick")
        self.tick = None if nominal is None else nominal.v
        self.classes = 0
        self.confusion: I64 | None = None
        self.by_class: I64 = np.zeros(0, np.int64)
        self.rows = self.windows = self.bad = self.late = self.held = self.decisions = 0
        self.spikes = self.events = 0
        self.bill: Energy | None = None
        self._free = 0.0  # seconds from which on the chip takes a frame

    def fate(self, window: Window) -> str:
        """Why a window is missed, or nothing; windows must be asked about in order."""
        if window.values is None:
            return BAD
        now = window.row / self.plan.source.rate
        if self.tick is not None:
            if now < self._free - 1e-9 * max(1.0, now):
                return LATE
            self._free = now + self.program.period * self.tick
        return ""

    def spend(self, counts: Counts, frames: int) -> None:
        """Add what some frames cost."""
        bill = energy(counts, self.program, self.target, frames)
        self.bill = bill if self.bill is None else combine(self.bill, bill)

    def miss(self, window: Window, fate: str) -> None:
        """Add a window that is missed."""
        self.rows, self.windows = window.row + 1, self.windows + 1
        self.bad += fate == BAD
        self.late += fate == LATE

    def book(self, window: Window, chosen: int, classes: int, spikes: int, events: int) -> bool | None:
        """Add a decision; True or False where the label says whether it is right."""
        self.rows, self.windows = window.row + 1, self.windows + 1
        self.spikes, self.events = self.spikes + spikes, self.events + events
        if not self.classes:
            self.classes = classes
            self.by_class = np.zeros(classes, np.int64)
            if self.plan.classes and len(self.plan.classes) != classes:
                raise InputError(f"[report] names {len(self.plan.classes)} classes, and the network tells {classes} apart.")
        self.decisions += 1
        self.held += window.held > 0
        self.by_class[chosen] += 1
        truth = None if window.label is None else self._index(window)
        if truth is None or self.classes > MOST_CLASSES:
            return None if truth is None else truth == chosen
        if self.confusion is None:
            self.confusion = np.zeros((classes, classes), np.int64)
        self.confusion[truth, chosen] += 1
        return truth == chosen

    def name(self, chosen: int) -> str:
        """The name of a class, or its number."""
        return self.plan.classes[chosen] if self.plan.classes else str(chosen)

    def _index(self, window: Window) -> int | None:
        label = str(window.label)
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
            raise InputError(f"Row {window.row} is labelled {label!r}, which is none of the classes ({names}).")
        return index

    def report(self, program: str, stopped: str) -> StreamReport:
        """Everything so far."""
        plan, bill = self.plan, self.bill
        many = max(1, self.decisions)
        spacing = plan.hop / plan.source.rate
        busy = None if bill is None else bill.per_frame(bill.total)
        throughout, idle = self._powered(busy, spacing)
        unknown = tuple(dict.fromkeys((*(() if bill is None else bill.lacks), *idle)))
        return StreamReport(
            scenario=plan.name, title=plan.title, program=program, target=self.target.name, simulator=self.simulator,
            rate=plan.source.rate, interval=spacing, tick=self.tick, period=self.program.period,
            latency=self.program.latency, rows=self.rows, windows=self.windows, decisions=self.decisions,
            missed_bad=self.bad, missed_late=self.late, held=self.held,
            classes=plan.classes or tuple(str(k) for k in range(self.classes)),
            by_class=tuple(int(n) for n in self.by_class), confusion=self.confusion,
            spikes=self.spikes / many, synaptic_events=self.events / many, energy=busy, interval_energy=throughout,
            power=None if throughout is None else throughout * (1 / spacing),
            at_least=bool(unknown), unknown=unknown, left_out=self.target.left_out, stopped=stopped,
        )

    def _powered(self, busy: Interval | None, spacing: float) -> tuple[Interval | None, tuple[str, ...]]:
        """Joules per decision interval of a chip that stays on, and which costs of idling are unknown.

        Between frames the chip ticks on: static power for the time, and per tick the memory scan, the barrier and the
        idle update of every neuron. The share of windows that are missed is idle too.
        """
        static = self.target.energy.get("static_power")
        if busy is None or static is None or self.tick is None or not self.decisions:
            return None, ()
        share = self.decisions / max(1, self.windows)
        idle = max(0.0, spacing - share * self.program.period * self.tick)
        chips = len({core.chip for core in self.program.cores})
        neurons = sum(core.neurons for core in self.program.cores)
        out = busy * share + interval(static) * (chips * idle)
        unknown = []
        for name, count in (("memory_scan", chips), ("barrier", chips), ("neuron_idle", neurons)):
            if name in self.target.energy:
                out += interval(self.target.energy[name]) * exactly(count * idle / self.tick)
            elif name not in self.target.included:
                unknown.append("neuron_update" if name == "neuron_idle" else name)  # the bill's word
        return out, tuple(unknown)
