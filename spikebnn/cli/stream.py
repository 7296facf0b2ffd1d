"""Feed a sensor stream through a mapped network, row by row, and print its decisions.

  spikebnn stream shuttle --limit 200

SCENARIO is a .toml file, or the name of one that comes with spikebnn. At the end: missed windows, accuracy
where labels are known, spikes and joules per decision, mean power. Ctrl-C ends the stream and still reports.
"""

from __future__ import annotations

import argparse

import spikebnn
from spikebnn.cli.parser import positive
from spikebnn.cli.screen import answer, as_json, check_output, write
from spikebnn.stream import Decision, load_scenario


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("scenario", metavar="SCENARIO", help="a .toml file, or a name such as shuttle")
    parser.add_argument("--limit", type=positive, metavar="N", help="stop after N windows")
    parser.add_argument("--summary", action="store_true", help="print the summary alone, no decisions")
    parser.add_argument("-o", "--output", metavar="FILE", help="summary to write, JSON")


def execute(chosen: argparse.Namespace) -> int:
    """Stream, print as it goes, sum up."""
    if chosen.output:
        check_output(chosen.output, chosen.scenario)
    scenario = load_scenario(chosen.scenario)
    silent = chosen.json or chosen.quiet or chosen.summary

    def show(decision: Decision) -> None:
        if not scenario.show or decision.chosen is None or decision.name in scenario.show:
            print(line_of(decision), flush=True)

    report = spikebnn.stream(scenario, limit=chosen.limit, on_decision=None if silent else show)
    facts = dict(report.as_dict())
    if chosen.output:
        write(chosen.output, as_json(facts))
    answer(chosen, report.text() if silent else f"\n{report.text()}", facts)
    return 130 if report.stopped == "interrupted" else 0


def line_of(decision: Decision) -> str:
    """One decision, one line."""
    if decision.chosen is None:
        return f"{decision.time:10.3f} s  missed   {decision.name}"
    marks = {True: "", False: f"  wrong, it was {decision.truth}", None: ""}[decision.right]
    held = "  a bad row was repeated" if decision.held else ""
    return (
        f"{decision.time:10.3f} s  {decision.name:<8} margin {decision.margin:<8.4g} "
        f"{decision.spikes:5d} spikes {decision.synaptic_events:7d} synaptic events{marks}{held}"
    )
