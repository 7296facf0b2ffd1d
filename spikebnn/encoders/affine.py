"""Shifts and scales every channel before another encoder: what training did to the readings, done to the stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import Array
from spikebnn.encoders.protocol import State, per_channel, recording
from spikebnn.errors import InputError


@dataclass(frozen=True, slots=True)
class Affine:
    """y[c] = (x[c] - offset[c]) * scale[c].

    Invertible: x = y / scale + offset. No bits, so no spikes: another encoder, or the network's own first layer, follows.
    """

    offset: float | tuple[float, ...] = 0.0
    scale: float | tuple[float, ...] = 1.0
    name = "affine"
    span = 1
    stride = 1
    bits = False

    @classmethod
    def fit(cls, x: Array) -> Affine:
        """Mean 0 and deviation 1 of every channel of a recording; a channel that never changes is only shifted."""
        rows = recording(x)
        if not len(rows) or not np.isfinite(rows).all():
            raise InputError("affine is fitted to finite readings, and to at least one row of them")
        spread = rows.std(axis=0)
        return cls(tuple(rows.mean(axis=0).tolist()), tuple((1 / np.where(spread > 0, spread, 1.0)).tolist()))

    def width(self, channels: int) -> int:
        return channels

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        rows = recording(x)
        return (rows - _each(self.offset, rows, "affine offset")) * _each(
            self.scale, rows, "affine scale"
        ), state

    def invert(self, y: Array) -> Array:
        """The readings behind outputs."""
        rows = recording(y)
        return rows / _each(self.scale, rows, "affine scale") + _each(self.offset, rows, "affine offset")

    def __call__(self, x: Array) -> Array:
        return self.push(x, {})[0]


def _each(values: float | Sequence[float], rows: Array, what: str) -> Array:
    return per_channel(values, rows.shape[1], what)
