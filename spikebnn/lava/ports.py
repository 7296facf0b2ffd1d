"""What goes through the ports of a `MappedNet`: which neurons, in which order, with which control pulses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikebnn.arrays import I64, U8, Array, door
from spikebnn.encode import decode
from spikebnn.errors import InputError
from spikebnn.lava.feed import complete
from spikebnn.program import Program
from spikebnn.simulate.wiring import line_count


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ports:
    """Neurons are numbered through all cores in order, as in `Program.first`."""

    program: Program
    batch: int
    inside: bool  # control lines pulse by themselves
    outputs: (
        I64  # (outputs,); neurons behind s_out, each once, in the order in which the program's sums read them
    )
    watch: I64  # (watched,); neurons behind v_out

    @property
    def inputs(self) -> int:
        """Lines that come in through s_in."""
        return self.program.inputs if self.inside else line_count(self.program)

    def shape(self, many: int) -> tuple[int, ...]:
        """Of a port that carries `many` values; Lava has no empty ports, so 0 becomes 1 value that is always 0."""
        return (max(1, many),) if self.batch == 1 else (self.batch, max(1, many))


def described(program: Program, batch: Any, watch: Array | None, controls: str) -> Ports:
    """The ports of a program, or one sentence on what is wrong with the wishes."""
    if type(batch) is bool or not isinstance(batch, (int, np.integer)) or batch < 1:
        raise InputError(f"batch is the number of copies side by side, 1 or more, and {batch!r} was given")
    if controls not in ("inside", "outside"):
        raise InputError(
            f"controls are made inside the process or come from outside with the inputs; {controls!r} is neither"
        )
    rows = program.outputs.astype(np.int64)
    read = np.array(program.first, np.int64)[rows[:, 1]] + rows[:, 2]
    _, at = np.unique(read[np.argsort(rows[:, 0], kind="stable")], return_index=True)
    outputs = read[np.argsort(rows[:, 0], kind="stable")][np.sort(at)]
    watched = outputs if watch is None else np.asarray(watch, np.int64).reshape(-1)
    wrong = watched[(watched < 0) | (watched >= program.first[-1])]
    if len(wrong):
        raise InputError(
            f"neurons are numbered 0 to {program.first[-1] - 1}, and {wrong[0]} is to be watched"
        )
    return Ports(
        program=program,
        batch=int(batch),
        inside=controls == "inside",
        outputs=door(outputs, np.int64),
        watch=door(watched, np.int64),
    )


class Pulses:
    """The lines of a tick: what came in, and the control pulses that are due."""

    def __init__(self, ports: Ports) -> None:
        program = ports.program
        self.lines = np.zeros((ports.batch, line_count(program)), np.uint8)
        self.incoming = slice(0, ports.inputs)
        controls = program.controls if ports.inside else program.controls[:0]
        self.period, self.phase, self.control = (
            program.period,
            controls[:, 1] % program.period,
            controls[:, 0],
        )

    def at(self, tick: int, data: Array) -> U8:
        """Lines (batch, lines) from what arrived, in any shape and type; what is not 0 is a spike."""
        lines = self.lines
        lines[:, self.incoming.stop :] = 0
        if self.incoming.stop:
            lines[:, self.incoming] = data.reshape(len(lines), -1) != 0
        lines[:, self.control[self.phase == tick % self.period]] = 1
        return lines


class Sums:
    """The program's sums, frame after frame, as `spikebnn.simulate.tally` counts them."""

    def __init__(self, ports: Ports) -> None:
        self.program, self.batch = ports.program, ports.batch
        rows = self.program.outputs.astype(np.int64)
        read = np.array(self.program.first, np.int64)[rows[:, 1]] + rows[:, 2]
        start = np.array(
            [self.program.cores[core].start[neuron] for core, neuron in rows[:, 1:].tolist()], np.int64
        )
        self.counts = self.program.readout == "spikes"
        of_output = {neuron: k for k, neuron in enumerate(ports.outputs.tolist())}
        self.groups = []  # (start, matrix (outputs, sums)) for the output neurons whose windows begin alike
        for value in np.unique(start).tolist():
            matrix = np.zeros((len(ports.outputs), len(self.program.base)), np.int64)
            here = start == value
            np.add.at(
                matrix, (np.array([of_output[n] for n in read[here].tolist()], np.int64), rows[here, 0]), 1
            )
            self.groups.append((value, matrix))
        self.complete = complete(self.program)
        self.open: dict[int, I64] = {}
        self.newest = np.zeros((ports.batch, max(1, len(self.program.base))), np.int64)
        self.classes = np.zeros(ports.batch, np.int64)
        self.frames = 0

    def tick(self, tick: int, spikes: U8, membranes: I64) -> None:
        """Count one tick; both (batch, outputs), the membranes V after step 2."""
        period, base = self.program.period, self.program.base.astype(np.int64)
        for start, matrix in self.groups:
            frame, phase = divmod(tick - start, period)
            if frame < 0 or (not self.counts and phase):
                continue
            seen = spikes if self.counts else membranes
            if frame not in self.open:
                self.open[frame] = np.zeros((self.batch, len(base)), np.int64)
            self.open[frame] += seen.astype(np.int64) @ matrix
        frame, phase = divmod(tick + 1 - self.complete, period)
        if frame >= 0 and not phase:
            sums = base + self.open.pop(frame, np.zeros((self.batch, len(base)), np.int64))
            self.newest[:, : len(base)] = sums
            scores = decode(self.program.decoder, sums).reshape(self.batch, -1)
            self.classes = scores.argmax(axis=1) if scores.shape[1] else self.classes
            self.frames += 1
