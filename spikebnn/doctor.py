"""Says what is installed here, what is missing and how to get it, and probes every simulator.

A probe is a conformance vector of `sims/conformance`: a tiny program, its input, and the exact spikes, membranes and
sums that it must give. It settles the questions where simulators differ: `>` against `>=`, the order of leak
and fire, what a reset keeps, when a spike arrives.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import SimulatorMissing
from spikebnn.simulate.conformance import Vector
from spikebnn.simulate.protocol import Simulator

LAVA_REMEDY = 'pip install "spikebnn[lava]"' + (
    "" if sys.version_info < (3, 11) else "; pip install --ignore-requires-python --no-deps lava-nc==0.10.0"
)  # lava-nc says that it needs Python < 3.11 and works beyond; its numpy < 2 likewise
PACKAGES = {
    "numpy": ("arrays; the core needs it", "pip install numpy"),
    "rich": ("progress bars", "pip install rich"),
    "numba": ("compiled kernels of the bit-packed simulator", 'pip install "spikebnn[fast]"'),
    "torch": (
        "export of networks, and torch's own kernels as judge in verify",
        'pip install "spikebnn[torch]"',
    ),
    "brian2": ("simulator, and home of the plugin spikebnn.brian2", 'pip install "spikebnn[brian2]"'),
    "lava-nc": ("simulator, and home of the plugin spikebnn.lava", LAVA_REMEDY),
}
REQUIRED = ("numpy",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that we use, installed or not."""

    name: str
    version: str | None
    use: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One vector on one simulator; `difference` is empty when it passed."""

    simulator: str
    vector: str
    difference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What the doctor found."""

    spikebnn: str
    place: str
    python: str
    platform: str
    cores: int
    packages: tuple[Package, ...]
    probes: tuple[Probe, ...]
    missing: Mapping[str, str] = field(default_factory=dict)  # simulators that cannot be used here, and why

    @property
    def healthy(self) -> bool:
        """All required packages are there, and no probe failed."""
        there = {package.name for package in self.packages if package.version is not None}
        return (
            set(REQUIRED) <= there
            and bool(self.probes)
            and not any(probe.difference for probe in self.probes)
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"healthy": self.healthy, **asdict(self)}


def doctor() -> Examination:
    """Look at this Python and probe every simulator that is installed in it."""
    import spikebnn

    return Examination(
        spikebnn=spikebnn.__version__,
        place=os.path.dirname(spikebnn.__file__ or ""),
        python=platform.python_version(),
        platform=platform.platform(),
        cores=os.cpu_count() or 1,
        packages=tuple(
            Package(name=name, version=_version(name), use=use, remedy=remedy)
            for name, (use, remedy) in PACKAGES.items()
        ),
        probes=tuple(_probes()),
        missing=_missing(),
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _missing() -> dict[str, str]:
    """The simulators that are known and cannot be used here."""
    from spikebnn.simulate import registry

    out = {}
    for name in sorted(registry.known()):
        try:
            registry.simulator(name)
        except SimulatorMissing as why:
            out[name] = str(why)
    return out


def _probes() -> list[Probe]:
    """Every vector on every simulator that is installed."""
    from spikebnn.simulate import registry
    from spikebnn.simulate.conformance import vectors

    known = vectors()
    return [
        Probe(simulator=name, vector=vector.name, difference=_difference(registry.simulator(name), vector))
        for name in registry.installed()
        for vector in known
    ]


def _difference(simulator: Simulator, vector: Vector) -> str:
    """Where the simulator leaves the vector, in words; empty if nowhere."""
    try:
        session = simulator.load(vector.program)
        trace = session.ticks(vector.drive[None], np.arange(vector.spikes.shape[1]))
        answer = None if vector.frames is None else session.frames(vector.frames.bits)
    except Exception as error:  # a simulator of somebody else may fail in any way
        return f"{type(error).__name__}: {error}"
    told = [
        _first("spike", ("tick", "neuron"), trace.spikes[0], vector.spikes),
        _first("membrane", ("tick", "neuron"), trace.membranes[0], vector.membranes),
    ]
    if answer is not None and vector.frames is not None:
        told += [
            _first("sum", ("frame", "sum"), answer.sums, vector.frames.sums),
            _first("spikes", ("frame", "core"), answer.counts.spikes, vector.frames.spikes),
            _first("axon events", ("frame", "core"), answer.counts.axon_events, vector.frames.axon_events),
            _first(
                "synaptic events",
                ("frame", "core"),
                answer.counts.synaptic_events,
                vector.frames.synaptic_events,
            ),
        ]
    return next((text for text in told if text), "")


def _first(what: str, axes: tuple[str, str], found: Array, wanted: Array) -> str:
    if found.shape != wanted.shape:
        return f"{what}: shape {found.shape}, wanted {wanted.shape}"
    wrong = np.argwhere(found != wanted)
    if not len(wrong):
        return ""
    row, column = wrong[0]
    return (
        f"{axes[0]} {row}, {axes[1]} {column}: {what} is {found[row, column]}, wanted {wanted[row, column]}"
    )
