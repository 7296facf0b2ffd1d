"""Divergence: the first place where a program leaves its network, named down to tick, neuron, sum and threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import Array
from spikebnn.program import MEMORYLESS, Program
from spikebnn.simulate import Answer, Session
from spikebnn.simulate.layout import FRAMES_PER_STREAM, drive
from spikebnn.threshold import Synapses, ThresholdNetwork, execute, sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first place where a simulator leaves the original network."""

    simulator: str
    frame: int
    what: str  # "spike", "score", or "sum": a wrong sum that changed no spike
    tick: int | None = None  # since the run's first tick, if frames follow each other every period
    layer: str = ""
    core: int | None = None
    neuron: int | None = None  # of the core
    unit: int | None = None  # of the layer
    sum: int | None = None  # what the core added up, its leak left out
    expected_sum: int | None = None  # the network's, moved as far as the core's threshold is (constants folded into it)
    threshold: int | None = None  # of that sum: the neuron's threshold minus its leak
    expected: float | None = None
    found: float | None = None

    def __str__(self) -> str:
        if self.what == "score":
            return (
                f"{self.simulator}: frame {self.frame}: score {self.unit} is {self.found:g}, "
                f"and the original network says {self.expected:g}"
            )
        if self.what == "sum":
            return (
                f"{self.simulator}: frame {self.frame}, tick {self.tick}, layer '{self.layer}', core {self.core}, neuron "
                f"{self.neuron} (unit {self.unit}) adds up {self.sum} instead of {self.expected_sum}, on the same side of "
                f"its threshold {self.threshold}"
            )
        verb = "fires" if self.found else "stays silent"
        return (
            f"{self.simulator}: frame {self.frame}, tick {self.tick}, layer '{self.layer}', core {self.core}, neuron "
            f"{self.neuron} (unit {self.unit}) {verb}: sum {self.sum} against threshold {self.threshold}; "
            f"in the original network the sum is {self.expected_sum}"
        )


def wrong_spike(
    program: Program,
    folded: ThresholdNetwork,
    name: str,
    session: Session,
    bits: Array,
    first: int,
    place: tuple[int, int, int],
    answer: Answer,
) -> Divergence:
    """Name a wrong spike: run its frame once more, among those of its stream, and watch the neuron's membrane."""
    frame, start, number = place
    core = int(np.searchsorted(program.first, number, side="right")) - 1
    neuron = number - program.first[core]
    image = program.cores[core]
    lines = bits[frame : frame + 1]
    begin = frame - frame % FRAMES_PER_STREAM
    trace = session.ticks(drive(program, bits[begin : begin + FRAMES_PER_STREAM]), np.array([number]))
    ahead = (frame - begin) * program.period
    window = slice(ahead + start, ahead + start + program.period)
    fired = np.flatnonzero(trace.spikes[0, window, number])
    tick = start + (int(fired[0]) if len(fired) else program.period - 1 if program.period > 1 else 0)
    layer = program.layers[image.layer[neuron]].name
    wanted = next(item for item in folded.layers if item.name == layer)
    unit = int(image.unit[neuron])
    known, _ = execute(folded, lines.sum(axis=1) if lines.shape[1] > 1 else lines[:, 0])
    total = int(wanted.sign[unit]) * int(sums(wanted.synapses, known)[0, unit])
    threshold = int(image.threshold[neuron]) - int(image.leak[neuron])
    return Divergence(
        simulator=name,
        frame=first + frame,
        what="spike",
        tick=(first + frame) * program.period + tick,
        layer=layer,
        core=core,
        neuron=int(neuron),
        unit=unit,
        sum=int(trace.membranes[0, ahead + tick, 0]) - int(image.leak[neuron]),
        expected_sum=total - int(wanted.threshold[unit]) + threshold,
        threshold=threshold,
        expected=float(total >= int(wanted.threshold[unit])),
        found=float(answer.raster[frame, number]) if answer.raster is not None else None,
    )


def wrong_sum(
    program: Program, folded: ThresholdNetwork, name: str, session: Session, lines: Array
) -> Divergence | None:
    """The first memoryless neuron whose core adds up something else than its layer does, in the order of frames."""
    known, _ = execute(folded, lines.sum(axis=1) if lines.shape[1] > 1 else lines[:, 0])
    rows = []  # neuron number, core, neuron, unit, start, threshold less leak
    wanted = []
    layers = {layer.name: layer for layer in folded.layers}
    for index, core in enumerate(program.cores):
        for number in np.unique(core.layer):
            layer = layers.get(program.layers[number].name)
            mine = np.flatnonzero((core.layer == number) & (core.unit >= 0) & (core.reset == MEMORYLESS))
            if layer is None or not len(mine):
                continue
            unit, threshold = core.unit[mine], (core.threshold - core.leak)[mine]
            synapses = Synapses(
                weight=layer.synapses.weight,
                taps=layer.synapses.taps,
                row=layer.synapses.row[unit],
                patch=layer.synapses.patch[unit],
            )
            own = layer.sign[unit] * sums(synapses, known)
            wanted.append(own - layer.threshold[unit] + threshold)
            first = np.full(len(mine), index)
            rows.append(np.stack([program.first[index] + mine, first, mine, unit, core.start[mine], threshold], axis=1))
    if not rows:
        return None
    table, expected = np.concatenate(rows), np.concatenate(wanted, axis=1)
    leak = np.concatenate([core.leak for core in program.cores])[table[:, 0]]
    for frame in range(len(lines)):
        begin = frame - frame % FRAMES_PER_STREAM
        if frame == begin:
            seen = session.ticks(drive(program, lines[begin : begin + FRAMES_PER_STREAM]), table[:, 0]).membranes[0]
        got = seen[(frame - begin) * program.period + table[:, 4], np.arange(len(table))] - leak
        wrong = np.flatnonzero(got != expected[frame])
        if len(wrong):
            k = int(wrong[np.argmin(table[wrong, 4])])
            number, core, neuron, unit, start, threshold = table[k].tolist()
            layer = program.layers[program.cores[core].layer[neuron]].name
            return Divergence(
                simulator=name, frame=frame, what="sum", tick=frame * program.period + start, layer=layer, core=core,
                neuron=neuron, unit=unit, sum=int(got[k]), expected_sum=int(expected[frame, k]), threshold=threshold,
            )  # fmt: skip
    return None
