"""Feed a sensor stream through a mapped network, row by row, and print its decisions.

  spikebnn stream shuttle --limit 200
  spikebnn stream --source rec.csv --net net.sbnn --window 2s --hop 0.5s --labels activity -o decisions.csv
  spikebnn stream --source 'clips/*.wav' --net words.sbnn --labels folder --encoder filterbank:bands=20
  spikebnn stream --source - --net net.sbnn --rate 50 --policy hold --checkpoint run.ckpt --resume
  spikebnn stream shuttle --sweep packet-loss=0,0.01,0.05 --seed 3

SCENARIO is a .toml file, or the name of one that comes with spikebnn; options change what it says. At the end: missed
windows, accuracy where labels are known, spikes and joules per decision, mean power. Ctrl-C ends the stream and reports.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import spikebnn
from spikebnn.cli.parser import positive
from spikebnn.cli.screen import answer, as_json, check_output, table, write
from spikebnn.encoders import known as known_encoders
from spikebnn.encoders import parse, spec
from spikebnn.errors import InputError
from spikebnn.faults import KINDS, Faults
from spikebnn.stream import Decision, Scenario, StreamReport, load_scenario, scenario_of
from spikebnn.stream.decisions import ENDINGS

OPTIONS = {
    "file": "--source",
    "rows": "--window",
    "program": "--net",
    "net": "--net",
}  # keys whose option is named otherwise


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        "scenario", metavar="SCENARIO", nargs="?", help="a .toml file, or a name such as shuttle"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="stop after N windows")
    parser.add_argument("--summary", action="store_true", help="print the summary alone, no decisions")
    parser.add_argument(
        "-o", "--output", metavar="FILE", action="append", default=[],
        help="decisions to write (.csv, .jsonl), or the summary (.json); may be given more than once",
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
    _source_options(parser.add_argument_group("source"))
    _window_options(parser.add_argument_group("window and decision"))
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
    odd.add_argument(
        "--fault", metavar="KIND=RATE", action="append", default=[], help=f"kinds: {', '.join(KINDS)}"
    )
    odd.add_argument(
        "--sweep",
        metavar="KIND=R1,R2,...",
        help="run once for every rate, and print accuracy and misses against it",
    )
    odd.add_argument("--seed", type=int, metavar="N", help="of the faults (default 0)")


def _source_options(group: Any) -> None:
    group.add_argument(
        "--rate", type=float, metavar="HZ", help="rows per second, where the source does not say"
    )
    group.add_argument(
        "--labels",
        metavar="NAME",
        help="column or array of labels; folder; annotations; or a .csv with start,stop,label",
    )
    group.add_argument("--classes", metavar="A,B,...", help="names of the classes, in the network's order")
    group.add_argument(
        "--columns", metavar="A,B,...", help="the sensors, by name (default: all that hold numbers)"
    )
    group.add_argument("--time", metavar="NAME", help="column of times (default: found by its name)")
    group.add_argument("--unit", metavar="UNIT", help="of the times: s, ms, us, ns, min, h")
    group.add_argument(
        "--times",
        metavar="WAY",
        help="grid, linear or rows: put on a grid, resample, or take rows as they come",
    )
    group.add_argument(
        "--segments", metavar="NAME", help="column or array; no window reaches across a change of it"
    )
    group.add_argument("--scale", type=float, metavar="F", help="every reading is multiplied by this")
    group.add_argument("--separator", metavar="C", help="of a CSV (default: found)")
    group.add_argument("--decimal", metavar="C", help="decimal mark of a CSV, . or ,")
    group.add_argument("--limits", metavar="LO,HI", help="readings at or beyond these are clipped")
    group.add_argument(
        "--policy", metavar="ACTION", action="append",
        help="about bad samples: skip, hold, interpolate, drop, refuse; for one kind: bad=, clipped=, gap=, late=, rate=",
    )  # fmt: skip
    group.add_argument("--longest", metavar="TIME", help="longest time that is held or interpolated")
    group.add_argument(
        "--overflow", metavar="WAY", help="live rows that come too fast: wait (default) or drop"
    )
    group.add_argument(
        "--duration", metavar="TIME", help="make a synthetic recording of this length out of an .npz"
    )
    group.add_argument(
        "--noise", type=float, metavar="F", help="of the synthetic recording, in standard deviations"
    )


def _window_options(group: Any) -> None:
    group.add_argument(
        "--window", metavar="LENGTH", help="rows, or a time such as 1s (default: what the network takes)"
    )
    group.add_argument("--hop", metavar="LENGTH", help="from one window to the next (default: a window)")
    group.add_argument(
        "--order",
        metavar="WAY",
        help="rows or channels first in a frame (default: as the network's shape says)",
    )
    group.add_argument(
        "--encoder", metavar="NAME:K=V,...", action="append",
        help=f"may be given more than once; {', '.join(sorted(known_encoders()))}; or a .json file",
    )  # fmt: skip
    group.add_argument("--vote", type=positive, metavar="N", help="the decision of most of N windows")
    group.add_argument("--average", type=positive, metavar="N", help="the mean of the scores of N windows")
    group.add_argument(
        "--state",
        metavar="WAY",
        help="keep or rest: of the cores between windows (default: as the program needs)",
    )
    group.add_argument("--simulator", "-s", metavar="NAME", help="bitwise (default) or reference")


def execute(chosen: argparse.Namespace) -> int:
    """Stream, print as it goes, sum up."""
    scenario = plan_of(chosen)
    summaries = [path for path in chosen.output if Path(path).suffix.lower() not in ENDINGS]
    decisions = [path for path in chosen.output if path not in summaries]
    for path in chosen.output:
        check_output(path, chosen.scenario, chosen.net, chosen.checkpoint, *(chosen.source or ()))
    if chosen.sweep:
        return _sweep(chosen, scenario, summaries, decisions)
    if chosen.every is not None and chosen.checkpoint is None:
        raise InputError("--every is the time between checkpoints, so name a file with --checkpoint")
    silent = chosen.json or chosen.quiet or chosen.summary

    def show(decision: Decision) -> None:
        if not scenario.show or decision.chosen is None or decision.name in scenario.show:
            print(line_of(decision), flush=True)

    report = spikebnn.stream(
        scenario, limit=chosen.limit, on_decision=None if silent else show, output=decisions, checkpoint=chosen.checkpoint,
        resume=chosen.resume, every=chosen.every,
    )  # fmt: skip
    facts = dict(report.as_dict())
    for path in summaries:
        write(path, as_json(facts))
    answer(chosen, report.text() if silent else f"\n{report.text()}", facts)
    return 130 if report.stopped == "interrupted" else 0


def plan_of(chosen: argparse.Namespace) -> Scenario:
    """The scenario that is named, or the one that the options describe, changed as the options say."""
    if (chosen.scenario is None) == (chosen.source is None):
        raise InputError(
            "name a scenario, such as shuttle, or a recording of your own with --source and --net; "
            "see spikebnn stream --help"
        )
    if chosen.scenario is not None:
        foreign = [name for name in ("net", "target") if getattr(chosen, name) is not None]
        if foreign:
            raise InputError(
                f"the scenario {chosen.scenario} names its own network; --{foreign[0]} goes with --source"
            )
        raw = _raw(chosen, None)
        changed = [f"--{key}" for part in ("source", "window") for key in raw.get(part, {})]
        if changed:
            raise InputError(
                f"{changed[0]} goes with --source; in the scenario {chosen.scenario} change its file"
            )
        return _changed(load_scenario(chosen.scenario), chosen, raw)
    if chosen.net is None:
        raise InputError("--source needs a network: --net net.sbnn, or --net net.pt with --target")
    program = chosen.net.endswith(".sbnn")
    if not program and chosen.target is None:
        raise InputError(f"{chosen.net} is no program (.sbnn), so name the target to map it onto: --target")
    network = {"program" if program else "net": chosen.net}
    network |= {} if chosen.target is None else {"target": chosen.target}
    raw = _raw(chosen, chosen.source)
    network |= {
        key: getattr(chosen, key) for key in ("simulator", "state") if getattr(chosen, key) is not None
    }
    raw["network"] = network
    name = "standard input" if chosen.source == ["-"] else Path(chosen.source[0]).stem
    return scenario_of(
        raw, name=name or "stream", where="the options", naming=lambda _, key: OPTIONS.get(key, f"--{key}")
    )


def _raw(chosen: argparse.Namespace, files: Sequence[str] | None) -> dict[str, Any]:
    """The options as a table of the form of a scenario's file."""
    plain = ("rate", "labels", "time", "unit", "times", "segments", "scale", "separator", "decimal", "policy", "longest",
             "overflow", "duration", "noise")  # fmt: skip
    source: dict[str, Any] = {key: getattr(chosen, key) for key in plain if getattr(chosen, key) is not None}
    if files is not None:
        source["file"] = files[0] if len(files) == 1 else list(files)
    if chosen.columns is not None:
        source["columns"] = _words(chosen.columns)
    if chosen.limits is not None:
        source["limits"] = _pair(chosen.limits)
    for key in ("longest", "duration"):
        if key in source:
            source[key] = _plain(source[key])
    if source.get("separator") in ("tab", "\\t"):
        source["separator"] = "\t"
    window = {
        key: _plain(value)
        for key, value in (("rows", chosen.window), ("hop", chosen.hop))
        if value is not None
    }
    if chosen.order is not None:
        window["order"] = chosen.order
    raw: dict[str, Any] = {"source": source, "window": window}
    raw["decision"] = {
        key: getattr(chosen, key) for key in ("vote", "average") if getattr(chosen, key) is not None
    }
    if chosen.encoder is not None:
        raw["encoder"] = _encoders(chosen)
    if chosen.fault or chosen.seed is not None:
        raw["faults"] = {**dict(_fault(text) for text in chosen.fault), "seed": chosen.seed or 0}
    if chosen.classes is not None:
        raw["report"] = {"classes": _words(chosen.classes)}
    return raw


def _changed(plan: Scenario, chosen: argparse.Namespace, raw: dict[str, Any]) -> Scenario:
    """A scenario of a file with those of its parts changed that may be."""
    changes: dict[str, Any] = dict(raw["decision"])
    if "encoder" in raw:
        changes["encoder"] = tuple(MappingProxyType(dict(part)) for part in raw["encoder"])
    if "faults" in raw:
        faults = dict(raw["faults"])
        changes |= {"seed": faults.pop("seed"), "faults": MappingProxyType(faults)}
        Faults(rates=faults)
    if "report" in raw:
        changes["classes"] = tuple(raw["report"]["classes"])
    changes |= {
        key: getattr(chosen, key) for key in ("simulator", "state") if getattr(chosen, key) is not None
    }
    return dataclasses.replace(plan, **changes)


def _encoders(chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """The encoders as tables. Those that ask for a rate or a frame's size get it when the source is open."""
    out: list[dict[str, Any]] = []
    for text in chosen.encoder:
        if text.endswith(".json"):
            out += spec(parse([text]))
            continue
        name, _, rest = text.partition(":")
        table: dict[str, Any] = {"name": name}
        for part in filter(None, rest.split(",")):
            key, equals, value = part.partition("=")
            if not equals:
                raise InputError(
                    f"--encoder {text} holds {part!r}; options are written NAME:OPTION=VALUE,OPTION=VALUE"
                )
            table[key.strip()] = _value(value.strip())
        out.append(table)
    return out


def _value(text: str) -> Any:
    if "/" in text:
        return [_value(part) for part in text.split("/")]
    if text in ("true", "false"):
        return text == "true"
    return _plain(text)


def _plain(text: Any) -> Any:
    """A number where it is one, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except (TypeError, ValueError):
            pass
    return text


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _pair(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--limits takes two numbers, LO,HI, found {text!r}") from None


def _fault(text: str) -> tuple[str, float]:
    kind, _, rate = text.partition("=")
    try:
        return kind, float(rate)
    except ValueError:
        raise InputError(f"a fault is written KIND=RATE, such as packet-loss=0.01, found {text!r}") from None


def _sweep(chosen: argparse.Namespace, scenario: Scenario, summaries: list[str], decisions: list[str]) -> int:
    """The same stream for every rate of one fault."""
    if decisions or chosen.checkpoint or chosen.resume:
        raise InputError(
            "--sweep runs the stream several times, so it writes no decisions and no checkpoint; "
            "-o curve.json keeps its curve"
        )
    kind, _, rates = chosen.sweep.partition("=")
    texts = _words(rates)
    if not texts:
        raise InputError(
            f"a sweep is written KIND=RATE,RATE,..., such as packet-loss=0,0.01,0.1, found {chosen.sweep!r}"
        )
    reports = []
    for text in texts:
        faults = {**scenario.faults, kind: _fault(f"{kind}={text}")[1]}
        reports.append(
            (
                faults[kind],
                spikebnn.stream(
                    dataclasses.replace(scenario, faults=MappingProxyType(faults)), limit=chosen.limit
                ),
            )
        )
    curve = {
        "fault": kind,
        "seed": scenario.seed,
        "scenario": scenario.name,
        "points": [_point(rate, report) for rate, report in reports],
    }
    for path in summaries:
        write(path, as_json(curve))
    answer(chosen, _curve(kind, scenario, curve["points"]), curve)
    return 0


def _point(rate: float, report: StreamReport) -> dict[str, Any]:
    whole = report.as_dict()
    names = (
        "accuracy",
        "balanced_accuracy",
        "windows",
        "decisions",
        "missed_bad",
        "missed_late",
        "spikes",
        "by_class",
    )
    return {"rate": rate, **{name: whole[name] for name in names}}


def _curve(kind: str, scenario: Scenario, points: list[dict[str, Any]]) -> str:
    head = (kind, "accuracy", "mean over classes", "decisions", "missed", "spikes per decision")
    share = [
        ["-" if p[name] is None else f"{p[name]:.2%}" for name in ("accuracy", "balanced_accuracy")]
        for p in points
    ]
    rows = [(f"{p['rate']:g}", *told, p["decisions"], p["missed_bad"] + p["missed_late"], f"{p['spikes']:.1f}")
            for p, told in zip(points, share)]  # fmt: skip
    return f"{scenario.title}\nseed {scenario.seed}\n{table(head, rows)}"


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
