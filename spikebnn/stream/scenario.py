"""Reads a `Scenario` from a TOML file, or from a table of the same form, and reports every mistake of it at once.

    title = "Space shuttle telemetry: one decision per row"
    [source]
    file = "../examples/shuttle/test.npz"   # beside this file; .npz, .csv, .wav, .edf, .aedat4, .es; "-"; tcp://host:port
    rate = 10.0                             # rows per second, where the source does not say
    [network]
    net = "../examples/shuttle/net.pt"      # with `target`; or program = "shuttle.sbnn"
    target = "truenorth-sim"

Everything else has a default; see the fields of `spikebnn.stream.plan`. In a file [window] rows is 1 and hop is 1 where
nothing is said. Encoders are tables: [[encoder]] name = "delta", step = 0.1.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spikebnn.battery import battery
from spikebnn.encoders.registry import seconds
from spikebnn.errors import InputError
from spikebnn.faults import Faults
from spikebnn.shelf import shelf
from spikebnn.stream.plan import LABELS, ORDERS, OVERFLOWS, POLICIES, STATES, TIMES, Scenario, SourcePlan
from spikebnn.stream.sources.registry import ENDINGS, kind_of, known
from spikebnn.stream.sources.text import UNITS

# what a value may be
WORDS = {
    "text": "a text", "number": "a number", "whole": "a whole number", "texts": "a list of texts",
    "numbers": "a list of numbers",
    "table": "a table", "tables": "a list of tables", "length": 'a whole number, or a time such as "2s"',
    "time": 'a number of seconds, or a time such as "2s"', "files": "a text, or a list of texts",
    "policy": "a text, a list of texts, or a table of texts",
}  # fmt: skip
KEYS: dict[str, dict[str, str]] = {
    "": {"schema": "whole", "title": "text", "source": "table", "window": "table", "network": "table", "decision": "table",
         "encoder": "tables", "faults": "table", "report": "table"},
    "source": {"file": "files", "kind": "text", "rate": "number", "array": "text", "labels": "text", "segments": "text",
               "columns": "texts", "scale": "number", "limits": "numbers", "time": "text", "unit": "text", "times": "text",
               "separator": "text", "decimal": "text", "policy": "policy", "longest": "time", "overflow": "text",
               "duration": "time", "noise": "number", "seed": "whole"},
    "window": {"rows": "length", "hop": "length", "order": "text", "label": "text"},
    "network": {"program": "text", "net": "text", "target": "text", "simulator": "text", "state": "text"},
    "decision": {"vote": "whole", "average": "whole"},
    "report": {"classes": "texts", "show": "texts", "beside": "text", "battery": "text"},
}  # fmt: skip
REQUIRED = {"": ("source", "network"), "source": ("file",)}
FOLDER_ENDINGS = (".wav", ".flac", ".ogg", ".csv", ".tsv", ".npz", ".edf", ".bdf", ".aedat4", ".es")
Naming = Callable[[str, str], str]


def load_scenario(path: str | os.PathLike[str], *, network: bool = True) -> Scenario:
    """Read and check a scenario; a name such as "shuttle" means the file of that name that comes with spikebnn.

    Raises InputError with every mistake of the file: unknown and missing keys, wrong types, values out of range, and
    files that are not there; but the network, and the decisions to stand beside its own, need not be there where `network` is
    False, as before it is trained. Paths in a scenario are relative to its own folder.
    """
    file = _find(path)
    raw = _parse(file)
    window = raw.get("window", {})
    if isinstance(window, dict):
        raw = {**raw, "window": {"rows": 1, "hop": 1, **window}}
    return scenario_of(raw, folder=file.parent, name=file.stem, where=str(path), network=network)


def scenario_of(raw: Mapping[str, Any], *, folder: str | os.PathLike[str] = ".", name: str = "stream",
                where: str = "the stream", naming: Naming | None = None, network: bool = True) -> Scenario:  # fmt: skip
    """The scenario that a table of the form of a file describes; `naming` says how its keys are called in messages."""
    call = naming or _key
    base = Path(folder)
    mistakes: list[str] = []
    _check_keys("", raw, mistakes, call, network)
    parts = {part: raw[part] for part in KEYS if part and isinstance(raw.get(part), Mapping)}
    for part, table in parts.items():
        _check_keys(part, table, mistakes, call)
    if not mistakes:
        mistakes += _check_values(base, raw, parts, call, network)
    if mistakes:
        head = (
            f"{where}: {mistakes[0]}"
            if len(mistakes) == 1
            else f"{where}: {len(mistakes)} mistakes: " + "; ".join(mistakes)
        )
        raise InputError(head)
    source, window, net = parts["source"], parts.get("window", {}), parts.get("network", {})
    decision, report, faults = parts.get("decision", {}), parts.get("report", {}), dict(raw.get("faults", {}))
    seed = int(faults.pop("seed", 0))
    own = "program" in net
    return Scenario(
        name=name,
        title=str(raw.get("title", name)),
        source=_source(base, source),
        network=_absolute(base, net["program" if own else "net"]) if net else "",
        program=own,
        target=_target(base, net["target"]) if "target" in net else None,
        simulator=str(net.get("simulator", "bitwise")),
        state=str(net.get("state", "auto")),
        encoder=tuple(MappingProxyType(dict(table)) for table in raw.get("encoder", ())),
        rows=_length(window.get("rows")),
        hop=_length(window.get("hop")),
        order=str(window.get("order", "auto")),
        label=str(window.get("label", "last")),
        vote=int(decision.get("vote", 1)),
        average=int(decision.get("average", 1)),
        faults=MappingProxyType({kind: float(rate) for kind, rate in faults.items()}),
        seed=seed,
        classes=tuple(report.get("classes", ())),
        show=tuple(report.get("show", ())),
        beside=None if "beside" not in report else _absolute(base, report["beside"]),
        battery=str(report.get("battery", "")),
    )


def scenario_names() -> list[str]:
    """The scenarios that come with spikebnn, by name."""
    return sorted(file.stem for file in shelf("sims").glob("*.toml"))


def policy_of(given: Any) -> dict[str, str]:
    """What is done about each kind of bad sample, from a word for all of them, words kind=action, or a table."""
    if isinstance(given, Mapping):
        pairs = [(str(kind), str(action)) for kind, action in given.items()]
    else:
        pairs = [
            tuple(word.partition("=")[::2]) if "=" in word else ("", word)
            for word in ([given] if isinstance(given, str) else given)
        ]
    out: dict[str, str] = {}
    for kind, action in pairs:
        actions = sorted({action for allowed in POLICIES.values() for action in allowed})
        if not kind and action in actions:
            out |= {
                each: action
                for each, allowed in POLICIES.items()
                if action in allowed and each not in ("clipped", "rate")
            }
            out |= {each: action for each in ("clipped", "rate") if action == "refuse"}
        elif not kind:
            raise InputError(
                f"there is no policy {action!r}; there are {', '.join(actions)}, for one kind as {next(iter(POLICIES))}=hold"
            )
        elif kind not in POLICIES:
            raise InputError(f"there is no kind of bad sample {kind!r}; there are {', '.join(POLICIES)}")
        elif action not in POLICIES[kind]:
            raise InputError(f"the policy for {kind} is one of {', '.join(POLICIES[kind])}, found {action!r}")
        else:
            out[kind] = action
    return out


def _source(folder: Path, source: Mapping[str, Any]) -> SourcePlan:
    files = _files(folder, source)
    texts = ("kind", "array", "segments", "time", "unit", "times", "separator", "decimal", "overflow")
    given: dict[str, Any] = {key: str(source[key]) for key in texts if key in source}
    labels = source.get("labels")
    if labels is not None:
        given["labels"] = _absolute(folder, labels) if str(labels).endswith(".csv") else str(labels)
    for key in ("longest", "duration"):
        if key in source:
            given[key] = _time(source[key])
    return SourcePlan(
        file=files[0],
        files=tuple(files) if len(files) > 1 else (),
        rate=None if source.get("rate") is None else float(source["rate"]),
        columns=tuple(source.get("columns", ())),
        scale=float(source.get("scale", 1.0)),
        limits=None if "limits" not in source else (float(source["limits"][0]), float(source["limits"][1])),
        policy=MappingProxyType(policy_of(source.get("policy", ()))),
        noise=float(source.get("noise", 0.0)),
        seed=int(source.get("seed", 0)),
        **given,
    )


def _files(folder: Path, source: Mapping[str, Any]) -> list[str]:
    """The files that are named: one, several, those of a pattern, or all recordings in a folder."""
    out: list[str] = []
    for named in [source["file"]] if isinstance(source["file"], str) else source["file"]:
        if kind_of(named) == "lines":
            out.append(named)
            continue
        path = str(Path(os.path.abspath(folder / named)))
        if os.path.isdir(path):
            inside = sorted(
                str(file) for file in Path(path).rglob("*") if file.suffix.lower() in FOLDER_ENDINGS
            )
            out += [file for file in inside if Path(file).suffix == Path(inside[0]).suffix]
        elif not os.path.exists(path) and glob.has_magic(path):
            out += sorted(glob.glob(path, recursive=True))
        else:
            out.append(path)
    return out


def _find(path: str | os.PathLike[str]) -> Path:
    file = Path(path)
    if file.is_file():
        return file.absolute()
    if file.name == str(path) and not file.suffix:
        shipped = shelf("sims") / f"{path}.toml"
        if shipped.is_file():
            return shipped
        raise InputError(f"{path}: there is no such scenario; spikebnn comes with {', '.join(scenario_names()) or 'none'}, "
                         "or name a .toml file")  # fmt: skip
    raise InputError(f"{path}: there is no such file; a scenario is a .toml file such as sims/shuttle.toml")


def _parse(file: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise InputError(f"{file}: wanted a TOML file, found bytes that are no UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file}: this is not TOML: {str(error).rstrip('.')}") from None


def _key(section: str, key: str) -> str:
    return f"[{section}] {key}" if section else key


def _check_keys(
    section: str, part: Mapping[str, Any], mistakes: list[str], call: Naming, network: bool = True
) -> None:
    table, where = KEYS[section], f"[{section}] " if section else ""
    strangers = []
    for key, value in part.items():
        if key not in table:
            near = get_close_matches(key, table, n=1)
            if near:
                mistakes.append(f"{where}has an unknown key {key!r}, did you mean {near[0]}")
            else:
                strangers.append(repr(key))
        elif not _is(value, table[key]):
            mistakes.append(f"{call(section, key)} must be {WORDS[table[key]]}, found {value!r}")
    if strangers:
        keys = (
            f"an unknown key {strangers[0]}"
            if len(strangers) == 1
            else f"unknown keys {', '.join(strangers)}"
        )
        mistakes.append(f"{where}has {keys}, known are {', '.join(table)}")
    needed = [key for key in REQUIRED.get(section, ()) if key != "network" or network]
    mistakes += [f"{where}needs the key {key!r}" for key in needed if key not in part]


def _is(value: Any, kind: str) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    is_table = isinstance(value, Mapping)
    return {
        "text": isinstance(value, str),
        "number": number,
        "whole": number and isinstance(value, int),
        "texts": texts,
        "numbers": isinstance(value, list) and all(isinstance(item, (int, float)) for item in value),
        "table": is_table,
        "tables": isinstance(value, list) and all(isinstance(item, Mapping) for item in value),
        "length": (number and isinstance(value, int))
        or (isinstance(value, str) and seconds(value) is not None),
        "time": number or (isinstance(value, str) and seconds(value) is not None),
        "files": isinstance(value, str) or (texts and bool(value)),
        "policy": isinstance(value, str)
        or texts
        or (is_table and all(isinstance(item, str) for item in value.values())),
    }[kind]


def _check_values(
    folder: Path, raw: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]], call: Naming, there: bool
) -> list[str]:
    source, window, network = parts["source"], parts.get("window", {}), parts.get("network", {})
    report, decision = parts.get("report", {}), parts.get("decision", {})
    out: list[str] = []
    for key, unit in (("rate", " Hz"), ("duration", " s"), ("longest", " s")):
        if key in source and not 0 < _time(source[key]) < float("inf"):
            out.append(f"{call('source', key)} must be above 0{unit}, found {source[key]}")
    if not abs(float(source.get("scale", 1.0))) < float("inf"):
        out.append(f"{call('source', 'scale')} must be a finite number, found {source['scale']}")
    if not 0 <= float(source.get("noise", 0.0)) < float("inf"):
        out.append(f"{call('source', 'noise')} must be at least 0, found {source['noise']}")
    if "duration" in source and "rate" not in source:
        out.append(f"{call('source', 'duration')} needs {call('source', 'rate')}")
    limits = source.get("limits", (0, 1))
    if len(limits) != 2 or not limits[0] < limits[1]:
        out.append(f"{call('source', 'limits')} must be two numbers, the lower first, found {limits}")
    choices = (
        ("source", "times", TIMES), ("source", "overflow", OVERFLOWS), ("source", "unit", tuple(UNITS)),
        ("source", "decimal", (".", ",")),
        ("window", "order", ORDERS), ("window", "label", LABELS), ("network", "state", STATES),
        ("source", "kind", tuple(sorted(known()))),
    )  # fmt: skip
    for section, key, allowed in choices:
        value = parts.get(section, {}).get(key)
        if value is not None and value not in allowed:
            out.append(f"{call(section, key)} must be one of {', '.join(allowed)}, found {value!r}")
    short = [key for key in ("rows", "hop") if key in window and not 0 < _measure(window[key]) < float("inf")]
    out += [f"{call('window', key)} must be at least 1, found {window[key]}" for key in short]
    out += [
        f"{call('decision', k)} must be at least 1, found {decision[k]}"
        for k in ("vote", "average")
        if decision.get(k, 1) < 1
    ]
    if there and ("program" in network) == ("net" in network):
        out.append("[network] needs either a program, or a net with a target")
    if "net" in network and "target" not in network:
        out.append(
            f"{call('network', 'net')} names a network that is mapped when the stream starts, and so needs a target"
        )
    trained = {"network": network, "report": report} if there else {}
    out += _check_files(folder, source, trained, call)
    if "beside" in report and (decision.get("vote", 1) > 1 or decision.get("average", 1) > 1):
        out.append(
            f"{call('report', 'beside')} holds decisions of single windows, and these vote or are averaged; leave it out"
        )
    for check in (
        lambda: policy_of(source.get("policy", ())),
        lambda: _faults(raw.get("faults", {})),
        lambda: battery(report["battery"]) if "battery" in report else None,
    ):
        try:
            check()
        except InputError as why:
            out.append(str(why))
    strangers = [
        name for name in report.get("show", ()) if report.get("classes") and name not in report["classes"]
    ]
    if strangers:
        out.append(
            f"{call('report', 'show')} names {strangers[0]!r}, which is not among the classes {', '.join(report['classes'])}"
        )
    return out


def _check_files(
    folder: Path, source: Mapping[str, Any], trained: Mapping[str, Mapping[str, Any]], call: Naming
) -> list[str]:
    out: list[str] = []
    named = _files(folder, source)
    if not named:
        out.append(
            f"{call('source', 'file')} {source['file']!r} names no recording (looked for {folder / str(source['file'])})"
        )
    kinds = {kind_of(file) for file in named}
    if "kind" not in source and (None in kinds or (len(named) > 1 and "lines" in kinds)):
        endings = ", ".join(ENDINGS)
        out.append(f"{call('source', 'file')} must end in one of {endings}, or be -, tcp://host:port or "
                   f"listen://host:port, found {source['file']!r}; or name the kind of source")  # fmt: skip
    lost = [file for file in named if kind_of(file) != "lines" and not os.path.isfile(file)]
    out += [
        f"{call('source', 'file')} {source['file']!r} is not there (looked for {file})" for file in lost[:1]
    ]
    wanted = (("network", "program"), ("network", "net"), ("report", "beside"))
    missing = [(part, key, str(trained[part][key])) for part, key in wanted if key in trained.get(part, ())]
    out += [f"{call(part, key)} {file!r} is not there (looked for {folder / file})" for part, key, file in missing
            if not (folder / file).is_file()]  # fmt: skip
    return out


def _faults(table: Mapping[str, Any]) -> None:
    for kind, rate in table.items():
        if kind != "seed" and not _is(rate, "number"):
            raise InputError(f"[faults] {kind} must be a number, found {rate!r}")
        if kind == "seed" and not _is(rate, "whole"):
            raise InputError(f"[faults] seed must be a whole number, found {rate!r}")
    Faults(rates={kind: rate for kind, rate in table.items() if kind != "seed"})


def _length(value: Any) -> int | float | None:
    """Rows as a whole number, seconds as a float."""
    return value if value is None or isinstance(value, int) else seconds(value)


def _measure(value: Any) -> float:
    length = _length(value)
    return 0.0 if length is None else float(length)


def _time(value: Any) -> float:
    found = seconds(value) if isinstance(value, str) else float(value)
    return 0.0 if found is None else found


def _absolute(folder: Path, named: str) -> str:
    return str((folder / named).resolve())


def _target(folder: Path, named: str) -> str:
    return str((folder / named).resolve()) if named.endswith(".toml") else named
