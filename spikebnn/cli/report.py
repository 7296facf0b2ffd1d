"""Print what a run found, or what a program holds.

spikebnn report run.json               a score written by `spikebnn run -o`
spikebnn report net.sbnn               sizes, layers and findings of a program
"""

from __future__ import annotations

import argparse
import zipfile

import spikebnn
from spikebnn.cli.facts import facts_of, text_of
from spikebnn.cli.screen import answer, colored, write
from spikebnn.errors import InputError

_FORMS = ("text", "markdown", "csv", "latex")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("file", metavar="FILE", help="run.json or net.sbnn")
    parser.add_argument("--format", choices=_FORMS, default="text", help="how to print a score")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report here instead of printing it")


def execute(chosen: argparse.Namespace) -> int:
    """Read, print."""
    if zipfile.is_zipfile(chosen.file):
        if chosen.format != "text":
            raise InputError(
                f"--format {chosen.format} is for scores; a program is printed as text or with --json"
            )
        facts = facts_of(spikebnn.load(chosen.file))
        return _out(chosen, text_of(facts), facts)
    from spikebnn.report import read_score

    score = read_score(chosen.file)
    color = colored() and not chosen.output
    return _out(
        chosen, spikebnn.report(score, form=chosen.format, color=color).rstrip(), score.to_json().rstrip()
    )


def _out(chosen: argparse.Namespace, text: str, data: object) -> int:
    if chosen.output:
        write(chosen.output, text, chosen.file)
        return 0
    answer(chosen, text, data)
    return 0
