"""How long a frame takes: ticks of the program times the tick, and the fastest tick the busiest core allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.energy.traffic import traffic
from spikebnn.interval import Interval, interval, total
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.targets.target import Target

NEEDED = ("synaptic_event", "neuron_idle", "neuron_active", "spike", "message", "message_in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Ticks are exact, they belong to the program. Seconds hold for `tick`, where one is known."""

    period: int  # ticks between frames
    latency: int  # ticks from a frame to its answer
    tick: float | None  # seconds; the one asked for, or the target's nominal one
    fastest: Interval | None  # seconds; the shortest tick for this run's activity
    at_least: bool  # `fastest` lacks the time of some kind of event
    busiest: int | None  # the core that sets `fastest`
    note: str

    @property
    def lacks(self) -> tuple[str, ...]:
        """What `fastest` lacks, in words; `note` names the kinds of event."""
        return ("times of events",) if self.at_least and self.fastest is not None else ()

    @property
    def latency_s(self) -> float | None:
        return None if self.tick is None else self.latency * self.tick

    @property
    def latency_fastest(self) -> Interval | None:
        """Seconds from a frame to its answer at the fastest tick."""
        return None if self.fastest is None else self.fastest * float(self.latency)

    @property
    def frames_per_s_fastest(self) -> Interval | None:
        """Frames per second at the fastest tick; its low end belongs to the slowest of the fastest ticks."""
        if self.fastest is None or not self.fastest.lo:
            return None
        lo, v, hi = (1 / (self.period * end) for end in (self.fastest.hi, self.fastest.v, self.fastest.lo))
        return Interval(lo=lo, v=v, hi=hi)

    @property
    def frames_per_s(self) -> float | None:
        return None if self.tick is None else 1 / (self.period * self.tick)


def timing(
    counts: Counts, program: Program, target: Target, frames: int, tick_s: float | None = None
) -> Timing:
    """The times of a run on its target.

    The fastest tick is `tick_min` where the chip's was measured. Otherwise it follows the rule of SANA-FE's and of
    Loihi 2's published models (the busiest core sets the pace): the largest over cores and frames of (synaptic events
    x time + neuron updates x time + spikes x time + messages out and in x time) / period, plus the barrier. It
    averages over the ticks of a frame and leaves out congestion between cores. Kinds of event without a published
    time make it "at least".
    """
    nominal = target.timing.get("tick")
    tick = tick_s if tick_s is not None else nominal.v if nominal is not None else None
    fastest, at_least, busiest, note = _fastest(counts, program, target, frames)
    return Timing(period=program.period, latency=program.latency, tick=tick, fastest=fastest, at_least=at_least,
                  busiest=busiest, note=note)  # fmt: skip


def _fastest(
    counts: Counts, program: Program, target: Target, frames: int
) -> tuple[Interval | None, bool, int | None, str]:
    known = target.timing
    if "tick_min" in known:
        return interval(known["tick_min"]), False, None, known["tick_min"].cond
    if "synaptic_event" not in known or not frames or not program.cores:
        return None, True, None, "the target gives no times of events"
    moved = traffic(counts, program, target)
    mean = 1 / frames
    period = program.period
    loads = []
    for c, core in enumerate(program.cores):
        busy = int(np.argmax(counts.synaptic_events[:, c]))
        events, spikes = int(counts.synaptic_events[busy, c]), int(counts.spikes[busy, c])
        active = min(core.neurons * period, events + int((core.leak != 0).sum()) * period)
        loads.append({
            "synaptic_event": events, "neuron_active": active, "neuron_idle": core.neurons * period - active,
            "spike": spikes, "message": moved.sent[c] * mean, "message_in": int(counts.axon_events[busy, c]),
        })  # fmt: skip
    missing = [key for key in NEEDED if key not in known and any(load[key] for load in loads)]
    times = [
        total(interval(known[key]) * float(load[key] / period) for key in NEEDED if key in known)
        for load in loads
    ]
    busiest = max(range(len(times)), key=lambda c: times[c].v)
    tick = Interval(lo=max(t.lo for t in times), v=times[busiest].v, hi=max(t.hi for t in times))
    if "barrier" in known:
        tick += interval(known["barrier"])
    else:
        missing.append("barrier")
    note = (
        f"no published time for {', '.join(missing)}"
        if missing
        else "busiest core, its busiest frame, plus the barrier"
    )
    return tick, bool(missing), busiest, note
