"""Curves of faults: one kind of fault at several rates, on the same data and from the same seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spikebnn.arrays import F64, I64, Array
from spikebnn.encode import decode, encode
from spikebnn.errors import InputError
from spikebnn.faults import Faults
from spikebnn.labels import checked
from spikebnn.program import Program
from spikebnn.simulate import Answer, registry
from spikebnn.simulate.kept import Kept
from spikebnn.targets.target import Target

DROPOUT = "sensor-dropout"
MISSING = ("skip", "zero")  # what becomes of a frame with missing readings
FRAMES = 2048  # run together; a multiple of the frames of a stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run at one rate with one seed."""

    decisions: int
    missed: int  # frames or windows that were not decided
    accuracy: float | None  # share of the labelled decisions that are right
    agreement: float | None  # share of the decisions that are those of the unharmed run
    spikes: float  # per decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """All trials at one rate: means, and the ends of the accuracy."""

    rate: float
    decisions: float
    missed: float
    accuracy: float | None
    lowest: float | None  # accuracy of the worst seed
    highest: float | None  # accuracy of the best seed
    agreement: float | None
    spikes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCurve:
    """What a kind of fault does, rate by rate. The same seed gives the same curve."""

    kind: str
    unit: str  # what is decided: "frames" or "windows"
    seed: int
    repeats: int  # seeds from `seed` on
    points: tuple[Point, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "points": [asdict(point) for point in self.points]}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> FaultCurve:
        """Undo `as_dict`; raises InputError where the data are no curve."""
        try:
            points = tuple(Point(**point) for point in data["points"])
            return FaultCurve(**{**data, "points": points})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"this is no curve of faults: {error}; run again") from error


def check_kind(kind: str, rates: Sequence[float]) -> None:
    """Raise InputError for a kind of fault or a rate that is none, or where there is no rate at all."""
    if not rates:
        raise InputError(f"a curve of {kind} needs a rate, such as 0, 0.01 and 0.1")
    for rate in rates:
        Faults(rates={kind: rate})


def point(rate: float, trials: Iterable[Trial]) -> Point:
    """The means of some trials at one rate; unknown where one of them does not know."""
    told = list(trials)

    def mean(name: str) -> float | None:
        values = [getattr(trial, name) for trial in told]
        return None if None in values else float(np.mean(values))

    right = [trial.accuracy for trial in told if trial.accuracy is not None]
    known = len(right) == len(told)
    return Point(rate=rate, decisions=mean("decisions") or 0.0, missed=mean("missed") or 0.0, accuracy=mean("accuracy"),
                 lowest=min(right) if known else None, highest=max(right) if known else None,
                 agreement=mean("agreement"), spikes=mean("spikes") or 0.0)  # fmt: skip


def fault_curve(
    program: Program,
    target: Target,
    x: Array,
    y: Array | Sequence[int] | None = None,
    *,
    kind: str,
    rates: Sequence[float],
    seed: int = 0,
    repeats: int = 1,
    missing: str = "skip",
    simulator: str = "bitwise",
) -> FaultCurve:
    """Run frames `x` once for every rate of a kind of fault (see `spikebnn.faults.KINDS`) and every seed.

    `y` are true classes. A frame with a missing reading is not decided, or with `missing` "zero" the reading is 0, for
    a network of two values the lower. Rate 0 is the unharmed run. Raises InputError for a kind or rate that is none.
    """
    check_kind(kind, rates)
    if missing not in MISSING:
        raise InputError(
            f"a frame with a missing reading is treated by {' or '.join(MISSING)}, found {missing!r}"
        )
    if repeats < 1:
        raise InputError(f"a curve needs 1 seed or more, found {repeats}")
    frames = np.asarray(x)
    scores, spikes, _ = _answers(program, target, frames, Faults(rates={}), missing, simulator)
    own = scores.argmax(axis=1)
    labels = None if y is None else checked(y, len(frames), scores.shape[1])
    unharmed = _trial(own, own, labels, np.ones(len(frames), bool), spikes)

    def trial(rate: float, chosen: int) -> Trial:
        if not rate:
            return unharmed
        faults = Faults(rates={kind: rate}, seed=chosen)
        scores, spikes, taken = _answers(program, target, frames, faults, missing, simulator)
        return _trial(scores.argmax(axis=1), own, labels, taken, spikes)

    seeds = range(seed, seed + repeats)
    points = tuple(
        point(rate, [trial(rate, each) for each in (seeds if rate else seeds[:1])]) for rate in rates
    )
    return FaultCurve(kind=kind, unit="frames", seed=seed, repeats=repeats, points=points)


def _answers(
    program: Program, target: Target, x: Array, faults: Faults, missing: str, simulator: str
) -> tuple[F64, I64, Array]:
    """Scores (frames, classes), spikes (frames,), and which frames were decided; what was not is 0."""
    damaged = faults.damaged(program)
    strike = faults.strike(program, target.neuron.v_bits)
    session = (
        registry.simulator(simulator).load(damaged)
        if strike is None
        else Kept(damaged, keep=False, strike=strike)
    )
    taken, scores, spikes = np.ones(len(x), bool), [], []
    for first in range(0, len(x), FRAMES):
        some, whole = _sensed(program, x[first : first + FRAMES], faults, first)
        if missing == "skip":
            taken[first : first + FRAMES] = whole
        answer: Answer = session.frames(encode(program.encoder, some))
        scores.append(decode(program.decoder, answer.sums).reshape(len(some), -1))
        spikes.append(answer.counts.spikes.sum(axis=1))
    return np.concatenate(scores), np.concatenate(spikes), taken


def _sensed(program: Program, x: Array, faults: Faults, first: int) -> tuple[Array, Array]:
    """Frames as a sensor with drop-outs gives them, and which of them miss no reading."""
    if not faults.rate(DROPOUT):
        return x, np.ones(len(x), bool)
    flat = x.reshape(len(x), -1)
    lost = np.isnan(faults.sensed(np.zeros(flat.shape), first))
    nothing = program.encoder.low if program.encoder.kind == "values" else 0
    left: Array = np.where(lost, np.asarray(nothing, x.dtype), flat)
    return left.reshape(x.shape), np.logical_not(np.any(lost, axis=1, keepdims=True))[:, 0]


def _trial(classes: Array, unharmed: Array, labels: I64 | None, taken: Array, spikes: I64) -> Trial:
    many = int(taken.sum())

    def share(right: Array) -> float | None:
        return float(right[taken].mean()) if many else None

    return Trial(decisions=many, missed=len(taken) - many, accuracy=None if labels is None else share(classes == labels),
                 agreement=share(classes == unharmed), spikes=float(spikes[taken].mean()) if many else 0.0)  # fmt: skip
