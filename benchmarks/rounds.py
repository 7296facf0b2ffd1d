"""Ways of computing one thing take turns in one process; what counts is the median of the ratios of each round.

A machine that is busy for a while slows all ways of a round, so that ratios move less than speeds. Each way says by
which clock it goes: "CPU" is this process's CPU time, for ways on one thread; "wall" is for ways with several threads or
processes; "own" where another program measures its own loop. Two ways are compared by CPU time if both go by it, else by
the clock on the wall.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikebnn.arrays import Array

SETTLE = (
    0.1  # seconds for which a quick way runs untimed: heavy float code slows the integer code right behind it
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds that one turn took."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way: `turn` computes so many frames and returns what it spent and its answers (frames, ...)."""

    name: str
    frames: int
    turn: Callable[[], tuple[Spent, Array]]
    clock: str = "CPU"
    package: str = ""
    quick: bool = True  # runs untimed before its turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A way that cannot be taken here, and why."""

    name: str
    why: str


@dataclass(slots=True, kw_only=True)
class Timed:
    """A way's turns, seconds a frame."""

    way: Way
    turns: list[Spent] = field(default_factory=list)

    def seconds(self) -> float:
        """The median, by the way's own clock."""
        return statistics.median(_by(self.way.clock, spent) for spent in self.turns)

    def times(self, other: Timed) -> float:
        """How many times as fast as another: the median over the rounds."""
        clock = "CPU" if self.way.clock == other.way.clock == "CPU" else "wall"
        return statistics.median(_by(clock, b) / _by(clock, a) for a, b in zip(self.turns, other.turns))


def call(work: Callable[[], Any]) -> Callable[[], tuple[Spent, Array]]:
    """A turn that is one call in this process."""

    def turn() -> tuple[Spent, Array]:
        cpu, wall = time.process_time(), time.perf_counter()
        found = work()
        spent = Spent(cpu=time.process_time() - cpu, wall=time.perf_counter() - wall)
        return spent, np.asarray(found)

    return turn


def interleave(
    ways: Sequence[Way],
    rounds: int,
    want: Array | None,
    say: Callable[[str], None] = lambda _: None,
    settle: float = SETTLE,
) -> dict[str, Timed]:
    """All ways in every round; SystemExit where an answer is not the one that is wanted (frames, ...)."""
    timed = {way.name: Timed(way=way) for way in ways}
    for way in ways:  # compiles, warms, and compares
        say(f"first {way.name}")
        _check(way, way.turn()[1], want)
    for number in range(rounds):
        for way in ways:
            say(f"round {number + 1} of {rounds}: {way.name}")
            began = time.perf_counter()
            while way.quick and time.perf_counter() - began < settle:
                way.turn()
            spent, found = way.turn()
            _check(way, found, want)
            each = Spent(cpu=max(spent.cpu, 1e-12) / way.frames, wall=max(spent.wall, 1e-12) / way.frames)
            timed[way.name].turns.append(each)
    return timed


def ratios(timed: Mapping[str, Timed], name: str, others: Sequence[str]) -> dict[str, float]:
    """How many times as fast as each other way one of them is; those that were not measured are left out."""
    return {other: timed[name].times(timed[other]) for other in others if other in timed and name in timed}


def _check(way: Way, found: Array, want: Array | None) -> None:
    if want is not None and len(found) and not np.array_equal(found, want[: len(found)]):
        wrong = int((found != want[: len(found)]).reshape(len(found), -1).any(axis=1).sum())
        raise SystemExit(f"{way.name} is not exact: {wrong} of {len(found)} answers differ")


def _by(clock: str, spent: Spent) -> float:
    return spent.cpu if clock == "CPU" else spent.wall
