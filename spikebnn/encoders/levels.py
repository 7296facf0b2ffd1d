"""Encoders that look at one reading at a time: a threshold, a thermometer of thresholds, bit planes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.encoders.protocol import State, per_channel, recording
from spikebnn.errors import InputError

Levels = tuple[float, ...] | tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Threshold:
    """bit[c] = x[c] >= at[c]; with a hysteresis h it stays 1 until x[c] < at[c] - h.

    Not invertible. Costs at most one spike per channel and row. `at` and `hysteresis` are in the reading's unit, one
    for all channels or one each.
    """

    at: float | tuple[float, ...] = 0.0
    hysteresis: float | tuple[float, ...] = 0.0
    name = "threshold"
    span = 1
    stride = 1
    bits = True

    def __post_init__(self) -> None:
        if (np.asarray(self.hysteresis) < 0).any():
            raise InputError(f"threshold hysteresis is at least 0, found {self.hysteresis}")

    def width(self, channels: int) -> int:
        return channels

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        rows = recording(x)
        channels = rows.shape[1]
        at = per_channel(self.at, channels, "threshold at")
        high = rows >= at
        low = rows < at - per_channel(self.hysteresis, channels, "threshold hysteresis")
        before = np.asarray(state.get("on", np.zeros(channels, bool)), bool)
        known = np.where(high | low, np.arange(1, len(rows) + 1)[:, None], 0)
        last = np.maximum.accumulate(known, axis=0)  # row, from 1 on, that decided the bit; 0 is the state
        said = np.concatenate([before[None], high])
        on = np.take_along_axis(said, last, axis=0)
        return on.astype(np.uint8), {"on": on[-1] if len(on) else before}

    def __call__(self, x: Array) -> Array:
        return self.push(x, {})[0]


@dataclass(frozen=True, slots=True)
class Thermometer:
    """bit[l, c] = x[c] >= levels[l, c], numbered level by level: bit l * channels + c.

    Invertible up to the distance of two levels. Costs as many spikes as levels are reached, half of them for readings
    that are spread like the levels. `levels` is a rising list for all channels, or such a list of rows, (levels, channels).
    """

    levels: Levels
    name = "thermometer"
    span = 1
    stride = 1
    bits = True

    def __post_init__(self) -> None:
        table = np.asarray(self.levels, np.float64)
        if (
            table.ndim not in (1, 2)
            or not table.size
            or not np.isfinite(table).all()
            or (np.diff(table, axis=0) < 0).any()
        ):
            raise InputError(f"thermometer levels are finite and rise, found {self.levels}")

    @classmethod
    def even(cls, count: int, low: float, high: float) -> Thermometer:
        """`count` levels that cut low..high into count + 1 equal parts."""
        if count < 1 or not low < high:
            raise InputError(
                f"thermometer takes at least 1 level and low < high, found {count} levels from {low} to {high}"
            )
        return cls(tuple((low + (high - low) * np.arange(1, count + 1) / (count + 1)).tolist()))

    @classmethod
    def fit(cls, x: Array, count: int) -> Thermometer:
        """`count` levels per channel at the quantiles of a recording, so that every level is reached equally often."""
        rows = recording(x)
        if not len(rows) or not np.isfinite(rows).all():
            raise InputError("thermometer is fitted to finite readings, and to at least one row of them")
        cut = np.quantile(rows, np.arange(1, count + 1) / (count + 1), axis=0)
        return cls(tuple(tuple(row) for row in cut.tolist()))

    def width(self, channels: int) -> int:
        return len(self.levels) * channels

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        rows = recording(x)
        return (rows[:, None, :] >= self._table(rows.shape[1])).reshape(
            len(rows), self.width(rows.shape[1])
        ).astype(np.uint8), state

    def invert(self, bits: Array) -> F64:
        """The middle of the two levels between which each reading lay; beyond the ends, the end."""
        count = len(self.levels)
        rows = np.asarray(bits).reshape(len(bits), count, -1)
        table = self._table(rows.shape[2])
        edges = np.concatenate([table[:1], table, table[-1:]])
        reached = rows.sum(axis=1)
        channel = np.arange(rows.shape[2])
        out: F64 = (edges[reached, channel] + edges[reached + 1, channel]) / 2
        return out

    def _table(self, channels: int) -> F64:
        table = np.asarray(self.levels, np.float64)
        if table.ndim == 1:
            return np.repeat(table[:, None], channels, axis=1)
        if table.shape[1] != channels:
            raise InputError(
                f"thermometer has levels for {table.shape[1]} channels, and the signal has {channels}"
            )
        return table

    def __call__(self, x: Array) -> Array:
        return self.push(x, {})[0]


@dataclass(frozen=True, slots=True)
class Planes:
    """bit[k, c] = bit k of q[c], the step of low..high in which x[c] lies: q = floor((x - low) / (high - low) * 2^count).

    Numbered plane by plane, the least significant first: bit k * channels + c; beyond the ends q is the end's. With `gray`
    neighbouring steps differ in one bit. Invertible up to a step. Costs count / 2 spikes per reading on average.
    """

    count: int = 8
    low: float = 0.0
    high: float = 256.0
    gray: bool = False
    name = "planes"
    span = 1
    stride = 1
    bits = True

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 32 or not self.low < self.high:
            raise InputError(
                f"planes takes 1 to 32 bits and low < high, found {self.count} bits from {self.low} to {self.high}"
            )

    def width(self, channels: int) -> int:
        return self.count * channels

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        rows = recording(x)
        steps = 2**self.count
        q = np.clip(np.floor((rows - self.low) / (self.high - self.low) * steps), 0, steps - 1).astype(
            np.int64
        )
        q = q ^ (q >> 1) if self.gray else q
        planes = q[:, None, :] >> np.arange(self.count)[:, None] & 1
        return planes.reshape(len(rows), self.width(rows.shape[1])).astype(np.uint8), state

    def invert(self, bits: Array) -> F64:
        """The middle of each reading's step."""
        planes = np.asarray(bits, np.int64).reshape(len(bits), self.count, -1)
        if self.gray:  # bit k is the parity of the bits from k on
            planes = np.bitwise_xor.accumulate(planes[:, ::-1], axis=1)[:, ::-1]
        q = (planes << np.arange(self.count)[:, None]).sum(axis=1)
        out: F64 = self.low + (q + 0.5) * (self.high - self.low) / 2**self.count
        return out

    def __call__(self, x: Array) -> Array:
        return self.push(x, {})[0]
