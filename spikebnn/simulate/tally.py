"""Counting in windows: spikes, axon events, synaptic events, neurons with input and the readout's sums, tick by tick.

A neuron's spike belongs to the frame in whose window of that neuron it falls. An axon event, and the synaptic
events it causes, belong to the frame in whose window they fall of the earliest neuron the axon reaches.
"""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import U8, Array
from spikebnn.program import Program
from spikebnn.run import Counts
from spikebnn.simulate.active import active as active_neurons
from spikebnn.simulate.active import groups
from spikebnn.simulate.protocol import Answer
from spikebnn.simulate.wiring import Wiring


class Tally:
    """Counters for streams of `per` frames; frame f of stream s is frame s * per + f, and those past `frames` are padding."""

    def __init__(self, program: Program, wiring: Wiring, frames: int, per: int, record: bool) -> None:
        self.program, self.wiring, self.total, self.frames = program, wiring, frames, per
        streams = -(-frames // per) if per else 0
        self.short = streams * per - frames  # padding at the end of the last stream
        cores = len(program.cores)
        self.spikes = np.zeros((streams, per, cores), np.int64)
        self.axon_events = np.zeros((streams, per, cores), np.int64)
        self.synaptic_events = np.zeros((streams, per, cores), np.int64)
        self.updates = np.zeros((streams, per, cores), np.int64)  # of neurons with input
        self.groups = groups(program, wiring) if frames else []
        self.sums = np.tile(program.base.astype(np.int64), (streams, per, 1))
        wide = np.int64 if program.period > 255 else np.uint8
        self.raster = np.zeros((streams, per if record else 0, wiring.neurons), wide)
        self.record = record
        self.neuron_spikes = np.zeros(wiring.neurons, np.int64)
        self.cores = [self._core(number) for number in range(cores)]
        self.read = np.unique(program.outputs[:, 1]).tolist() if program.readout == "membrane" else []

    def _core(self, number: int) -> tuple[list[tuple[int, Array, Array]], list[tuple[int, Array]]]:
        """Neurons of a core by start with their share in the sums, and its axons by start with their counts."""
        wiring, program = self.wiring, self.program
        neurons = slice(*wiring.neuron_first[number : number + 2])
        axons = slice(*wiring.axon_first[number : number + 2])
        start, axon_start, fanout = wiring.start[neurons], wiring.axon_start[axons], wiring.fanout[axons]
        share = np.zeros((len(start), len(program.base)))
        mine = program.outputs[program.outputs[:, 1] == number]
        np.add.at(share, (mine[:, 2], mine[:, 0]), 1.0)
        groups = []
        for value in np.unique(start).tolist():
            some = np.flatnonzero(start == value)
            groups.append((value, some, share[some]))
        events = []
        for value in np.unique(axon_start).tolist():
            own = axon_start == value
            events.append((value, np.stack([own, own * fanout], axis=1).astype(np.float64)))
        return groups, events

    def tick(self, tick: int, axons: U8, fired: U8, membranes: Array) -> None:
        """One tick of all cores: axons (streams, axons), fired and membranes (streams, neurons)."""
        hears = np.searchsorted(self.wiring.axon_first, np.flatnonzero(axons.any(axis=0)), "right") - 1
        fires = np.searchsorted(self.wiring.neuron_first, np.flatnonzero(fired.any(axis=0)), "right") - 1
        for number in sorted({*hears.tolist(), *fires.tolist(), *self.read}):
            a = slice(*self.wiring.axon_first[number : number + 2])
            n = slice(*self.wiring.neuron_first[number : number + 2])
            self.core(number, tick, axons[:, a], fired[:, n], membranes[:, n])

    def core(self, number: int, tick: int, axons: U8, fired: U8, membranes: Array) -> None:
        """One tick of one core: its active axons, its spikes, and its membranes after step 2."""
        groups, events = self.cores[number]
        period, first = self.program.period, int(self.wiring.neuron_first[number])
        for start, some, share in groups:
            frame, into = divmod(tick - start, period)
            if not 0 <= frame < self.frames:
                continue
            spikes = fired[:, some]
            self.spikes[:, frame, number] += spikes.sum(axis=1, dtype=np.int64)
            true = spikes[:-1] if frame >= self.frames - self.short else spikes
            self.neuron_spikes[first + some] += true.sum(axis=0, dtype=np.int64)
            if self.record:
                self.raster[:, frame, first + some] += spikes
            if not share.any():
                continue
            if self.program.readout == "membrane":
                if into == 0:
                    self.sums[:, frame] += np.rint(membranes[:, some].astype(np.float64) @ share).astype(
                        np.int64
                    )
            else:
                self.sums[:, frame] += np.rint(spikes.astype(np.float64) @ share).astype(np.int64)
        heard = bool(axons.any())
        for group in self.groups[number] if heard and self.groups else ():
            frame = (tick - group[0]) // period
            if 0 <= frame < self.frames:
                self.updates[:, frame, number] += active_neurons(group, axons)
        active = axons.astype(np.float64) if events else axons
        for start, weights in events:
            frame = (tick - start) // period
            if 0 <= frame < self.frames:
                found = np.rint(active @ weights).astype(np.int64)
                self.axon_events[:, frame, number] += found[:, 0]
                self.synaptic_events[:, frame, number] += found[:, 1]

    def answer(self) -> Answer:
        """The counts of all frames in order."""

        def flat(counts: Array) -> Array:
            return counts.reshape(counts.shape[0] * counts.shape[1], counts.shape[2])[: self.total]

        return Answer(
            sums=flat(self.sums),
            counts=Counts(
                spikes=flat(self.spikes),
                axon_events=flat(self.axon_events),
                synaptic_events=flat(self.synaptic_events),
                neuron_spikes=self.neuron_spikes,
                active_updates=flat(self.updates),
            ),
            raster=np.minimum(flat(self.raster), 255).astype(np.uint8) if self.record else None,
        )
