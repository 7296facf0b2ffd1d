"""Rate and burst: a reading becomes a number of spikes in a few ticks, spread evenly, at the front, or at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import F64, U64, Array
from spikebnn.encoders.protocol import State, recording
from spikebnn.errors import InputError

WAYS = ("even", "burst", "random")


@dataclass(frozen=True, slots=True)
class Rate:
    """n[c] = round((x[c] - low) / (high - low) * ticks) spikes in `ticks` ticks; bit t * channels + c, ticks in a row.

    "even": bit t = floor(n (t + 1) / ticks) - floor(n t / ticks); "burst": t < n; "random": each bit is 1 with probability
    n / ticks, drawn by a hash of seed, row, tick and channel. Readings beyond the ends count as the end.
    Invertible up to half of (high - low) / ticks, but for "random", which is so on average only. Costs n spikes.
    """

    ticks: int = 8
    low: float = 0.0
    high: float = 1.0
    way: str = "even"
    seed: int = 0
    name = "rate"
    span = 1
    stride = 1
    bits = True

    def __post_init__(self) -> None:
        if self.ticks < 1 or not self.low < self.high:
            raise InputError(
                f"rate takes at least 1 tick and low < high, found {self.ticks} ticks from {self.low} to {self.high}"
            )
        if self.way not in WAYS:
            raise InputError(f"rate goes one of the ways {', '.join(WAYS)}, found {self.way!r}")

    def width(self, channels: int) -> int:
        return self.ticks * channels

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        rows = recording(x)
        at = int(state.get("at", 0))
        share = np.clip((rows - self.low) / (self.high - self.low), 0.0, 1.0)
        n = np.rint(np.where(np.isnan(share), 0.0, share) * self.ticks).astype(np.int64)[:, None, :]
        t = np.arange(self.ticks)[:, None]
        if self.way == "even":
            bits: Array = n * (t + 1) // self.ticks - n * t // self.ticks
        elif self.way == "burst":
            bits = t < n
        else:
            key = (np.arange(at, at + len(rows))[:, None, None] * self.ticks + t) * rows.shape[1] + np.arange(
                rows.shape[1]
            )
            bits = uniform(self.seed, key.astype(np.uint64)) * self.ticks < n
        return bits.reshape(len(rows), self.width(rows.shape[1])).astype(np.uint8), {"at": at + len(rows)}

    def invert(self, bits: Array) -> F64:
        """The reading that so many spikes stand for."""
        n = np.asarray(bits, np.int64).reshape(len(bits), self.ticks, -1).sum(axis=1)
        out: F64 = self.low + n * (self.high - self.low) / self.ticks
        return out

    def __call__(self, x: Array) -> Array:
        return self.push(x, {})[0]


def uniform(seed: int, key: U64) -> F64:
    """Numbers in [0, 1) that depend on seed and key alone (splitmix64: Steele, Lea, Flood, OOPSLA 2014)."""
    z: U64 = key + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64)
    z = z * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53
