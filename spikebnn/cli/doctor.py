"""Say what is installed here and what is missing, and probe every simulator with the conformance vectors.

Exit code 1 if a probe fails or a required package is missing.
"""

from __future__ import annotations

import argparse

from spikebnn.cli.screen import answer, busy
from spikebnn.doctor import Examination, doctor


def configure(parser: argparse.ArgumentParser) -> None:
    """This verb has no arguments of its own."""


def execute(chosen: argparse.Namespace) -> int:
    """Examine, and say what was found."""
    with busy(chosen, "probing the simulators"):
        found = doctor()
    answer(chosen, text_of(found), found.as_dict())
    return 0 if found.healthy else 1


def text_of(found: Examination) -> str:
    """The examination for reading."""
    lines = [
        f"spikebnn {found.spikebnn} in {found.place}",
        f"Python {found.python} on {found.platform}, {found.cores} cores",
        "",
        "packages",
    ]
    for package in found.packages:
        if package.version is not None:
            lines.append(f"  {package.name:<9} {package.version}")
        else:
            lines.append(f"  {package.name:<9} not installed: {package.use}; to get it: {package.remedy}")
    lines += ["", "simulators"]
    for name in dict.fromkeys(probe.simulator for probe in found.probes):
        mine = [probe for probe in found.probes if probe.simulator == name]
        bad = [probe for probe in mine if probe.difference]
        lines.append(f"  {name:<9} {len(mine) - len(bad)} of {len(mine)} probes passed")
        lines += [f"    {probe.vector}: {probe.difference}" for probe in bad]
    lines += [f"  {name:<9} not here: {why}" for name, why in found.missing.items()]
    return "\n".join(lines)
