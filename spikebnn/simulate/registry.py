"""The registry of simulators: names to makers, which import what they need only when asked."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

from spikebnn.errors import InputError, SimulatorMissing
from spikebnn.simulate.protocol import Simulator

GROUP = "spikebnn.simulators"  # entry points: name = "package.module:maker", the maker takes nothing
PLANNED = ("brian2", "lava")


def _reference() -> Simulator:
    from spikebnn.simulate.reference import Reference

    return Reference()


def _bitwise() -> Simulator:
    from spikebnn.simulate.bitwise import Bitwise

    return Bitwise()


SIMULATORS: dict[str, Callable[[], Simulator]] = {"bitwise": _bitwise, "reference": _reference}


def installed() -> list[str]:
    """Names of the simulators that can be used here; those whose package is missing are left out."""
    found = {entry.name for entry in importlib.metadata.entry_points(group=GROUP)}
    out = []
    for name in sorted({*SIMULATORS, *found}):
        try:
            simulator(name)
        except SimulatorMissing:
            continue
        out.append(name)
    return out


def simulator(name: str) -> Simulator:
    """The simulator of that name; an unknown name lists the known ones."""
    if name in SIMULATORS:
        return SIMULATORS[name]()
    found = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
    if name in found:
        try:
            maker: Callable[[], Simulator] = found[name].load()
        except ImportError as why:
            raise SimulatorMissing(
                f"the simulator {name} cannot be loaded: {why}; install what it needs, or use bitwise"
            ) from why
        return maker()
    if name in PLANNED:
        known = " or ".join(sorted(SIMULATORS))
        raise SimulatorMissing(f"the simulator {name} is not part of this version; use {known}")
    known = ", ".join(sorted({*SIMULATORS, *found}))
    raise InputError(f"there is no simulator {name!r}; known are {known}")
