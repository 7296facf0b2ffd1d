"""Set scores side by side: do their energy intervals overlap, and on which constants do they rest?

  spikebnn compare loihi.json truenorth.json
  spikebnn compare old.json new.json --fail-if "accuracy < base.accuracy or energy.v > 1.1 * base.energy.v"

  spikebnn compare *.json --fail-if "energy.hi > 2uJ" --fail-if "accuracy < 95%"
  spikebnn compare *.json -o scatter.html        energy against accuracy; also .svg, .pdf, .png
  spikebnn compare *.json --format csv           a row of numbers per score; also markdown, latex

The first score is the base. With --fail-if the exit code is 1 if an expression is true of any score.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import spikebnn
from spikebnn.cli.screen import answer, colored, write, write_bytes

_FORMS = ("text", "markdown", "csv", "latex")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("scores", nargs="+", metavar="RUN.json", help="scores written by `spikebnn run -o`")
    parser.add_argument("--labels", metavar="A,B", help="names for the columns (default: the files' names)")
    parser.add_argument("--format", choices=_FORMS, default="text", help="how to print")
    parser.add_argument(
        "--fail-if",
        metavar="EXPR",
        action="append",
        default=[],
        help="exit 1 if this is true of a score, as in 'cores > base.cores'; may be given more than once",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the comparison here instead of printing it; .html, .svg, .pdf, .png: the picture",
    )


def execute(chosen: argparse.Namespace) -> int:
    """Compare, print, and judge if asked to."""
    from spikebnn.compare import mismatches, verdicts
    from spikebnn.gate import numbers
    from spikebnn.scatter import SUFFIXES

    labels = None if chosen.labels is None else chosen.labels.split(",")
    found = spikebnn.compare(*chosen.scores, labels=labels)
    failing = {gate: found.failing(gate) for gate in chosen.fail_if}
    picture = Path(chosen.output or "").suffix.lower() in SUFFIXES
    text = found.text(chosen.format, color=colored() and not chosen.output).rstrip()
    facts = {
        "mismatches": mismatches(found),
        "verdicts": verdicts(found),
        "ranking": {
            "cheapest_first": list(found.ranking.labels),
            "robust": found.ranking.robust,
            "may_swap": [list(pair) for pair in found.ranking.swaps],
        },
        "scores": [{"label": label, **numbers(score)} for label, score in zip(found.labels, found.scores)],
        "fail_if": [{"expression": gate, "failing": list(labels)} for gate, labels in failing.items()],
        "failing": list(dict.fromkeys(label for labels in failing.values() for label in labels)),
    }
    if picture:
        write_bytes(chosen.output, found.draw(chosen.output), *chosen.scores)
    elif chosen.output:
        write(chosen.output, text, *chosen.scores)
    if not chosen.output or chosen.json:
        answer(chosen, text, facts)
    for gate, labels in failing.items():
        if labels and not chosen.json:
            answer(chosen, f"\nfails: {gate} is true of {', '.join(labels)}", None)
    return 1 if facts["failing"] else 0
