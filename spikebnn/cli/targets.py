"""List the known targets, show one with the source of every number, check a file of your own, or see how good they are.

spikebnn targets                    names and sizes
spikebnn targets show loihi-sim     every limit and cost, with sources
spikebnn targets check my-chip.toml every mistake in the file at once
spikebnn targets calibrate          what they predict for published measurements, misses included
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any

import spikebnn
from spikebnn.cli.screen import answer, colored, table
from spikebnn.errors import InputError
from spikebnn.targets.target import Quantity, Target

_FORMS = ("text", "markdown", "csv", "latex")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("action", nargs="?", choices=["list", "show", "check", "calibrate"], default="list")
    parser.add_argument("names", nargs="*", metavar="NAME", help="names, or paths of .toml files")
    parser.add_argument("--format", choices=_FORMS, default="text", help="how to print the table of `calibrate`")


def execute(chosen: argparse.Namespace) -> int:
    """Print what was asked for."""
    if chosen.format != "text" and chosen.action != "calibrate":
        raise InputError(f"--format {chosen.format} is for targets calibrate; {chosen.action} prints text or --json")
    if chosen.action == "list":
        if chosen.names:
            raise InputError(
                f"targets list takes no name; to see one: spikebnn targets show {chosen.names[0]}"
            )
        return _list(chosen)
    if chosen.action == "calibrate":
        return _calibrate(chosen)
    if not chosen.names:
        raise InputError(
            f"targets {chosen.action} needs a name or a .toml file; known are {', '.join(spikebnn.target_names())}"
        )
    found = [spikebnn.load_target(name) for name in chosen.names]
    if chosen.action == "show":
        answer(chosen, "\n\n".join(map(_text, found)), [_plain(target) for target in found])
    else:
        text = "\n".join(f"{name}: fine ({_costs(target)})" for name, target in zip(chosen.names, found))
        answer(chosen, text, [{"name": target.name, "digest": target.digest} for target in found])
    return 0


def _list(chosen: argparse.Namespace) -> int:
    found = [spikebnn.load_target(name) for name in spikebnn.target_names()]
    rows = [
        (
            t.name,
            t.topology.width * t.topology.height * t.topology.chips,
            t.core.neurons,
            t.core.axons,
            t.synapse.format,
            t.title,
        )
        for t in found
    ]
    answer(
        chosen,
        table(["target", "cores", "neurons", "axons", "synapses", "what it is"], rows),
        [_plain(t) for t in found],
    )
    return 0


def _calibrate(chosen: argparse.Namespace) -> int:
    from spikebnn.calibrate import page, predictions
    from spikebnn.tables import render

    text = render(page(chosen.names), chosen.format, color=colored()).rstrip()
    plain = [
        {
            "point": row.point, "preset": row.preset, "role": row.role,
            "measured": _plain(row.measured), "predicted": _plain(row.predicted), "lacks": list(row.lacks),
            "error": row.error, "inside": row.inside,
        }
        for row in predictions(chosen.names)
    ]  # fmt: skip
    answer(chosen, text, plain)
    return 0


def _text(target: Target) -> str:
    lines = [f"{target.name}: {target.title} ({target.vendor})", f"  file sha256 {target.digest}"]
    for section in ("topology", "core", "synapse", "fan", "neuron"):
        lines.append(f"\n  [{section}]")
        part = getattr(target, section)
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            lines.append(f"  {field.name:<22} {'no limit' if value is None else value}")
    for section in ("timing", "energy", "voltage"):
        if not getattr(target, section):
            continue
        lines.append(f"\n  [{section}]")
        quantities: Mapping[str, Quantity] = getattr(target, section)
        for name, q in quantities.items():
            lines.append(
                f"  {name:<22} {q.v:g} {q.unit}, between {q.lo:g} and {q.hi:g}; {q.kind}, {q.src}"
                + (f"; {q.cond}" if q.cond else "")
            )
    if target.left_out:
        lines += ["\n  not known, so not in any total: " + "; ".join(target.left_out)]
    if target.refs:
        lines += ["\n  sources", *(f"  {key:<22} {text}" for key, text in target.refs.items())]
    return "\n".join(lines)


def _costs(target: Target) -> str:
    return f"{len(target.energy)} costs, {len(target.timing)} times, {len(target.refs)} sources"


def _plain(value: Any) -> Any:
    """Frozen things as JSON has them."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
