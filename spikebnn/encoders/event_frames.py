"""Event frames: the events of a camera become one row of bits per time bin, a bit for each pixel and polarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import Array
from spikebnn.encoders.protocol import State, recording
from spikebnn.errors import InputError

MOST_EMPTY = 100_000  # bins without an event, in a row; beyond this the times are wrong


@dataclass(frozen=True, slots=True)
class EventFrames:
    """bit[p, y, x] of bin k = at least `least` events of polarity p at pixel (x, y) in k * bin <= t - t0 < (k + 1) * bin.

    Takes events as rows (t in seconds, x, y, polarity 0 or 1); t0 is the first event's time. `shrink` joins squares of so
    many pixels; without `polarity` both kinds are one. Bit (p * height + y) * width + x, of the shrunken frame.
    Not invertible: times within a bin and counts are lost. Costs one spike per pixel that changed enough.
    A row is complete when an event of a later bin comes, so call `finish` at the end; an event of a past bin is late: it
    is left out, and counted in state["late"]. Events outside the frame are counted in state["outside"].
    """

    columns: int
    rows: int
    bin: float
    least: int = 1
    shrink: int = 1
    polarity: bool = True
    name = "event-frames"
    span = 1
    stride = 1
    bits = True

    def __post_init__(self) -> None:
        if min(self.columns, self.rows, self.least, self.shrink) < 1 or not self.bin > 0:
            raise InputError(
                f"event-frames takes a frame of at least one pixel and a bin longer than 0, found {self.columns} x "
                f"{self.rows} pixels, bin {self.bin} s, least {self.least}, shrink {self.shrink}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Polarities, height and width of a row of bits."""
        return 2 if self.polarity else 1, -(-self.rows // self.shrink), -(-self.columns // self.shrink)

    def width(self, channels: int) -> int:
        sides, high, wide = self.shape
        return sides * high * wide

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        events, size = recording(x), self.width(4)
        if events.shape[1] != 4:
            raise InputError(
                f"event-frames takes events (t, x, y, polarity), found rows of {events.shape[1]} numbers"
            )
        if not len(events):
            return np.zeros((0, size), np.uint8), state
        origin = float(state.get("origin", events[0, 0]))
        current = int(state.get("bin", 0))
        counts = np.array(state.get("counts", np.zeros(size)), np.int64)
        late, outside = int(state.get("late", 0)), int(state.get("outside", 0))
        number = np.floor((events[:, 0] - origin) / self.bin).astype(np.int64)
        newest = np.maximum.accumulate(np.maximum(number, current))
        behind = number < newest
        inside = (
            (events[:, 1] >= 0)
            & (events[:, 1] < self.columns)
            & (events[:, 2] >= 0)
            & (events[:, 2] < self.rows)
        )
        late, outside = late + int(behind.sum()), outside + int((~behind & ~inside).sum())
        last = int(newest[-1])
        if last - current > MOST_EMPTY:
            raise InputError(
                f"the events span {last - current} bins of {self.bin} s at once; are their times in seconds?"
            )
        good = ~behind & inside
        pixel, row = self._pixel(events[good]), number[good] - current
        table = np.zeros((last - current + 1, size), np.int64)
        table[0] = counts
        np.add.at(table, (row, pixel), 1)
        after = {"origin": origin, "bin": last, "counts": table[-1].copy(), "late": late, "outside": outside}
        return (table[:-1] >= self.least).astype(np.uint8), after

    def close(self, bins: int, state: State) -> tuple[Array, State]:
        """The rows of the open bin and of those behind it, `bins` in all, in which nothing more comes."""
        counts = np.asarray(state["counts"])
        out = np.zeros((bins, len(counts)), np.uint8)
        out[0] = counts >= self.least
        return out, {**state, "bin": int(state["bin"]) + bins, "counts": np.zeros_like(counts)}

    def finish(self, state: State) -> Array:
        """The row of the bin that is still open; none at rest."""
        if "counts" not in state:
            return np.zeros((0, self.width(4)), np.uint8)
        return (np.asarray(state["counts"])[None] >= self.least).astype(np.uint8)

    def _pixel(self, events: Array) -> Array:
        sides, high, wide = self.shape
        x, y = (events[:, k].astype(np.int64) // self.shrink for k in (1, 2))
        side = (events[:, 3] > 0).astype(np.int64) if sides == 2 else 0
        out: Array = (side * high + y) * wide + x
        return out

    def __call__(self, x: Array) -> Array:
        done, state = self.push(x, {})
        return np.concatenate([done, self.finish(state)])
