"""Send-on-delta: a spike where a reading has moved by a step since the last spike, up or down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.encoders.protocol import State, per_channel, recording
from spikebnn.errors import InputError


@dataclass(frozen=True, slots=True)
class Delta:
    """A reference r follows the reading in steps: n = floor((x - r) / step), at most `most` up or down, and r += n * step.

    bits: up[k, c] = n[c] > k, then down[k, c] = -n[c] > k, k < most; bit (side * most + k) * channels + c. Turning round
    takes step + hysteresis, so that noise below the hysteresis is silent. The first row sets r and sends nothing
    (send-on-delta: Miskowicz, Sensors 6:49-63, 2006; with levels that stay on a grid).
    Invertible up to step + hysteresis as long as no row moves further than most * step: x is near r0 + step * sum(n).
    Costs |change| / step spikes: none where the signal rests.
    """

    step: float | tuple[float, ...] = 1.0
    hysteresis: float | tuple[float, ...] = 0.0
    most: int = 1
    name = "delta"
    span = 1
    stride = 1
    bits = True

    def __post_init__(self) -> None:
        if (
            not (np.asarray(self.step) > 0).all()
            or not (np.asarray(self.hysteresis) >= 0).all()
            or self.most < 1
        ):
            raise InputError(
                "delta takes a step above 0, a hysteresis of at least 0 and at least 1 spike a row, "
                f"found step {self.step}, hysteresis {self.hysteresis}, most {self.most}"
            )

    def width(self, channels: int) -> int:
        return 2 * self.most * channels

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        rows = recording(x)
        count, channels = rows.shape
        step = per_channel(self.step, channels, "delta step")
        slack = per_channel(self.hysteresis, channels, "delta hysteresis")
        moves = np.zeros((count, channels), np.int64)
        if not count:
            return self._bits(moves), state
        base = np.array(state.get("base", rows[0]), np.float64)
        level = np.array(state.get("level", np.zeros(channels)), np.int64)  # r = base + level * step
        way = np.array(state.get("way", np.zeros(channels)), np.int64)  # direction of the last spike
        for c in range(channels):
            moves[:, c], level[c], way[c] = self._follow(
                rows[:, c], base[c], level[c], way[c], step[c], slack[c]
            )
        return self._bits(moves), {"base": base, "level": level, "way": way}

    def invert(self, bits: Array, first: Array) -> F64:
        """The reference after every row; `first` is the first row of the recording, (channels,)."""
        up, down = (
            np.asarray(bits, np.int64).reshape(len(bits), 2, self.most, -1).sum(axis=2).transpose(1, 0, 2)
        )
        out: F64 = first + np.cumsum(up - down, axis=0) * per_channel(self.step, up.shape[1], "delta step")
        return out

    def _follow(
        self, x: F64, base: float, level: int, way: int, step: float, slack: float
    ) -> tuple[list[int], int, int]:
        """One channel: the spikes of every row, and where the reference ends."""
        out, most = [], self.most
        for value in ((x - base) / step).tolist():
            move = value - level
            if way * move < 0:
                move = move + slack / step if move < 0 else move - slack / step
                if way * move >= 0:
                    out.append(0)
                    continue
            n = min(int(abs(move)), most) if move == move else 0
            if n:
                way = 1 if move > 0 else -1
                n *= way
                level += n
            out.append(n)
        return out, level, way

    def _bits(self, moves: Array) -> Array:
        k = np.arange(self.most)[:, None]
        both = np.stack([moves[:, None, :] > k, -moves[:, None, :] > k], axis=1)
        return both.reshape(len(moves), 2 * self.most * moves.shape[1]).astype(np.uint8)

    def __call__(self, x: Array) -> Array:
        return self.push(x, {})[0]
