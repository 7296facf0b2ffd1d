"""Filter bank for audio: log energies of mel-spaced bands in short frames, ten milliseconds apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.encoders.protocol import State, recording
from spikebnn.errors import InputError


@dataclass(frozen=True, slots=True)
class FilterBank:
    """out[b, c] = log10(max(floor, sum over f of w[b, f] |rfft(hann * frame)[f]|^2 / samples)), bit b * channels + c.

    w[b] is a triangle of height 1 over three neighbours of bands + 2 points that lie evenly on the mel scale,
    2595 log10(1 + f / 700) (Davis, Mermelstein, IEEE TASSP 28:357, 1980), from `low` to `high` hertz (half the rate if 0).
    `frame` and `hop` are seconds. Not invertible: phases are lost. No bits by itself: a thermometer follows, or the
    network's own first layer.
    """

    rate: float
    bands: int = 20
    frame: float = 0.025
    hop: float = 0.010
    low: float = 50.0
    high: float = 0.0
    floor: float = 1e-10
    name = "filterbank"
    bits = False

    def __post_init__(self) -> None:
        if not self.rate > 0 or self.bands < 1 or self.span < 2 or self.stride < 1 or not self.floor > 0:
            raise InputError(
                f"filterbank takes a rate, bands, a frame of two samples or more and a hop of one or more; found "
                f"{self.rate} Hz, {self.bands} bands, frame {self.frame} s, hop {self.hop} s, floor {self.floor}"
            )
        if not 0 <= self.low < self.top <= self.rate / 2:
            raise InputError(
                f"filterbank goes from {self.low:g} to {self.top:g} Hz, "
                f"and {self.rate:g} samples a second hold 0 to {self.rate / 2:g} Hz"
            )
        if not filters(self).any(axis=1).all():
            raise InputError(
                f"filterbank has {self.bands} bands, and frames of {self.span} samples tell frequencies apart by "
                f"{self.rate / self.span:g} Hz: "
                "some bands would hold none; take fewer bands or a longer frame"
            )

    @property
    def top(self) -> float:
        """Upper end of the last band, Hz."""
        return self.high or self.rate / 2

    @property
    def span(self) -> int:
        return round(self.frame * self.rate)

    @property
    def stride(self) -> int:
        return round(self.hop * self.rate)

    def width(self, channels: int) -> int:
        return self.bands * channels

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        rows = recording(x)
        channels = rows.shape[1]
        skip = int(state.get("skip", 0))  # a hop longer than a frame leaves samples out
        kept = np.concatenate(
            [np.asarray(state.get("kept", np.zeros((0, channels))), np.float64), rows[skip:]]
        )
        skip = max(0, skip - len(rows))
        count = max(0, (len(kept) - self.span) // self.stride + 1)
        out = np.zeros((count, self.bands, channels))
        window, weights = _hann(self.span), filters(self)
        for k in range(
            count
        ):  # one by one: a product of matrices would round differently for other numbers of frames
            piece = kept[k * self.stride : k * self.stride + self.span].T * window
            power = np.abs(np.fft.rfft(piece, axis=1)) ** 2 / self.span
            energy = np.add.reduce(power[:, None, :] * weights, axis=2)  # (channels, bands)
            out[k] = np.log10(np.maximum(energy, self.floor)).T
        used = count * self.stride
        skip += max(0, used - len(kept))
        return out.reshape(count, self.width(channels)), {"kept": kept[used:].copy(), "skip": skip}

    def __call__(self, x: Array) -> Array:
        return self.push(x, {})[0]


@lru_cache(maxsize=32)
def filters(bank: FilterBank) -> F64:
    """The triangles, (bands, frequencies)."""
    ends = 2595 * np.log10(1 + np.array([bank.low, bank.top]) / 700)
    points = 700 * (10 ** (np.linspace(ends[0], ends[1], bank.bands + 2) / 2595) - 1)
    f = np.arange(bank.span // 2 + 1) * bank.rate / bank.span
    left, middle, right = points[:-2, None], points[1:-1, None], points[2:, None]
    out: F64 = np.maximum(0.0, np.minimum((f - left) / (middle - left), (right - f) / (right - middle)))
    out.flags.writeable = False
    return out


@lru_cache(maxsize=32)
def _hann(samples: int) -> F64:
    out: F64 = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    out.flags.writeable = False
    return out
