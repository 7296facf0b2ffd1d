"""Set scores side by side: do their energy intervals overlap, and on which constants do they rest?

  spikebnn compare loihi.json truenorth.json
  spikebnn compare old.json new.json --fail-if "accuracy < base.accuracy or energy.v > 1.1 * base.energy.v"

The first score is the base. With --fail-if the exit code is 1 if the expression is true of any other score.
"""

from __future__ import annotations

import argparse

import spikebnn
from spikebnn.cli.screen import answer, colored, write

_FORMS = ("text", "markdown", "csv", "latex")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("scores", nargs="+", metavar="RUN.json", help="scores written by `spikebnn run -o`")
    parser.add_argument("--labels", metavar="A,B", help="names for the columns (default: the files' names)")
    parser.add_argument("--format", choices=_FORMS, default="text", help="how to print")
    parser.add_argument(
        "--fail-if", metavar="EXPR", help="exit 1 if this is true of a score, as in 'cores > base.cores'"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the comparison here instead of printing it"
    )


def execute(chosen: argparse.Namespace) -> int:
    """Compare, print, and judge if asked to."""
    from spikebnn.compare import mismatches, verdicts
    from spikebnn.gate import numbers

    labels = None if chosen.labels is None else chosen.labels.split(",")
    found = spikebnn.compare(*chosen.scores, labels=labels)
    failing = () if chosen.fail_if is None else found.failing(chosen.fail_if)
    text = found.text(chosen.format, color=colored() and not chosen.output).rstrip()
    facts = {
        "mismatches": mismatches(found),
        "verdicts": verdicts(found),
        "scores": [{"label": label, **numbers(score)} for label, score in zip(found.labels, found.scores)],
        "fail_if": chosen.fail_if,
        "failing": list(failing),
    }
    if chosen.output:
        write(chosen.output, text, *chosen.scores)
    if not chosen.output or chosen.json:
        answer(chosen, text, facts)
    if failing and not chosen.json:
        answer(chosen, f"\nfails: {chosen.fail_if} is true of {', '.join(failing)}", None)
    return 1 if failing else 0
