"""A stream that is described by options on the command line, as a scenario."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spikebnn.battery import batteries, battery
from spikebnn.cli.parser import positive
from spikebnn.encoders import known as known_encoders
from spikebnn.encoders import parse, spec
from spikebnn.errors import InputError
from spikebnn.faults import Faults
from spikebnn.stream import Scenario, load_scenario, scenario_of
from spikebnn.stream.sources import known as known_sources

OPTIONS = {
    "file": "--source",
    "rows": "--window",
    "program": "--net",
    "net": "--net",
}  # keys whose option is named otherwise


def source_options(group: Any) -> None:
    """Add what can be said of a recording of one's own."""
    group.add_argument(
        "--rate", type=float, metavar="HZ", help="rows per second, where the source does not say"
    )
    group.add_argument(
        "--labels",
        metavar="NAME",
        help="column or array of labels; folder; annotations; or a .csv with start,stop,label",
    )
    group.add_argument(
        "--kind", metavar="NAME", help=f"where the file's name does not tell: {', '.join(sorted(known_sources()))}"
    )
    group.add_argument("--classes", metavar="A,B,...", help="names of the classes, in the network's order")
    group.add_argument(
        "--columns", metavar="A,B,...", help="the sensors, by name (default: all but times, labels and segments)"
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


def window_options(group: Any) -> None:
    """Add what can be said of windows, encoders and decisions."""
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
    group.add_argument(
        "--battery", metavar="NAME", help=f"say how long it lasts: {', '.join(batteries())}"
    )
    group.add_argument("--vote", type=positive, metavar="N", help="the decision of most of N windows")
    group.add_argument("--average", type=positive, metavar="N", help="the mean of the scores of N windows")
    group.add_argument(
        "--state",
        metavar="WAY",
        help="keep or rest: of the cores between windows (default: as the program needs)",
    )
    group.add_argument("--simulator", "-s", metavar="NAME", help="bitwise (default) or reference")


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
    plain = ("kind", "rate", "labels", "time", "unit", "times", "segments", "scale", "separator", "decimal", "policy",
             "longest", "overflow", "duration", "noise")  # fmt: skip
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
    report: dict[str, Any] = {} if chosen.classes is None else {"classes": _words(chosen.classes)}
    if chosen.battery is not None:
        report["battery"] = battery(chosen.battery).name
    return {**raw, "report": report} if report else raw


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
        changes |= {key: tuple(value) if key == "classes" else value for key, value in raw["report"].items()}
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
