"""What a frame costs when frames come at a rate of their own: a chip that stays on also pays for the time in between."""

from __future__ import annotations

from dataclasses import dataclass, replace

from spikebnn.energy import KNOWN, PER_TICK, UNKNOWN, Energy, Item
from spikebnn.energy.timing import Timing
from spikebnn.errors import InputError
from spikebnn.interval import Interval, exactly, interval
from spikebnn.units import pace, si

IDLE_SPIKES = "spikes that neurons make without input in the ticks between frames"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """The cost of frames that come `rate` times a second. Joules per frame, watts on average."""

    rate: float
    tick: float  # seconds; shorter than the score's own where the frames come faster than that allows
    ticks: float  # per frame, idle ones included
    busy: float  # share of the time in which a frame is presented
    on: Energy  # the chip is powered and ticks on between frames
    gated: Interval | None  # per frame: power cut in between; what waking up costs is unknown

    @property
    def per_frame(self) -> Interval | None:
        return self.on.per_frame(self.on.total)

    @property
    def power(self) -> Interval | None:
        """Average power, in watts."""
        joules = self.per_frame
        return None if joules is None else joules * self.rate


def at_rate(energy: Energy, timing: Timing, rate: float) -> Duty:
    """The bill of the same frames when they come `rate` times a second, in frames/s.

    Between frames the chip ticks on, as chips do in real-time mode and as streams are priced: static power for the
    whole time, and in every tick the memory scan, the barrier, and the idle update of every neuron. Spikes that
    neurons make without input in those ticks were not simulated; they are named in `left_out`.
    `gated` is the other extreme: a frame runs alone, from its presentation to its answer, at the fastest tick, and power
    is cut until the next one.
    Raises InputError for a rate that the fastest tick does not allow.
    """
    if not rate > 0 or rate == float("inf"):
        raise InputError(f"a rate of {rate:g} frames/s was asked for; it must be more than 0 and finite")
    if energy.tick is None:
        raise InputError(
            "the target gives no length of a tick, so no frame rate has a price; give one with --tick"
        )
    tick = min(energy.tick, 1 / (rate * timing.period))
    fastest = timing.fastest
    if fastest is not None and tick < fastest.lo * (1 - 1e-9):
        most = 1 / (timing.period * fastest.lo)
        raise InputError(
            f"{rate:g} frames/s are out of reach: {pace(timing.period)} of {si(fastest.lo, 's')} at best makes "
            f"{most:.4g} frames/s; ask for a lower --rate"
        )
    ticks = max(float(timing.period), 1 / (rate * tick))
    idle = ticks - timing.period
    if idle < 1e-9 * ticks:
        ticks, idle = float(timing.period), 0.0
    left_out = (*energy.left_out, IDLE_SPIKES) if idle else energy.left_out
    on = replace(_with_ticks(energy, timing.period, ticks, 1 / rate), tick=tick, left_out=left_out)
    cut = None
    if fastest is not None and not energy.lacks:
        alone = max(timing.period, timing.latency)
        bills = [
            _with_ticks(energy, timing.period, alone, alone * min(end, tick))
            for end in (fastest.lo, fastest.v, fastest.hi)
        ]
        low, middle, high = (bill.per_frame(bill.total) for bill in bills)
        if low is not None and middle is not None and high is not None:
            cut = Interval(lo=low.lo, v=middle.v, hi=high.hi)
    return Duty(rate=rate, tick=tick, ticks=ticks, busy=timing.period / ticks, on=on, gated=cut)


def _with_ticks(energy: Energy, period: int, ticks: float, seconds: float) -> Energy:
    """The bill when every frame takes `ticks` ticks, those beyond the period without input, and `seconds` of power."""
    assert energy.tick is not None
    static = seconds / (period * energy.tick)
    items = []
    for item in energy.items:
        if item.name == "neuron_update":
            items.append(_idling(item, energy, ticks / period))
        elif item.name in PER_TICK:
            by = static if item.name == "static_power" else ticks / period
            joules = None if item.joules is None else item.joules * by
            items.append(replace(item, count=item.count * by, joules=joules))
        else:
            items.append(item)
    return replace(energy, items=tuple(items))


def _idling(item: Item, energy: Energy, by: float) -> Item:
    """Neuron updates, those of idle ticks at the price of an update without input."""
    more = exactly(item.count.v * (by - 1))
    if item.state == UNKNOWN or item.joules is None or not item.shares:
        joules = None if item.joules is None else item.joules * by
        return replace(item, count=item.count * by, joules=joules)
    assert item.state == KNOWN
    (idle, some), active = item.shares
    joules = item.joules + more * interval(energy.constants[idle])
    return replace(item, count=item.count + more, joules=joules, shares=((idle, some + more), active))
