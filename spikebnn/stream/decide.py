"""From windows to decisions: frames, simulation, scores, smoothing; and which windows come while the chip is busy."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from spikebnn.arrays import F64, U8, Array
from spikebnn.encode import decode, encode
from spikebnn.errors import InputError
from spikebnn.program import Program
from spikebnn.simulate import Answer
from spikebnn.stream.plan import Scenario
from spikebnn.stream.window import Windows

BAD, LATE = "bad row", "too late"


class Presents(Protocol):
    """A program that takes frames."""

    def frames(self, bits: U8, record: bool = False) -> Answer:
        """Present frames, bits (frames, ticks, inputs)."""
        ...


class Chip:
    """When the chip takes a frame: not while it still takes in the one before, for period x tick seconds."""

    def __init__(self, busy: float | None) -> None:
        self.busy, self.free = busy, 0.0

    def fate(self, bad: bool, now: float) -> str:
        """Why a window is missed, or nothing; windows must be asked about in order."""
        if bad:
            return BAD
        if self.busy is not None:
            if now < self.free - 1e-9 * max(1.0, now):
                return LATE
            self.free = now + self.busy
        return ""


class Smoother:
    """Means of scores over the last windows, and the decision of most of the last windows; both begin anew in a segment.

    On a tie the class wins that was decided last. Missed windows have no say.
    """

    def __init__(self, vote: int, average: int) -> None:
        self.votes: deque[int] = deque(maxlen=vote)
        self.scores: deque[F64] = deque(maxlen=average)

    @property
    def plain(self) -> bool:
        """Every window decides for itself."""
        return self.votes.maxlen == self.scores.maxlen == 1

    def begin(self) -> None:
        """A new segment."""
        self.votes.clear()
        self.scores.clear()

    def decide(self, scores: F64) -> tuple[int, float]:
        """The class, and the margin of the scores behind it; scores (classes,)."""
        if self.scores.maxlen != 1:
            self.scores.append(scores)
            scores = np.mean(np.stack(self.scores), axis=0)
        first = int(scores.argmax())
        margin = float(margins(scores[None])[0])
        if self.votes.maxlen == 1:
            return first, margin
        self.votes.append(first)
        latest = list(reversed(self.votes))
        return max(latest, key=latest.count), margin  # the first of the largest is the latest

    def state(self) -> dict[str, Any]:
        """Everything that must be known to go on."""
        return {"votes": list(self.votes), "scores": [np.asarray(part) for part in self.scores]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.begin()
        self.votes.extend(int(vote) for vote in state["votes"])
        self.scores.extend(state["scores"])


def margins(scores: F64) -> F64:
    """The largest score of each window less the second largest; 0 where there is one alone. Scores (windows, classes)."""
    if scores.shape[1] < 2:
        return np.zeros(len(scores))
    top = np.partition(scores, -2, axis=1)
    out: F64 = top[:, -1] - top[:, -2]
    return out


def present(windows: Windows, taken: Array, plan: Scenario, program: Program, session: Presents, *, bits: bool,
            record: bool = False) -> tuple[F64, Answer, U8]:  # fmt: skip
    """Scores (windows, classes), answer, and input bits (windows, ticks, inputs) of the windows that are taken."""
    x = frames(windows.values[taken], plan.order, program, windows.row[taken], bits=bits)
    inputs = encode(program.encoder, x)
    answer = session.frames(inputs, record)
    return decode(program.decoder, answer.sums).reshape(int(taken.sum()), -1), answer, inputs


def frames(x: Array, order: str, program: Program, row: Array, *, bits: bool = False) -> Array:
    """Windows (windows, rows, channels) as frames in the network's own shape and type.

    Bits of an encoder become the two values that the network takes, such as -1 and 1. `row` numbers the windows' last
    rows, for messages. With the order "auto" a network of shape (channels, rows) gets channel after channel.
    """
    encoder = program.encoder
    _, length, channels = x.shape
    if length * channels != math.prod(encoder.shape):
        raise InputError(
            f"a window of {length} rows of {channels} values holds {length * channels}, and the network takes "
            f"{math.prod(encoder.shape)}; change the window, the channels or the encoder"
        )
    sizes = [size for size in encoder.shape if size > 1]
    across = order == "channels" or (order == "auto" and sizes == [channels, length] and channels != length)
    flat: Array = (x.transpose(0, 2, 1) if across else x).reshape(len(x), *encoder.shape)
    if bits and encoder.kind == "values":
        flat = np.where(flat > 0, encoder.high, encoder.low)
    own = np.dtype(encoder.dtype)
    if own.kind == "f":
        return flat.astype(own)
    low, high = (0, 1) if own.kind == "b" else (np.iinfo(own).min, np.iinfo(own).max)
    whole = (flat == np.rint(flat)) & (flat >= low) & (flat <= high)
    if not whole.all():
        place = np.argwhere(~whole)[0]
        raise InputError(
            f"the network takes whole numbers from {low} to {high}, and the window that ends in row {row[place[0]]} "
            f"holds {flat[tuple(place)]:g}; set a scale, choose an encoder, or round the data"
        )
    return flat.astype(own)
