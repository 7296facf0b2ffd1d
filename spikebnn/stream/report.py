"""`StreamReport`: what a stream came to: decisions, missed windows, latency, joules per decision and mean power."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikebnn.arrays import I64
from spikebnn.interval import Interval
from spikebnn.units import percent, si, span, ticks, whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamReport:
    """The sum of a stream, all in SI units.

    Latency runs from the last row of a window to the tick in which its sums are complete; the host's encoding is
    left out. `energy` is the chip busy with one decision; `interval_energy` is one interval between decisions
    with the chip powered throughout, ticking idle in between; `power` is that over the interval.
    """

    scenario: str
    title: str
    program: str  # digest
    target: str
    simulator: str
    rate: float  # rows per second
    interval: float  # seconds from one window to the next
    tick: float | None  # seconds; None where the target gives none
    period: int  # ticks that a decision keeps the chip's input busy
    latency: int  # ticks
    rows: int
    windows: int
    decisions: int
    missed_bad: int  # windows with a bad row
    missed_late: int  # windows that came while the chip was busy with one before
    held: int  # decided windows in which a bad row was replaced by the last good one
    classes: tuple[str, ...]
    by_class: tuple[int, ...]  # decisions for each class
    confusion: I64 | None  # (classes, classes); truth, decision; None where nothing is labelled
    spikes: float  # per decision
    synaptic_events: float  # per decision
    energy: Interval | None  # J per decision
    interval_energy: Interval | None  # J per interval
    power: Interval | None  # W
    at_least: bool  # some cost is not published, so the upper ends are no bounds
    unknown: tuple[str, ...]  # names of those costs
    left_out: tuple[str, ...]
    stopped: str  # "end", "limit" or "interrupted"

    @property
    def latency_s(self) -> float | None:
        """Seconds from the last row of a window to its decision."""
        return None if self.tick is None else self.latency * self.tick

    @property
    def accuracy(self) -> float | None:
        """Share of labelled decisions that are right."""
        if self.confusion is None:
            return None
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean over the classes that occur of the share that is found."""
        if self.confusion is None:
            return None
        there = self.confusion.sum(axis=1)
        found = self.confusion.diagonal()[there > 0] / there[there > 0]
        return float(found.mean())

    def as_dict(self) -> Mapping[str, Any]:
        """Plain numbers and texts for JSON."""
        ranges = {name: _range(getattr(self, name)) for name in ("energy", "interval_energy", "power")}
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in ranges and name != "confusion"}
        return {**plain, "confusion": None if self.confusion is None else self.confusion.tolist(), **ranges,
                "latency_s": self.latency_s, "accuracy": self.accuracy, "balanced_accuracy": self.balanced_accuracy}

    def text(self) -> str:
        """The summary for people."""
        who = f"  program {self.program[:12]} on {self.target}, simulated by {self.simulator}"
        pace = f"{si(self.rate, 'Hz')} rows, a window every {si(self.interval, 's')}"
        decided = f"  {whole(self.decisions)} decisions of {whole(self.windows)} windows"
        missed = f"missed: {whole(self.missed_bad)} with bad rows, {whole(self.missed_late)} too late{self._ending()}"
        chosen = ", ".join(f"{name}: {whole(count)}" for name, count in zip(self.classes, self.by_class))
        lines = [self.title, f"{who}; {pace}", f"{decided}; {missed}", f"  {chosen}"]
        if self.accuracy is not None:
            lines.append(f"  accuracy {percent(self.accuracy)}, mean over classes {percent(self.balanced_accuracy)}")
        latency = "" if self.latency_s is None else f" = {si(self.latency_s, 's')}"
        lines.append(
            f"  latency {ticks(self.latency)}{latency} after the last row; per decision {whole(round(self.spikes))} spikes "
            f"and {whole(round(self.synaptic_events))} synaptic events"
        )
        if self.energy is not None:
            lines.append(f"  energy per decision, while deciding: {span(self.energy, 'J', self.unknown)}")
        if self.interval_energy is not None:
            throughout = span(self.interval_energy, "J", self.unknown)
            lines.append(f"  energy per decision interval, powered throughout: {throughout}")
            lines.append(f"  mean power: {span(self.power, 'W', self.unknown)}")
        if self.left_out:
            lines.append(f"  left out: {'; '.join(self.left_out)}")
        return "\n".join(lines)

    def _ending(self) -> str:
        held = f"; {whole(self.held)} with a repeated row" if self.held else ""
        return held + {"end": "", "limit": "; stopped at the limit", "interrupted": "; interrupted"}[self.stopped]


def _range(value: Interval | None) -> Mapping[str, float] | None:
    return None if value is None else {"lo": value.lo, "v": value.v, "hi": value.hi}
