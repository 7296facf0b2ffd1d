"""A second opinion: what SANA-FE counted on the same trace beside what we counted, step by step, and its energy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.energy import KNOWN, PER_TICK, energy
from spikebnn.energy.traffic import traffic
from spikebnn.exchange.chip import unpriced
from spikebnn.exchange.limits import memoryless
from spikebnn.exchange.tables import Result, counts
from spikebnn.exchange.trace import Trace
from spikebnn.interval import Interval, total
from spikebnn.program import Program
from spikebnn.targets.target import Target
from spikebnn.units import si, span, whole

SCHEMA = "spikebnn.opinion/1"
NAMES = {
    "fired": "spikes", "packets": "packets", "hops": "hops", "spikes": "synaptic events", "updated": "neuron updates",
}  # fmt: skip
ELSEWHERE = ("chip_crossing", "tile_local")  # priced by us on some targets; SANA-FE has no place for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of event, over all time steps; `first` is the first step in which the two differ."""

    name: str
    ours: int
    theirs: int
    differing: int  # steps, or single values, that differ
    first: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What two simulators say about one trace."""

    program: str
    target: str
    sanafe: str  # version
    frames: int
    steps: int
    lines: tuple[Line, ...]
    joules: float | None  # of SANA-FE, over all steps; None where the target lacks a price
    ours: Interval | None  # the same events by our model
    notes: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether every count is the same in every step."""
        return not any(line.differing for line in self.lines)

    @property
    def inside(self) -> bool | None:
        """Whether SANA-FE's energy lies inside our interval; None where there is nothing to compare."""
        return (
            None if self.joules is None or self.ours is None else self.ours.lo <= self.joules <= self.ours.hi
        )

    def to_json(self) -> dict[str, Any]:
        """This opinion as plain data, schema spikebnn.opinion/1."""
        return {"schema": SCHEMA, "equal": self.equal, "inside": self.inside, **asdict(self)}

    def text(self) -> str:
        """This opinion for reading."""
        rows = [("", "spikebnn", "SANA-FE", "differing"), *(
            (line.name, whole(line.ours), whole(line.theirs), whole(line.differing)) for line in self.lines
        )]  # fmt: skip
        wide = [max(len(row[n]) for row in rows) for n in range(4)]
        out = [
            f"{self.target}, {whole(self.frames)} frames in {whole(self.steps)} time steps, SANA-FE {self.sanafe}",
            "",
            *("  ".join(cell.ljust(size) for cell, size in zip(row, wide)).rstrip() for row in rows),
            "",
            *(f"first difference in {line.name}: {line.first}" for line in self.lines if line.first),
            "every count is the same in every step" if self.equal else "NOT EQUAL",
        ]
        if self.inside is not None:
            verdict = "inside" if self.inside else "OUTSIDE"
            out.append(
                f"energy by SANA-FE {si(self.joules, 'J')}, {verdict} our interval {span(self.ours, 'J')}"
            )
        return "\n".join([*out, *self.notes])


def opinion(
    program: Program, target: Target, trace: Trace, result: Result, version: str, digest: str
) -> Opinion:
    """Compare a result of SANA-FE with our trace of the same program, frames and steps."""
    expected, steps = counts(trace), trace.steps
    without = {"fired": steps.inputs_fired, "packets": steps.inputs_packets, "updated": steps.inputs_fired}
    lines = [_values("spikes, one by one", trace.spikes, result.spikes)]
    for key, name in NAMES.items():
        if key == "updated" and not memoryless(program):
            continue
        less = without.get(key, np.zeros_like(expected[key]))
        lines.append(_line(name, expected[key] - less, result.counts[key] - less))
    if result.membranes is not None:
        lines.append(_values("membranes read out, one by one", trace.membranes, result.membranes))
    lacks = unpriced(target)
    notes = [
        windows(program, target, trace, result),
        f"inputs sent {whole(int(steps.inputs_packets.sum()))} packets more, which are left out on both sides",
        "static power, and what a tick costs whatever happens, are left out: SANA-FE does not model them",
    ]
    if lacks:
        notes.append(f"energies are not compared: {target.name} has no price for {', '.join(lacks)}")
    if "synaptic_event_indexed" in target.energy:
        notes.append("SANA-FE's file prices every synaptic event as a dense list's; our interval holds indexed lists too")
    if trace.mute:
        notes.append(
            f"{whole(trace.mute)} messages end where there is no synapse; SANA-FE does not send them, we do"
        )
    return Opinion(
        program=digest,
        target=target.name,
        sanafe=version,
        frames=trace.frames,
        steps=len(trace.spikes),
        lines=tuple(lines),
        joules=None if lacks else float(result.joules.sum()),
        ours=None if lacks else priced(program, target, trace),
        notes=tuple(notes),
    )


def windows(program: Program, target: Target, trace: Trace, result: Result) -> str:
    """What a score counts of SANA-FE's spikes: those inside the frames' windows, with their packets and hops."""
    start = np.concatenate([core.start for core in program.cores]).astype(np.int64)
    tick = np.arange(len(result.spikes))[:, None] - 1
    frame = (tick - start) // program.period
    own = np.where((frame >= 0) & (frame < trace.frames), result.spikes, 0).sum(axis=0, dtype=np.int64)
    moved = traffic(trace.counts._replace(neuron_spikes=own), program, target)
    return (
        f"of these, inside the frames' windows, as a score counts them: {whole(int(own.sum()))} spikes, "
        f"{whole(moved.messages)} packets, {whole(moved.hops_x + moved.hops_y)} hops"
    )


def priced(program: Program, target: Target, trace: Trace) -> Interval:
    """Our interval for the trace's events, without what SANA-FE has no place for."""
    bill = energy(trace.counts, program, target, len(trace.counts.spikes))
    skipped = (*PER_TICK, *ELSEWHERE)
    return total(
        item.joules for item in bill.items
        if item.joules is not None and item.state == KNOWN and item.name not in skipped
    )  # fmt: skip


def _line(name: str, ours: Array, theirs: Array) -> Line:
    apart = np.flatnonzero(ours != theirs)
    first = ""
    if len(apart):
        k = int(apart[0])
        first = f"step {k + 1}, {int(ours[k])} here and {int(theirs[k])} there"
    return Line(name=name, ours=int(ours.sum()), theirs=int(theirs.sum()), differing=len(apart), first=first)


def _values(name: str, ours: Array, theirs: Array) -> Line:
    apart = np.argwhere(ours != theirs)
    first = ""
    if len(apart):
        step, n = apart[0].tolist()
        first = f"step {step + 1}, value {n}, {ours[step, n]:g} here and {theirs[step, n]:g} there"
    return Line(name=name, ours=int(ours.sum()), theirs=int(theirs.sum()), differing=len(apart), first=first)
