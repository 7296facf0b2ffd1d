"""What SANA-FE's built-in units can represent of a program, and a sentence for everything that they cannot."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import InputError
from spikebnn.program import FORGETS, GRADED, MEMORYLESS, NO_FLOOR, NONE, Program

LONGEST = 6  # ticks of delay: one to the next time step, and 5 in `accumulator_with_delay` (src/models.hpp @8951ab0)
UNIT = 1024  # neurons that one dendrite or soma unit holds (loihi_max_compartments, src/models.hpp @8951ab0)


def check_representable(program: Program) -> None:
    """Raise InputError with every reason why SANA-FE would count otherwise than the tick law.

    Memoryless programs can be represented, and programs with state whose neurons stay at rest, silent, while
    nothing arrives: SANA-FE delivers an input one step after it was sent, so its first step is an empty one.
    """
    reasons = unrepresentable(program)
    if reasons:
        raise InputError(
            "SANA-FE cannot represent this program: "
            + "; ".join(reasons)
            + "; programs whose axons have one source each and whose neurons are memoryless or at rest in silence can"
        )


def unrepresentable(program: Program) -> list[str]:
    """The reasons, in words; empty where there are none."""
    found = []
    routes, lines = program.routes, program.lines
    axons = np.concatenate([routes[:, 2:4], lines[:, 1:3]])
    if merged := len(axons) - len(np.unique(axons, axis=0)):
        found.append(
            f"{merged} axons hear more than one source, and it would add up arrivals that are one event here"
        )
    pairs = routes[:, :3]
    if double := len(pairs) - len(np.unique(pairs, axis=0)):
        found.append(
            f"{double} routes reach a core that their neuron reaches already, and it sends one packet to a core"
        )
    longest = int(routes[:, 4].max(initial=0))
    if longest > LONGEST:
        found.append(f"a route takes {longest} ticks, and its longest delay is {LONGEST}")
    if graded := sum(int((core.reset == GRADED).sum()) for core in program.cores):
        found.append(f"{graded} neurons send numbers, and its built-in units send bits")
    if program.cores and (
        restless := sum(int(_restless(program, c).sum()) for c in range(len(program.cores)))
    ):
        found.append(f"{restless} neurons keep state and do not rest while nothing arrives")
    if strange := sum(int(_below_its_floor(program, c).sum()) for c in range(len(program.cores))):
        found.append(f"{strange} neurons without a reset fire below their floor")
    return found


def memoryless(program: Program) -> bool:
    """Whether every neuron forgets after every tick."""
    return all(bool((core.reset == MEMORYLESS).all()) for core in program.cores)


def _restless(program: Program, number: int) -> Array:
    core = program.cores[number]
    silent = (core.leak == 0) & (core.threshold > 0) & (core.floor <= 0)
    return np.asarray(~np.isin(core.reset, FORGETS) & ~silent)


def _below_its_floor(program: Program, number: int) -> Array:
    core = program.cores[number]
    return np.asarray((core.reset == NONE) & (core.floor != NO_FLOOR) & (core.threshold < core.floor))
