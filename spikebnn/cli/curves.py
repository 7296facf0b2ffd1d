"""Curves of faults on the command line: how one is asked for, and how it is printed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from spikebnn.cli.parser import positive
from spikebnn.cli.screen import table
from spikebnn.errors import InputError
from spikebnn.faults.curve import FaultCurve, check_kind


def curve_options(group: argparse._ArgumentGroup, *, required: bool = False) -> None:
    """Add what a curve needs: the kinds with their rates, the first seed, and how many seeds."""
    group.add_argument(
        "--sweep", metavar="KIND=R1,R2,...", action="append", default=[], required=required,
        help="run once for every rate, and print accuracy and misses against it; may be given more than once",
    )  # fmt: skip
    group.add_argument("--seed", type=int, metavar="N", help="of the faults (default 0)")
    group.add_argument(
        "--repeats", type=positive, default=1, metavar="N", help="seeds for every rate of a sweep (default 1)"
    )


def asked(texts: Sequence[str]) -> list[tuple[str, list[float]]]:
    """Kinds of fault and their rates, from KIND=RATE,RATE,...; checked before anything runs."""
    out = []
    for text in texts:
        kind, _, rest = text.partition("=")
        try:
            rates = [float(part) for part in rest.split(",") if part.strip()]
        except ValueError:
            rates = []
        if not rates:
            raise InputError(f"a sweep is written KIND=RATE,RATE,..., such as packet-loss=0,0.01,0.1, found {text!r}")
        check_kind(kind, rates)
        out.append((kind, rates))
    return out


def text_of(curve: FaultCurve) -> str:
    """A curve as a table."""
    seeds = f"seed {curve.seed}" if curve.repeats == 1 else f"seeds {curve.seed} to {curve.seed + curve.repeats - 1}"
    head = [curve.kind, "accuracy", "as without", "decided", f"{curve.unit} missed", "spikes per decision"]
    rows = []
    for each in curve.points:
        accuracy = _share(each.accuracy)
        if curve.repeats > 1 and each.lowest != each.highest:
            accuracy += f" ({_share(each.lowest)} to {_share(each.highest)})"
        rows.append([f"{each.rate:g}", accuracy, _share(each.agreement), f"{each.decisions:g}", f"{each.missed:g}",
                     f"{each.spikes:.1f}"])  # fmt: skip
    if all(each.agreement is None for each in curve.points):
        head, rows = [*head[:2], *head[3:]], [[*row[:2], *row[3:]] for row in rows]
    return f"{table(head, rows)}\n{seeds}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
