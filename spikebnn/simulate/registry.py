"""The registry of simulators: names to makers, which import what they need only when asked."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable

from spikebnn.errors import InputError, SimulatorMissing
from spikebnn.simulate.protocol import Simulator

GROUP = "spikebnn.simulators"  # entry points: name = "package.module:maker", the maker takes nothing

# name -> "package.module:maker", as in an entry point
SIMULATORS = {
    "bitwise": "spikebnn.simulate.bitwise:Bitwise",
    "brian2": "spikebnn.brian2.simulator:Brian2",
    "lava": "spikebnn.lava.simulator:Lava",
    "reference": "spikebnn.simulate.reference:Reference",
}


def known() -> dict[str, str]:
    """Every name with its "package.module:maker": ours, and those that other packages offer."""
    offered = importlib.metadata.entry_points(group=GROUP)
    return {**{entry.name: entry.value for entry in offered}, **SIMULATORS}


def installed() -> list[str]:
    """Names of the simulators that can be used here; those whose package is missing are left out."""
    out = []
    for name in sorted(known()):
        try:
            simulator(name)
        except SimulatorMissing:
            continue
        out.append(name)
    return out


def simulator(name: str) -> Simulator:
    """The simulator of that name; an unknown name lists the known ones."""
    makers = SIMULATORS if name in SIMULATORS else known()  # looking at all packages takes a while
    if name not in makers:
        raise InputError(f"there is no simulator {name!r}; known are {', '.join(sorted(makers))}")
    module, _, maker = makers[name].partition(":")
    try:
        make: Callable[[], Simulator] = getattr(importlib.import_module(module), maker)
    except SimulatorMissing as why:  # it says itself what is missing
        raise SimulatorMissing(f"the simulator {name} cannot be used: {why}") from why
    except (ImportError, AttributeError) as why:
        raise SimulatorMissing(
            f"the simulator {name} cannot be loaded: {why}; install what it needs, or use bitwise"
        ) from why
    return make()
