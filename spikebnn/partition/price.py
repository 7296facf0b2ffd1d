"""The price of a way to split: cores, ticks, and the spikes, synaptic events and joules of a frame, before any run.

Events are expected ones: every input bit and every neuron of the network is taken to fire in half of the frames, and
a digit to say its mean. A run counts the true ones; what choices are compared by is known before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from spikebnn.arrays import F64, I32
from spikebnn.partition.types import Bank, Shard
from spikebnn.program import GRADED, SUBTRACT
from spikebnn.targets.target import Target
from spikebnn.threshold import NO_TAP

HALF = 0.5
CHUNK = 1 << 22  # synapses looked at at once


def price(
    banks: Sequence[Bank], shards: Sequence[Shard], routes: I32, signals: int, inputs: int, spread: int, period: int,
    target: Target,
) -> Mapping[str, object]:
    """What a frame costs: `spikes` and `events` are expected ones, `joules` and `energy_delay` None where unknown.

    joules = static power x time + per-tick costs of the chips in use + events x their prices, with the middle value of
    each of the target's constants; hops are not known before the cores have their places, and are left out.
    energy_delay = joules x seconds between frames; `ticks_cores` = ticks between frames x cores.
    """
    rate, events = expected(banks, signals, inputs, spread)
    parts = [part for shard in shards for part in shard.parts]
    columns = [banks[part.bank].first + part.neuron for part in parts]
    says = np.concatenate([np.zeros(0, np.int64), *columns])
    spikes, busy = float(rate[says].sum()), float(events[says].sum())
    topology = target.topology
    chips = -(-len(shards) // max(1, topology.width * topology.height - len(topology.dead_cores)))
    counts = {
        "synaptic_event": busy, "spike": spikes, "message": spikes * len(routes) / max(1, len(says)),
        "neuron_idle": float(len(says) * period), "memory_scan": float(chips * period), "barrier": float(chips * period),
    }
    joules, seconds = _joules(counts, chips, period, target)
    return MappingProxyType({
        "chips": chips, "spikes": round(spikes, 1), "events": round(busy, 1), "joules": joules,
        "energy_delay": None if joules is None or seconds is None else joules * seconds,
        "ticks_cores": period * len(shards),
    })


def _joules(counts: Mapping[str, float], chips: int, period: int, target: Target) -> tuple[float | None, float | None]:
    """Joules and seconds of a frame; joules are None unless the time it takes has a price."""
    tick = target.timing.get("tick")
    seconds = None if tick is None else period * tick.v
    energy = target.energy
    if seconds is None or ("static_power" not in energy and "static_power" not in target.included):
        return None, seconds
    static = energy["static_power"].v * chips * seconds if "static_power" in energy else 0.0
    return static + sum(energy[key].v * count for key, count in counts.items() if key in energy), seconds


def expected(banks: Sequence[Bank], signals: int, inputs: int, spread: int) -> tuple[F64, F64]:
    """Expected spikes of each signal in a frame, and expected synaptic events of each neuron; (signals,) each."""
    rate, events = np.zeros(signals + 1), np.zeros(signals)  # the last rate is that of NO_TAP
    rate[:inputs] = HALF * spread
    for bank in banks:
        s, mine = bank.synapses, slice(bank.first, bank.first + bank.neurons)
        mean, busy = np.zeros(bank.neurons), np.zeros(bank.neurons)
        step = max(1, CHUNK // max(1, s.taps.shape[1]))
        for some in (slice(k, k + step) for k in range(0, bank.neurons, step)):
            weight, told = s.weight[s.row[some]], rate[s.taps[s.patch[some]]]
            mean[some] = np.einsum("nt,nt->n", weight, told)
            busy[some] = np.einsum("nt,nt->n", weight != 0, told)
        for pulse in bank.pulses:
            mean += pulse.total * (pulse.name in ("bias", "hold")) * len(pulse.ticks)
            busy += pulse.count * len(pulse.ticks)
        events[mine] = busy
        if bank.reset == SUBTRACT:  # floor(sum / threshold) is the mean less half of what is cut off
            rate[mine] = np.maximum(mean - (bank.threshold - 1) / 2, 0) / np.maximum(bank.threshold, 1)
        elif bank.reset == GRADED:  # only a sum of 0 sends nothing
            rate[mine] = bank.high > 0
        else:
            rate[mine] = mean if bank.role == "relay" else HALF
    return rate[:-1], events


assert NO_TAP == -1, "the last entry of a table stands for no signal"
