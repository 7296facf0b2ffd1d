"""Feed a sensor stream through a mapped network, row by row, and show its decisions.

  spikebnn stream shuttle --limit 200
  spikebnn stream --source rec.csv --net net.sbnn --window 2s --hop 0.5s --labels activity -o decisions.csv
  spikebnn stream --source 'clips/*.wav' --net words.sbnn --labels folder --encoder filterbank:bands=20
  spikebnn stream --source - --net net.sbnn --rate 50 --policy hold --checkpoint run.ckpt --resume
  spikebnn stream shuttle --sweep packet-loss=0,0.01,0.05 --seed 3 -o run.json --html run.html

SCENARIO is a .toml file, or the name of one that comes with spikebnn; options change what it says. On a terminal a live
view shows signal, spikes, decision, pace and energy; elsewhere, and with --no-live, each decision is a line. At the end:
missed windows, accuracy where labels are known, spikes and joules per decision, mean power. Ctrl-C ends the stream and
reports.

Kinds of fault:
{kinds}
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import spikebnn
from spikebnn.cli.curves import asked, curve_options, text_of
from spikebnn.cli.parser import positive
from spikebnn.cli.screen import answer, as_json, busy, check_output, write
from spikebnn.cli.stream_options import plan_of, source_options, window_options
from spikebnn.errors import InputError
from spikebnn.faults import KINDS
from spikebnn.faults.curve import FaultCurve
from spikebnn.recorded import Recorded
from spikebnn.stream import Decision, Recorder, Scenario, StreamReport, Watch, sweep
from spikebnn.stream.decisions import ENDINGS
from spikebnn.stream.live import LiveView
from spikebnn.stream.sweep import check_repeatable

INTERRUPTED = 130
__doc__ = (__doc__ or "").replace("{kinds}", "\n".join(f"  {kind:<14} {text}" for kind, text in KINDS.items()))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        "scenario", metavar="SCENARIO", nargs="?", help="a .toml file, or a name such as shuttle"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="stop after N windows")
    parser.add_argument("--summary", action="store_true", help="print the summary alone, no decisions")
    parser.add_argument(
        "-o", "--output", metavar="FILE", action="append", default=[],
        help="decisions to write (.csv, .jsonl), or the run for `report` (.json); may be given more than once",
    )  # fmt: skip
    parser.add_argument("--html", metavar="FILE", help="page to write, with figures, for a browser")
    parser.add_argument(
        "--live", action=argparse.BooleanOptionalAction, default=None,
        help="a live view in place of a line for each decision (default: on a terminal)",
    )  # fmt: skip
    own = parser.add_argument_group("a recording of your own, in place of SCENARIO")
    own.add_argument("--source", metavar="FILE", action="append",
                     help=".csv .npz .wav .edf .aedat4 .es, a folder, a pattern, -, tcp://host:port")  # fmt: skip
    own.add_argument("--net", metavar="NET", help="net.sbnn, or a network to be mapped onto --target")
    own.add_argument(
        "--target",
        "-t",
        metavar="NAME",
        help="where NET is no program, or was mapped for a target file of your own",
    )
    source_options(parser.add_argument_group("source"))
    window_options(parser.add_argument_group("window and decision"))
    more = parser.add_argument_group("stop and resume")
    more.add_argument(
        "--checkpoint", metavar="FILE", help="keep the stream's state here, about once a second"
    )
    more.add_argument("--resume", action="store_true", help="go on from the checkpoint, if it is there")
    more.add_argument(
        "--every",
        type=float,
        metavar="SECONDS",
        help="time between checkpoints (default 1; 0: after every batch)",
    )
    odd = parser.add_argument_group("faults")
    odd.add_argument("--fault", metavar="KIND=RATE", action="append", default=[], help="may be given more than once")
    curve_options(odd)


def execute(chosen: argparse.Namespace) -> int:
    """Stream, show it as it goes, sum up."""
    scenario = plan_of(chosen)
    curves = asked(chosen.sweep)
    runs, decisions = _outputs(chosen)
    _check(chosen, scenario, bool(curves))
    lines = not (chosen.json or chosen.quiet or chosen.summary or curves)
    recorder = Recorder() if runs or chosen.html else None
    screen = _screen(chosen) if lines else None

    def show(decision: Decision) -> None:
        if not scenario.show or decision.chosen is None or decision.name in scenario.show:
            print(line_of(decision), flush=True)

    printed = lines and (screen is None or screen.file is not sys.stdout)
    with _terminated(), screen or nullcontext():
        watch: list[Watch] = [each for each in (recorder, screen) if each is not None]
        report = spikebnn.stream(
            scenario, limit=chosen.limit, on_decision=show if printed else None,
            output=decisions, checkpoint=chosen.checkpoint, resume=chosen.resume, every=chosen.every, watch=watch,
        )  # fmt: skip
    made = _curves(chosen, scenario, curves, report) if report.stopped != "interrupted" else []
    facts = {**report.as_dict(), "curves": [curve.as_dict() for curve in made]} if curves else dict(report.as_dict())
    told = "\n\n".join([report.text(), *map(text_of, made)])
    answer(chosen, f"\n{told}" if lines else told, facts)  # before files, so that a full disk does not cost the report
    sys.stdout.flush()
    if recorder is not None:
        _write(chosen, recorder.recorded(made), runs)
    if report.stopped == "broken":
        raise InputError(report.broken)
    return INTERRUPTED if report.stopped == "interrupted" else 0


def line_of(decision: Decision) -> str:
    """One decision, one line."""
    if decision.chosen is None:
        return f"{decision.time:10.3f} s  missed   {decision.name}"
    marks = {True: "", False: f"  wrong, it was {decision.truth}", None: ""}[decision.right]
    held = "  a bad reading was mended" if decision.held else ""
    return (
        f"{decision.time:10.3f} s  {decision.name:<8} margin {decision.margin:<8.4g} "
        f"{decision.spikes:5d} spikes {decision.synaptic_events:7d} synaptic events{marks}{held}"
    )


def _outputs(chosen: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Files of the whole run, and files of decisions; InputError for a name that says neither."""
    inputs = (chosen.scenario, chosen.net, chosen.checkpoint, *(chosen.source or ()))
    every = [*chosen.output, *([chosen.html] if chosen.html else [])]
    for path in every:
        check_output(path, *inputs)
        if [os.path.realpath(each) for each in every].count(os.path.realpath(path)) > 1:
            raise InputError(f"{path} is named twice as an output")
    decisions = [path for path in chosen.output if Path(path).suffix.lower() in ENDINGS]
    runs = [path for path in chosen.output if path not in decisions]
    for path in runs:
        if Path(path).suffix.lower() != ".json":
            hint = "; a page is written with --html" if Path(path).suffix.lower() in (".html", ".htm") else ""
            raise InputError(f"-o {path}: the name must end in {', '.join(ENDINGS)} (decisions) or .json (the run){hint}")
    return runs, decisions


def _check(chosen: argparse.Namespace, scenario: Scenario, curves: bool) -> None:
    """Raise InputError, before any work, for options that do not go together."""
    if curves and (chosen.checkpoint or chosen.resume):
        raise InputError("--sweep runs the stream several times, so it keeps no checkpoint; sweep without --checkpoint")
    if curves:
        check_repeatable(scenario)
    elif chosen.repeats != 1:
        raise InputError("--repeats is the number of seeds of a sweep, so name one with --sweep")
    if chosen.every is not None and chosen.checkpoint is None:
        raise InputError("--every is the time between checkpoints, so name a file with --checkpoint")
    if chosen.every is not None and not chosen.every >= 0:
        raise InputError(f"--every is a time of 0 s or more, found {chosen.every:g}")
    if chosen.html:
        from spikebnn.page import check_installed

        check_installed()


def _screen(chosen: argparse.Namespace) -> LiveView | None:
    """The live view where there is a terminal for it and nobody said no."""
    if chosen.live is False or os.environ.get("TERM") == "dumb":
        return None
    if sys.stdout.isatty():
        return LiveView(sys.stdout)
    if chosen.live and sys.stderr.isatty():
        return LiveView(sys.stderr)
    if chosen.live:
        print("spikebnn: note: no terminal, so no live view", file=sys.stderr)
    return None


def _curves(chosen: argparse.Namespace, scenario: Scenario, wanted: Sequence[tuple[str, list[float]]],
            known: StreamReport) -> list[FaultCurve]:  # fmt: skip
    """The same stream for every rate of every fault that was asked for."""
    made = []
    for kind, rates in wanted:
        with busy(chosen, f"the stream at {len(rates)} rates of {kind}"):
            made.append(sweep(scenario, kind, rates, limit=chosen.limit, repeats=chosen.repeats, known=known))
    return made


def _write(chosen: argparse.Namespace, recorded: Recorded, runs: Sequence[str]) -> None:
    for path in runs:
        write(path, as_json(recorded.to_json()))
    if chosen.html:
        from spikebnn.page import stream_html

        write(chosen.html, stream_html(recorded))


@contextmanager
def _terminated() -> Iterator[None]:
    """Let SIGTERM end the stream as Ctrl-C does, so that files are whole and the terminal is as it was."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
