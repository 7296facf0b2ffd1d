"""Faults: dead cores, stuck synapses, lost and doubled packets, flipped bits, silent sensors. Everything from one seed.

Draws for one kind of fault do not depend on the others, and those at a lower rate are among those at a higher one, so a
curve over rates is one experiment. At rate 0 nothing changes. Three memories of a chip hold bits that may flip: the
axons' (`axon-flip`), the synapses' (`weight-flip`) and the membranes' (`membrane-flip`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from zlib import crc32

import numpy as np

from spikebnn.arrays import F64, I32, I64, U8, U64, Array, pack_bits, unpack_bits
from spikebnn.encoders.rate import uniform
from spikebnn.errors import InputError
from spikebnn.program import MEMORYLESS, NO_FLOOR, Core, Plane, Program
from spikebnn.simulate.kept import LINE

KINDS = {
    "dead-cores": "each core is dead: its neurons never fire",
    "weight-flip": "each bit of the synapses' memory is flipped, in every plane and throughout",
    "stuck-off": "each synapse that is there is stuck at 0",
    "stuck-on": "each synapse that is not there, within the axons and neurons of a plane, is stuck at 1",
    "packet-loss": "each packet, a spike on its way to one axon or an input, is lost",
    "packet-copy": "each packet arrives a second time, one tick later",
    "axon-flip": "each axon's bit of a tick is flipped, or the lowest bit of the number that it holds",
    "membrane-flip": "one bit of each neuron's membrane is flipped before a tick; which of its bits is drawn too",
    "sensor-dropout": "each reading of the sensor is missing, and treated as a bad one",
}
IN_MEMORY = ("dead-cores", "weight-flip", "stuck-off", "stuck-on")  # once, before the run
IN_THE_RUN = ("packet-loss", "packet-copy", "axon-flip", "membrane-flip")
V_BITS = 20  # of a membrane, where no target says how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Probabilities by kind, and the seed."""

    rates: Mapping[str, float]
    seed: int = 0

    def __post_init__(self) -> None:
        for kind, rate in self.rates.items():
            if kind not in KINDS:
                near = get_close_matches(kind, KINDS, n=1)
                if "flip" in kind:
                    near = ["axon-flip, weight-flip or membrane-flip"]
                guess = f", did you mean {near[0]}" if near else ""
                raise InputError(f"there is no fault {kind!r}{guess}; known are {', '.join(KINDS)}")
            if not 0 <= rate <= 1:  # NaN is not
                raise InputError(f"the rate of {kind} is a probability from 0 to 1, found {rate:g}")

    def __bool__(self) -> bool:
        return any(self.rates.values())

    def rate(self, kind: str) -> float:
        """The probability of a kind of fault."""
        return self.rates.get(kind, 0.0)

    def sensed(self, values: F64, first: int) -> F64:
        """Readings (rows, channels) of a sensor, the first of them row `first` of the recording; missing ones are NaN."""
        rate = self.rate("sensor-dropout")
        if not rate:
            return values
        rows, channels = values.shape
        key = np.arange(first, first + rows, dtype=np.uint64)[:, None] * np.uint64(channels) + np.arange(
            channels, dtype=np.uint64
        )
        return np.where(self._draw("sensor-dropout", key) < rate, np.nan, values)

    def damaged(self, program: Program) -> Program:
        """The program on a chip with dead cores, and with stuck and flipped synapses."""
        if not any(self.rate(kind) for kind in IN_MEMORY):
            return program
        dead = self._draw("dead-cores", np.arange(len(program.cores), dtype=np.uint64)) < self.rate(
            "dead-cores"
        )
        cores = [_silent(core) if dead[k] else self._stuck(core, k) for k, core in enumerate(program.cores)]
        return replace(program, cores=tuple(cores))

    def strike(self, program: Program, v_bits: int = V_BITS) -> Striking | None:
        """What happens in the run, to membranes of `v_bits` bits, sign included; None where nothing does."""
        return Striking(self, program, v_bits) if any(self.rate(kind) for kind in IN_THE_RUN) else None

    def _draw(self, kind: str, key: U64) -> F64:
        """Numbers in [0, 1) for keys; each kind has its own, whatever other kinds there are."""
        return uniform(self.seed + (crc32(kind.encode()) << 31), key)

    def _stuck(self, core: Core, number: int) -> Core:
        if not any(self.rate(kind) for kind in IN_MEMORY[1:]):
            return core
        planes = []
        for p, plane in enumerate(core.planes):
            bits = unpack_bits(plane.bits, plane.stop - plane.start)
            key = np.arange(bits.size, dtype=np.uint64).reshape(bits.shape) + np.uint64(
                (number * 4096 + p) << 32
            )
            bits = bits ^ (self._draw("weight-flip", key) < self.rate("weight-flip"))
            off = self._draw("stuck-off", key) < self.rate("stuck-off")
            on = self._draw("stuck-on", key) < self.rate("stuck-on")
            stuck = np.where(bits == 1, ~off, on & (bits == 0))
            packed = pack_bits(stuck)
            packed.flags.writeable = False
            planes.append(replace(plane, bits=packed))
        return replace(core, planes=tuple(planes))


class Striking:
    """Lost, doubled and flipped bits of a run; see `spikebnn.simulate.kept.Strike`. Pulses of controls are never lost."""

    def __init__(self, faults: Faults, program: Program, v_bits: int) -> None:
        self.faults, self.v_bits = faults, v_bits
        self.immune = program.lines[:, 0] >= program.inputs
        self.rows = (len(program.lines), len(program.routes))

    def packets(self, kind: int, ticks: I64, rows: I64) -> tuple[Array, Array]:
        """Which packets arrive, and which arrive again."""
        total = np.uint64(sum(self.rows) + 1)
        key = (
            ticks.astype(np.uint64) * total
            + rows.astype(np.uint64)
            + np.uint64(0 if kind == LINE else self.rows[0])
        )
        lost = self._hit("packet-loss", key)
        again = self._hit("packet-copy", key)
        if kind == LINE:
            immune = self.immune[rows]
            lost, again = lost & ~immune, again & ~immune
        return ~lost, again

    def axons(self, ticks: I64, active: U8) -> None:
        """Flip bits of active axons (streams, axons) in place."""
        if self.faults.rate("axon-flip"):
            active ^= self._hit("axon-flip", _places(ticks, active.shape[1])).astype(np.uint8)

    def membranes(self, ticks: I64, v: I64) -> None:
        """Flip a bit of membranes (streams, neurons) in place; they are two's complement of `v_bits` bits."""
        if not self.faults.rate("membrane-flip"):
            return
        key = _places(ticks, v.shape[1])
        hit = self._hit("membrane-flip", key)
        which = self.faults._draw("membrane-flip: which bit", key[hit]) * self.v_bits  # noqa: SLF001
        sign = np.int64(1) << (self.v_bits - 1)
        flipped = v[hit] ^ (np.int64(1) << which.astype(np.int64))
        v[hit] = ((flipped & (2 * sign - 1)) ^ sign) - sign

    def _hit(self, kind: str, key: U64) -> Array:
        rate = self.faults.rate(kind)
        return self.faults._draw(kind, key) < rate if rate else np.zeros(key.shape, bool)  # noqa: SLF001


def _places(ticks: I64, wide: int) -> U64:
    """A number (streams, wide) for each of `wide` places in each of some ticks."""
    out: U64 = ticks.astype(np.uint64)[:, None] * np.uint64(wide) + np.arange(wide, dtype=np.uint64)
    return out


def _silent(core: Core) -> Core:
    """A core whose neurons take nothing in and never fire."""
    many = core.neurons
    never: I32 = np.full(many, np.iinfo(np.int32).max, np.int32)
    zeros, floor = np.zeros(many, np.int32), np.full(many, NO_FLOOR, np.int32)
    reset: U8 = np.full(many, MEMORYLESS, np.uint8)
    for array in (never, zeros, floor, reset):
        array.flags.writeable = False
    none: tuple[Plane, ...] = ()
    return replace(core, planes=none, threshold=never, leak=zeros, reset=reset, floor=floor)
