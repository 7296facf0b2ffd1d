"""The registry of encoders: by name, from a line of text, from a table, and back."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import json
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from spikebnn.encoders.protocol import Chain, Encoder, chain
from spikebnn.errors import InputError

GROUP = (
    "spikebnn.encoders"  # entry points: name = "package.module:maker", the maker takes the options by name
)

# name -> "package.module:maker", as in an entry point
ENCODERS = {
    "affine": "spikebnn.encoders.affine:Affine",
    "threshold": "spikebnn.encoders.levels:Threshold",
    "thermometer": "spikebnn.encoders.levels:Thermometer",
    "planes": "spikebnn.encoders.levels:Planes",
    "delta": "spikebnn.encoders.change:Delta",
    "rate": "spikebnn.encoders.rate:Rate",
    "filterbank": "spikebnn.encoders.filterbank:FilterBank",
    "event-frames": "spikebnn.encoders.event_frames:EventFrames",
}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "min": 60.0, "h": 3600.0}


def known() -> dict[str, str]:
    """Every name with its "package.module:maker": ours, and those that other packages offer."""
    offered = importlib.metadata.entry_points(group=GROUP)
    return {**{entry.name: entry.value for entry in offered}, **ENCODERS}


def make(name: str, options: Mapping[str, Any], rate: float | None = None) -> Encoder:
    """The encoder of that name; `rate`, rows per second, is handed to those that ask for one.

    A thermometer may be given as `levels` = a number with `low` and `high`. Texts such as "25ms" are seconds.
    """
    makers = known()
    if name not in makers:
        near = get_close_matches(name, makers, n=1)
        guess = f", did you mean {near[0]}" if near else ""
        raise InputError(f"there is no encoder {name!r}{guess}; known are {', '.join(sorted(makers))}")
    module, _, maker = makers[name].partition(":")
    try:
        build: Callable[..., Encoder] = getattr(importlib.import_module(module), maker)
    except (ImportError, AttributeError) as why:
        raise InputError(f"the encoder {name} cannot be loaded: {why}; install what it needs") from why
    given = {key.replace("-", "_"): _value(value) for key, value in options.items()}
    if name == "thermometer" and isinstance(given.get("levels"), int):
        if set(given) != {"levels", "low", "high"}:
            raise InputError(
                "thermometer takes a number of levels with low and high, or the levels themselves"
            )
        from spikebnn.encoders.levels import Thermometer

        return Thermometer.even(given["levels"], given["low"], given["high"])
    fields = _fields(build)
    names = [field.name for field in fields]
    if "rate" in names and rate is not None:
        given.setdefault("rate", rate)
    strangers = [key for key in given if fields and key not in names]
    if strangers:
        raise InputError(f"the encoder {name} has no option {strangers[0]!r}; it takes {', '.join(names)}")
    missing = [f.name for f in fields if f.default is dataclasses.MISSING and f.name not in given]
    if missing:
        raise InputError(f"the encoder {name} needs {' and '.join(missing)}: {name}:{missing[0]}=...")
    for field in fields:
        if field.name in given and not _fits(given[field.name], str(field.type)):
            raise InputError(
                f"the encoder {name} takes {field.name} as {field.type}, found {given[field.name]!r}"
            )
    return build(**given)


def parse(texts: Sequence[str], rate: float | None = None) -> Encoder:
    """Encoders written as NAME:OPTION=VALUE,OPTION=VALUE, one after another; or one .json file as `spec` writes it.

    Several numbers are joined by slashes: thermometer:levels=-1/0/1.
    """
    stages: list[Encoder] = []
    for text in texts:
        if text.endswith(".json"):
            stages += [make(_name(table, text), _rest(table), _rate(stages, rate)) for table in _tables(text)]
            continue
        name, _, rest = text.partition(":")
        options: dict[str, Any] = {}
        for part in filter(None, rest.split(",")):
            key, equals, value = part.partition("=")
            if not equals:
                raise InputError(
                    f"the encoder {text!r} holds {part!r}; options are written NAME:OPTION=VALUE,OPTION=VALUE"
                )
            options[key.strip()] = _read(value.strip())
        stages.append(make(name.strip(), options, _rate(stages, rate)))
    if not stages:
        raise InputError("name an encoder, such as thermometer:levels=8,low=-1,high=1")
    return chain(stages)


def tables(rows: Sequence[Mapping[str, Any]], rate: float | None = None) -> Encoder:
    """Encoders as tables with a name and options, one after another."""
    stages: list[Encoder] = []
    for row in rows:
        stages.append(make(_name(row, "[[encoder]]"), _rest(row), _rate(stages, rate)))
    return chain(stages)


def spec(encoder: Encoder) -> list[dict[str, Any]]:
    """The encoder as tables, for a JSON file or a scenario; `make` and `parse` read them back."""
    if isinstance(encoder, Chain):
        return [table for stage in encoder.stages for table in spec(stage)]
    fields = dataclasses.fields(encoder)  # type: ignore[arg-type]
    return [{"name": encoder.name, **{field.name: getattr(encoder, field.name) for field in fields}}]


def seconds(text: str) -> float | None:
    """A time such as "25ms" or "1.5 s" in seconds; None for anything else."""
    found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*(s|ms|us|µs|min|h)\s*", text)
    try:
        return float(found[1]) * _SECONDS[found[2]] if found else None
    except ValueError:
        return None


def _rate(stages: Sequence[Encoder], rate: float | None) -> float | None:
    """Rows per second after these stages."""
    for stage in stages:
        rate = None if rate is None else rate / stage.stride
    return rate


def _fields(build: object) -> tuple[dataclasses.Field[Any], ...]:
    """The options that a maker takes, as far as they can be known."""
    return dataclasses.fields(build) if isinstance(build, type) and dataclasses.is_dataclass(build) else ()


def _tables(path: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        raise InputError(f"{path}: wanted the JSON of an encoder: {why}") from None
    rows = [found] if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: wanted a list of tables, each with the name of an encoder and its options")
    return rows


def _name(table: Mapping[str, Any], where: str) -> str:
    if not isinstance(table.get("name"), str):
        raise InputError(f"{where}: an encoder needs a name, one of {', '.join(sorted(known()))}")
    return str(table["name"])


def _rest(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "name"}


def _read(text: str) -> Any:
    if "/" in text:
        return [_read(part) for part in text.split("/")]
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _value(value: Any) -> Any:
    """Lists as tuples, times as seconds."""
    if isinstance(value, list):
        return tuple(_value(part) for part in value)
    if isinstance(value, str):
        time = seconds(value)
        return value if time is None else time
    return value


def _fits(value: Any, kind: str) -> bool:
    """Whether a value may stand in a field of this type."""
    if isinstance(value, tuple):
        return "tuple" in kind or kind == "Levels"
    if isinstance(value, bool) or kind == "bool":
        return isinstance(value, bool) and kind == "bool"
    if isinstance(value, str):
        return kind == "str"
    return kind == "int" if kind == "int" and isinstance(value, int) else "float" in kind
