"""Say whether a network fits a target: every violation with its layer, number, limit and remedy.

Nothing is mapped and nothing is written. Exit code 0 if it fits, 1 if not.
"""

from __future__ import annotations

import argparse

import spikebnn
from spikebnn.cli.mapping import choices, mapping_options
from spikebnn.cli.screen import answer, busy


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    mapping_options(parser)


def execute(chosen: argparse.Namespace) -> int:
    """Check, and list what is in the way."""
    from spikebnn.pipeline import refusal

    target = spikebnn.load_target(chosen.target)
    with busy(chosen, f"checking {chosen.network} against {chosen.target}"):
        violations = spikebnn.check(chosen.network, target, **choices(chosen))
    found = [{name: getattr(violation, name) for name in violation.__slots__} for violation in violations]
    text = refusal(violations, target) if violations else f"{chosen.network} fits {target.name}"
    answer(chosen, text, {"target": target.name, "fits": not violations, "violations": found})
    return 1 if violations else 0
