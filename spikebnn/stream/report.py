"""`StreamReport`: what a stream came to: decisions, missed windows, latency, joules per decision and mean power."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from spikebnn.arrays import I64
from spikebnn.battery import sentence
from spikebnn.interval import Interval
from spikebnn.units import percent, si, span, ticks, whole

RANGES = ("energy", "interval_energy", "power", "gated_energy", "gated_power")  # intervals of a report


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a stream before it starts, in SI units."""

    scenario: str
    title: str
    program: str  # digest
    target: str
    simulator: str
    source: str  # where rows come from
    channels: tuple[str, ...]
    encoder: tuple[str, ...]  # names, one after another
    note: str  # what was assumed about the rows' times
    rate: float  # rows per second
    interval: float  # seconds from one window to the next
    tick: float | None  # seconds; None where the target gives none
    period: int  # ticks that a decision keeps the chip's input busy
    latency: int  # ticks
    state: str  # of the cores between windows: "keep" or "rest"
    vote: int  # windows whose decisions are put together
    average: int  # windows whose scores are put together
    faults: tuple[str, ...]  # such as "packet-loss 0.01"
    seed: int  # of the faults


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamReport(Facts):
    """The sum of a stream: the facts, and what came of it; all in SI units.

    Latency runs from the last row of a window to the tick in which its sums are complete; the host's encoding is
    left out. `energy` is the chip busy with one decision; `interval_energy` is one interval between decisions
    with the chip powered throughout, ticking idle in between; `power` is that over the interval.
    """

    rows: int
    windows: int
    decisions: int
    missed_bad: int  # windows with a bad row
    missed_late: int  # windows that came while the chip was busy with one before
    held: int  # decided windows in which a bad reading was held or interpolated
    classes: tuple[str, ...]
    by_class: tuple[int, ...]  # decisions for each class
    confusion: I64 | None  # (classes, classes); truth, decision; None where nothing is labelled
    spikes: float  # per decision
    synaptic_events: float  # per decision
    energy: Interval | None  # J per decision
    interval_energy: Interval | None  # J per interval
    power: Interval | None  # W
    gated_energy: Interval | None  # J per decision, power cut in between; waking up costs nothing; None where unknown
    gated_power: Interval | None  # W
    busy: float | None  # share of the time in which the chip takes in a frame
    battery: Mapping[str, Any] | None  # what spikebnn.battery.facts says at that power; None where no battery is named
    float32: Mapping[str, Any] | None  # a float32 net on the same windows: its accuracy and that of its int8 form
    int8: tuple[Mapping[str, Any], ...]  # an int8 net on microcontrollers, running: joules per decision, watts
    at_least: bool  # some cost is not published, so the upper ends are no bounds
    unknown: tuple[str, ...]  # names of those costs
    left_out: tuple[str, ...]
    stopped: str  # "end", "limit", "interrupted" or "broken"
    samples: Mapping[
        str, int
    ]  # rows read; of them bad, clipped, late; rows missing (gap); rows mended; rows lost
    seconds: float  # of signal
    wall: float  # seconds of the host, of this call alone; 0 where a finished stream was resumed
    cpu: float  # processor seconds of the host, of this call alone
    speed: float | None  # seconds of signal per second of the host's own work, no waiting: the real-time factor
    host: float | None  # seconds of the host per window, reading, encoding and simulation
    broken: str = ""  # why the source broke off

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

    @property
    def signal_latency(self) -> float | None:
        """Seconds from the last row of a window to its decision, with the delay of voting: half of the windows before it.

        A change in the signal shows in the decision after about so long. None where the target gives no tick.
        """
        later = max(self.vote, self.average) // 2 * self.interval
        return None if self.latency_s is None else self.latency_s + later

    def as_dict(self) -> Mapping[str, Any]:
        """Plain numbers and texts for JSON."""
        ranges = {name: _range(getattr(self, name)) for name in RANGES}
        names = [
            field.name for field in fields(self) if field.name not in ranges and field.name != "confusion"
        ]
        plain = {name: getattr(self, name) for name in names}
        confusion = None if self.confusion is None else self.confusion.tolist()
        return {**plain, "samples": dict(self.samples), "confusion": confusion, **ranges,
                "latency_s": self.latency_s, "signal_latency_s": self.signal_latency, "accuracy": self.accuracy,
                "balanced_accuracy": self.balanced_accuracy}  # fmt: skip

    def text(self) -> str:
        """The summary for people."""
        who = f"  program {self.program[:12]} on {self.target}, simulated by {self.simulator}"
        pace = f"{si(self.rate, 'Hz')} rows, a window every {si(self.interval, 's')}"
        decided = f"  {whole(self.decisions)} decisions of {whole(self.windows)} windows"
        missed = f"missed: {whole(self.missed_bad)} with bad rows, {whole(self.missed_late)} too late{self._ending()}"
        if not self.windows:
            missed = f"no window is whole: the rows end before, or break off too often{self._ending()}"
        chosen = ", ".join(f"{name}: {whole(count)}" for name, count in zip(self.classes, self.by_class))
        lines = [self.title, f"{who}; {pace}", f"{decided}; {missed}", f"  {chosen}"]
        if self.accuracy is not None:
            lines.append(
                f"  accuracy {percent(self.accuracy)}, mean over classes {percent(self.balanced_accuracy)}"
            )
        lines += [f"  {text}" for text in (self._samples(), self.note, self._extras()) if text]
        latency = "" if self.latency_s is None else f" = {si(self.latency_s, 's')}"
        busy = "" if self.busy is None else f"; it decides {percent(self.busy)} of the time"
        lines.append(
            f"  latency {ticks(self.latency)}{latency} after the last row; per decision {whole(round(self.spikes))} spikes "
            f"and {whole(round(self.synaptic_events))} synaptic events{busy}"
        )
        if self.energy is not None:
            lines.append(f"  energy per decision, while deciding: {span(self.energy, 'J', self.unknown)}")
        if self.interval_energy is not None:
            throughout = span(self.interval_energy, "J", self.unknown)
            lines.append(f"  energy per decision interval, powered throughout: {throughout}")
            lines.append(f"  mean power: {span(self.power, 'W', self.unknown)}")
        if self.gated_power is not None:
            lines.append(
                f"  with power cut between decisions, what waking costs left out: {span(self.gated_energy, 'J')} per "
                f"decision, {span(self.gated_power, 'W')}"
            )
        if self.battery is not None:
            lines.append(f"  battery: {sentence(self.battery)}")
        lines += self._beside()
        if self.left_out:
            lines.append(f"  left out: {'; '.join(self.left_out)}")
        if self.speed is not None and self.host is not None:
            lines.append(f"  {self._pace()}")
        return "\n".join(lines)

    def _beside(self) -> list[str]:
        """A float32 net and microcontrollers, for comparison."""
        lines = []
        if self.float32 is not None:
            told = self.float32
            lines.append(
                f"  beside it: a float32 net on the same {whole(told['windows'])} windows is right in "
                f"{percent(told['accuracy'])}, as int8 in {percent(told['int8_accuracy'])}, and decides as this one does in "
                f"{percent(told['same'])} ({told['net']})"
            )
        if self.int8:
            each = "; ".join(f"{span(Interval(**row['energy']), 'J')} on {row['title']}" for row in self.int8)
            least = min(self.int8, key=lambda row: row["power"]["v"])
            lines.append(
                f"  {self.int8[0]['net']}, {whole(self.int8[0]['macs'])} multiply-accumulates, per decision, running: "
                f"{each}; on average {si(least['power']['v'], 'W')} at best, and what it takes asleep"
            )
        return lines

    def _samples(self) -> str:
        """What was wrong with the rows."""
        words = {"bad": "with an unreadable reading", "clipped": "with a clipped reading", "gap": "missing",
                 "late": "late or out of order", "lost": "lost because the stream was too slow",
                 "mended": "mended"}  # fmt: skip
        parts = [
            f"{whole(self.samples[kind])} {text}" for kind, text in words.items() if self.samples.get(kind)
        ]
        return f"of {whole(self.samples.get('rows', 0))} rows: {', '.join(parts)}" if parts else ""

    def _extras(self) -> str:
        parts = [f"encoder {' and '.join(self.encoder)}"] if self.encoder else []
        parts += ["state kept between windows"] if self.state == "keep" else []
        parts += [f"scores averaged over {self.average} windows"] if self.average > 1 else []
        parts += [f"decisions voted on by {self.vote} windows"] if self.vote > 1 else []
        parts += [f"faults: {', '.join(self.faults)}, seed {self.seed}"] if self.faults else []
        return "; ".join(parts)

    def _pace(self) -> str:
        assert self.speed is not None
        assert self.host is not None
        factor = whole(round(self.speed)) if self.speed >= 10 else f"{self.speed:.2g}"
        return f"{si(self.seconds, 's')} of signal at {factor} times real time; the host took {si(self.host, 's')} a window"

    def _ending(self) -> str:
        held = f"; {whole(self.held)} with a mended row" if self.held else ""
        return (
            held
            + {
                "end": "",
                "limit": "; stopped at the limit",
                "interrupted": "; interrupted",
                "broken": "; the source broke off",
            }[self.stopped]
        )


def _range(value: Interval | None) -> Mapping[str, float] | None:
    return None if value is None else {"lo": value.lo, "v": value.v, "hi": value.hi}
