"""`Scenario`: a sensor stream to be run, read from a TOML file of which every mistake is reported at once.

    title = "Space shuttle telemetry: one decision per row"
    [source]
    file = "../examples/shuttle/test.npz"   # beside this file; .npz (x, y), .csv, or "-" for CSV on standard input
    rate = 10.0                             # rows per second
    [network]
    net = "../examples/shuttle/net.pt"      # with `target`; or program = "shuttle.sbnn"
    target = "truenorth-sim"

Everything else has a default; see the fields.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from spikebnn.errors import InputError
from spikebnn.shelf import shelf

MISSING = ("skip", "hold")
ORDERS = ("rows", "channels")
KEYS: dict[str, dict[str, tuple[type, ...]]] = {
    "": {"schema": (int,), "title": (str,), "source": (dict,), "window": (dict,), "network": (dict,),
         "report": (dict,)},
    "source": {"file": (str,), "rate": (int, float), "array": (str,), "labels": (str,), "segments": (str,),
               "columns": (list,), "scale": (int, float), "missing": (str,)},
    "window": {"rows": (int,), "hop": (int,), "order": (str,)},
    "network": {"program": (str,), "net": (str,), "target": (str,), "simulator": (str,)},
    "report": {"classes": (list,), "show": (list,)},
}
REQUIRED = {"": ("source", "network"), "source": ("file", "rate")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rows come from, and how fast."""

    file: str  # absolute path, or "-" for CSV rows on standard input
    rate: float  # rows per second, Hz
    array: str = "x"  # .npz: the array of rows
    labels: str | None = None  # name of the labels, per row: an array or a column; "y" of an .npz where there is one
    segments: str | None = None  # name of a number per row; no window reaches across a change of it
    columns: tuple[str, ...] = ()  # .csv: the sensors, by name; all columns but labels and segments if empty
    scale: float = 1.0  # each reading is multiplied by this
    missing: str = "skip"  # a window with a bad row is missed ("skip"), or the last good row is repeated ("hold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One stream: source, window, network, and what to report."""

    name: str
    title: str
    source: Source
    rows: int  # rows in a window
    hop: int  # rows from one window to the next
    order: str  # a frame holds row after row ("rows") or channel after channel ("channels")
    program: str | None  # absolute path of a mapped program
    net: str | None  # absolute path of a network, mapped when the stream starts
    target: str | None
    simulator: str
    classes: tuple[str, ...]  # names; numbers if empty
    show: tuple[str, ...]  # only decisions for these classes are shown; all if empty


def load_scenario(path: str | os.PathLike[str]) -> Scenario:
    """Read and check a scenario; a name such as "shuttle" means the file of that name that comes with spikebnn.

    Raises InputError with every mistake of the file: unknown and missing keys, wrong types, values out of range, and
    files that are not there. Paths in a scenario are relative to its own folder.
    """
    file = _find(path)
    raw = _parse(file)
    mistakes: list[str] = []
    _check_keys("", raw, mistakes)
    parts = {name: raw[name] for name in ("source", "window", "network", "report") if isinstance(raw.get(name), dict)}
    for name, part in parts.items():
        _check_keys(name, part, mistakes)
    if not mistakes:
        mistakes += _check_values(file.parent, parts)
    if mistakes:
        head = f"{path}: {mistakes[0]}" if len(mistakes) == 1 else f"{path}: {len(mistakes)} mistakes: " + "; ".join(mistakes)
        raise InputError(head + ".")
    source, window = parts["source"], parts.get("window", {})
    network, report = parts["network"], parts.get("report", {})
    rows = int(window.get("rows", 1))
    return Scenario(
        name=file.stem,
        title=str(raw.get("title", file.stem)),
        source=Source(
            file=_absolute(file.parent, source["file"]),
            rate=float(source["rate"]),
            columns=tuple(source.get("columns", ())),
            scale=float(source.get("scale", 1.0)),
            **{key: source[key] for key in ("array", "labels", "segments", "missing") if key in source},
        ),
        rows=rows,
        hop=int(window.get("hop", 1)),
        order=str(window.get("order", "rows")),
        program=_absolute(file.parent, network["program"]) if "program" in network else None,
        net=_absolute(file.parent, network["net"]) if "net" in network else None,
        target=_target(file.parent, network["target"]) if "target" in network else None,
        simulator=str(network.get("simulator", "bitwise")),
        classes=tuple(report.get("classes", ())),
        show=tuple(report.get("show", ())),
    )


def scenario_names() -> list[str]:
    """The scenarios that come with spikebnn, by name."""
    return sorted(file.stem for file in shelf("sims").glob("*.toml"))


def _find(path: str | os.PathLike[str]) -> Path:
    file = Path(path)
    if file.is_file():
        return file.absolute()
    if file.name == str(path) and not file.suffix:
        shipped = shelf("sims") / f"{path}.toml"
        if shipped.is_file():
            return shipped
        raise InputError(f"{path}: there is no such scenario; spikebnn comes with {', '.join(scenario_names()) or 'none'}, "
                         "or name a .toml file.")
    raise InputError(f"{path}: there is no such file; a scenario is a .toml file such as sims/shuttle.toml.")


def _parse(file: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise InputError(f"{file}: wanted a TOML file, found bytes that are no UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file}: this is not TOML: {error}.") from None


def _check_keys(section: str, part: Mapping[str, Any], mistakes: list[str]) -> None:
    known, where = KEYS[section], f"[{section}] " if section else ""
    strangers = []
    for key, value in part.items():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            if near:
                mistakes.append(f"{where}has an unknown key {key!r}, did you mean {near[0]}")
            else:
                strangers.append(repr(key))
        elif not isinstance(value, known[key]) or isinstance(value, bool):
            wanted = {int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "a table"}
            mistakes.append(f"{where}{key} must be {wanted[known[key][-1]]}, found {value!r}")
        elif isinstance(value, list) and not all(isinstance(item, str) for item in value):
            mistakes.append(f"{where}{key} must be a list of texts, found {value!r}")
    if strangers:
        keys = f"an unknown key {strangers[0]}" if len(strangers) == 1 else f"unknown keys {', '.join(strangers)}"
        mistakes.append(f"{where}has {keys}, known are {', '.join(known)}")
    mistakes += [f"{where}needs the key {key!r}" for key in REQUIRED.get(section, ()) if key not in part]


def _check_values(folder: Path, parts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    source, window = parts["source"], parts.get("window", {})
    network, report = parts["network"], parts.get("report", {})
    out: list[str] = []
    if not 0 < float(source["rate"]) < float("inf"):
        out.append(f"[source] rate must be above 0 Hz, found {source['rate']}")
    if not abs(float(source.get("scale", 1.0))) < float("inf"):
        out.append(f"[source] scale must be a finite number, found {source['scale']}")
    if source.get("missing", "skip") not in MISSING:
        out.append(f"[source] missing must be one of {', '.join(MISSING)}, found {source['missing']!r}")
    if source["file"] != "-" and Path(source["file"]).suffix not in (".npz", ".csv"):
        out.append(f"[source] file must end in .npz or .csv, or be \"-\", found {source['file']!r}")
    out += [f"[window] {key} must be at least 1, found {window[key]}" for key in ("rows", "hop") if window.get(key, 1) < 1]
    if window.get("order", "rows") not in ORDERS:
        out.append(f"[window] order must be one of {', '.join(ORDERS)}, found {window['order']!r}")
    if ("program" in network) == ("net" in network):
        out.append("[network] needs either a program, or a net with a target")
    if "net" in network and "target" not in network:
        out.append("[network] names a net and so needs a target")
    if "program" in network and "target" in network:
        out.append("[network] names a program, which has a target of its own; leave the target out")
    for section, key in (("source", "file"), ("network", "program"), ("network", "net")):
        named = parts[section].get(key)
        if named not in (None, "-") and not (folder / named).is_file():
            out.append(f"[{section}] {key} {named!r} is not there (looked for {folder / named})")
    strangers = [name for name in report.get("show", ()) if report.get("classes") and name not in report["classes"]]
    if strangers:
        out.append(f"[report] show names {strangers[0]!r}, which is not among the classes {', '.join(report['classes'])}")
    return out


def _absolute(folder: Path, named: str) -> str:
    return named if named == "-" else str((folder / named).resolve())


def _target(folder: Path, named: str) -> str:
    return str((folder / named).resolve()) if named.endswith(".toml") else named
