"""One Brian2 network for many streams of a program: ordinary neurons per stream, and synapses that they share.

Streams travel through the synapses together. A word holds one bit of each of a few streams, in the digits of a
number whose base is larger than any range of sums that a neuron of this program can reach; so one synapse adds for
all of them at once, exactly, in 64 bits. Each stream's neurons cut their own digit out of the sum. In a tick:

    start   lines      spike, and arrive on axons          groups  1  words into sums: the program's synapses
    groups  0          axons into words                            2  sums into neurons, steps 1 and 2 of the tick
                                                                   3  axons, words and sums are empty again
    thresholds, resets neurons: steps 3 and 4              synapses   spikes on axons, for the next tick or later

Many small programs are as cheap as one: more words are more groups of streams in the same run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import brian2 as b2
import numpy as np
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject

from spikebnn.arrays import I64, U8, Array
from spikebnn.brian2.links import Links
from spikebnn.brian2.model import SPELLED, SPELLS, THRESHOLD, model
from spikebnn.program import Program

TICK = 1 * b2.ms
WORD = 2**62  # digits of a word are no more than this together; partial sums stay within int64
SCHEDULE = ["start", "groups", "thresholds", "synapses", "resets", "end"]
WIDE = dict.fromkeys(("v", "word", "total", "place", "lift", "least", "base", "w"), np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """How many streams share a word, and the base of its digits."""

    count: int
    base: int


def lanes(of: Links) -> Lanes:
    """As many lanes as a word holds, each wide enough for the widest neuron of the program."""
    low, high = of.reach
    base = max(2, int((high - low).max(initial=0)) + 1)
    count = 1
    while base ** (count + 1) <= WORD:
        count += 1
    return Lanes(count=count, base=base)


class Batch:
    """A Brian2 network at rest, for `streams` streams and the watched neurons; names are the same in every one."""

    def __init__(self, program: Program, of: Links, cut: Lanes, words: int, watch: I64) -> None:
        self.streams, self.neurons, self.watched = words * cut.count, of.neurons, len(watch)
        self._side = np.arange(self.streams)
        self._own: dict[str, Any] = {
            "clock": b2.Clock(dt=TICK, name="spikebnn_clock"),
            "codeobj_class": _target(),
        }
        places = np.array([cut.base**k for k in range(cut.count)], np.int64)
        word = self._side // cut.count
        place = places[self._side % cut.count]

        self.lines = b2.SpikeGeneratorGroup(
            max(1, of.lines) * self.streams, [], [] * b2.ms, when="start", name="spikebnn_lines", **self._own
        )
        self.axons = self._group(
            "axons", max(1, of.axons) * self.streams, "heard : integer\nplace : integer (constant)"
        )
        _set(self.axons, place=np.tile(place, max(1, of.axons)))
        packed = self._group("words", max(1, of.axons) * words, "word : integer")
        sums = self._group("sums", of.neurons * words, "total : integer")
        law = model(program, "((total + lift)//place % base - least)")
        neurons = self._group(
            "neurons",
            of.neurons * self.streams,
            law.equations
            + "\ntotal : integer (linked)\nlift : integer (constant)\nplace : integer (constant)"
            + "\nleast : integer (constant)\nbase : integer (shared, constant)",
            threshold=THRESHOLD,
            reset=law.reset,
        )
        neurons.total = b2.linked_var(sums, "total", index=_each(np.arange(of.neurons), words, word))
        least = -of.reach[0]  # added to every digit on the way, so that none is negative
        each = {**law.values, "least": least, "lift": least * places.sum()}
        _set(neurons, **{name: np.repeat(value, self.streams) for name, value in each.items()})
        _set(neurons, place=np.tile(place, of.neurons), base=np.array(cut.base))
        neurons.run_regularly(law.integrate, when="groups", order=2, name="spikebnn_integrate")
        for group, name in ((self.axons, "heard"), (packed, "word"), (sums, "total")):
            group.run_regularly(f"{name} = 0", when="groups", order=3, name=f"spikebnn_empty_{name}")

        parts = [self.lines, self.axons, packed, sums, neurons]
        if len(of.feeds):
            feeds = self._arrive("feeds", self.lines, of.feeds)
            feeds.pre.when, feeds.pre.order = "start", 1
            parts.append(feeds)
        if len(of.plain):
            parts.append(self._arrive("routes", neurons, of.plain - np.array([0, 0, 1])))
        digits, rows = of.spelled
        if len(digits):
            spelling = self._group(
                "spelling", len(digits) * self.streams, SPELLED, threshold=SPELLS, reset="", order=1
            )
            sender = _each(digits[:, 0], self.streams, self._side)
            spelling.v_sender = b2.linked_var(neurons, "v", index=sender)
            theta = np.repeat(law.values["theta"][digits[:, 0]], self.streams)
            _set(spelling, least=theta, place=np.repeat(digits[:, 1], self.streams))
            parts.append(spelling)
            if len(rows):
                late = rows - np.array([0, 0, 1])
                parts.append(self._arrive("numbers", spelling, late, "heard_post += place_pre"))
        if len(of.weight):
            pack = b2.Synapses(self.axons, packed, name="spikebnn_pack", **self._own)
            pack.connect(i=np.arange(of.axons * self.streams), j=_each(np.arange(of.axons), words, word))
            pack.run_regularly("word_post += place_pre*heard_pre", when="groups", order=0)
            synapses = b2.Synapses(
                packed, sums, "w : integer (constant)", dtype=WIDE, name="spikebnn_synapses", **self._own
            )
            side = np.arange(words)
            synapses.connect(i=_each(of.axon, words, side), j=_each(of.neuron, words, side))
            _set(synapses, w=np.repeat(of.weight, words))
            synapses.run_regularly("total_post += w*word_pre", when="groups", order=1)
            parts += [pack, synapses]
        target = self._own["codeobj_class"]
        self.fired = b2.SpikeMonitor(neurons, name="spikebnn_fired", codeobj_class=target)
        self.seen = b2.StateMonitor(
            neurons, "v", record=_each(watch, self.streams, self._side), when="before_thresholds",
            name="spikebnn_seen", **self._own,
        )  # fmt: skip
        self.network = b2.Network(*parts, self.fired, self.seen, name="spikebnn_network*")
        self.network.schedule = SCHEDULE
        self.network.store("rest")

    def run(self, drive: U8) -> tuple[U8, I64]:
        """Spikes (streams, ticks, neurons) and watched membranes of a drive (streams, ticks, lines), from rest."""
        count, ticks, _ = drive.shape
        self.network.restore("rest")
        tick, line, stream = np.nonzero(drive.transpose(1, 2, 0))
        self.lines.set_spikes(line * self.streams + stream, tick * TICK, sorted=True)
        self.network.run(ticks * TICK, namespace={})
        spikes = np.zeros((ticks, self.neurons * self.streams), np.uint8)
        at = np.rint(np.asarray(self.fired.t_) / float(TICK)).astype(np.int64)
        spikes[at, np.asarray(self.fired.i)] = 1
        shape = (self.watched, self.streams, ticks)
        seen = np.asarray(self.seen.v, np.int64).reshape(shape) if self.watched else np.zeros(shape, np.int64)
        out = spikes.reshape(ticks, self.neurons, self.streams)
        return out.transpose(2, 0, 1)[:count], seen.transpose(1, 2, 0)[:count]

    def _group(self, name: str, count: int, equations: str, **more: Any) -> Any:
        return b2.NeuronGroup(count, equations, dtype=WIDE, name=f"spikebnn_{name}", **more, **self._own)

    def _arrive(self, name: str, source: Any, rows: I64, on_pre: str = "heard_post = 1") -> Any:
        """Spikes of lines or neurons on their axons; an axon is a bit, whatever arrives in the same tick, or one number."""
        late = np.repeat(rows[:, 2], self.streams)
        same = bool((late == late[0]).all())
        out = b2.Synapses(
            source, self.axons, on_pre=on_pre, name=f"spikebnn_{name}",
            delay=int(late[0]) * TICK if same else None, **self._own,
        )  # fmt: skip
        out.connect(
            i=_each(rows[:, 0], self.streams, self._side), j=_each(rows[:, 1], self.streams, self._side)
        )
        if not same:
            out.delay = late * TICK
        return out


def _each(numbers: Array, count: int, side: Array) -> Array:
    """Numbers once per stream or word: number * count + side, for each side."""
    return (numbers[:, None] * count + side).ravel()


def _set(group: Any, **values: Array) -> None:
    """Set constants of a group, as plain numbers."""
    for name, value in values.items():
        group.variables[name].set_value(value)


def _target() -> type | None:
    """The user's code target; "auto" names none, and means NumPy, which needs no compiler."""
    return NumpyCodeObject if b2.prefs.codegen.target == "auto" else None
