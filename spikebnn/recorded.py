"""`Recorded`: a stream as a page shows it, small however long the stream was: envelopes, tallies, an excerpt of spikes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spikebnn.detail import Spread
from spikebnn.errors import InputError
from spikebnn.faults.curve import FaultCurve

STREAM, CURVES = "spikebnn.stream/1", "spikebnn.faults/1"  # schemas
Numbers = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """The smallest and largest reading of each channel in each of some equal stretches of time."""

    names: tuple[str, ...]  # of the channels that are shown
    hidden: int  # channels that are not
    step: float  # seconds of a stretch
    low: tuple[Numbers, ...]  # (channels, stretches); None where nothing was read
    high: tuple[Numbers, ...]
    bad: tuple[int, ...]  # (stretches,); rows that could not be used


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The decisions in each of some equal stretches of time."""

    step: float  # seconds of a stretch
    chosen: tuple[int | None, ...]  # the class that was decided most often; None where none was
    truth: tuple[int | None, ...]  # the class that was labelled most often
    decided: tuple[int, ...]
    missed: tuple[int, ...]
    wrong: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Rows of an excerpt of spikes: the input lines, or a layer's neurons."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Every spike of the first decided windows; in a window of several ticks a neuron may fire in any of them."""

    times: tuple[float, ...]  # (windows,); seconds of each window's last row
    chosen: tuple[int, ...]  # (windows,)
    layers: tuple[Layer, ...]
    bits: str  # base64 of zlib of bits (windows, rows), little bit order, each window padded to bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One stream. `facts` are those of its report, as plain data; what is None was not recorded."""

    facts: Mapping[str, Any]
    text: str  # the report for reading
    policy: Mapping[str, str]  # kind of bad sample -> what was done about it
    signal: Signal | None = None
    track: Track | None = None
    excerpt: Excerpt | None = None
    latency: Spread | None = None  # of the chip, seconds
    latency_note: str = ""
    host: Spread | None = None  # seconds of the host
    host_note: str = ""
    curves: tuple[FaultCurve, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """This stream as plain data, schema spikebnn.stream/1: the report's facts, and `recorded` beside them."""
        parts = ("signal", "track", "excerpt", "latency", "host")
        recorded: dict[str, Any] = {
            name: None if getattr(self, name) is None else asdict(getattr(self, name)) for name in parts
        }
        recorded |= {
            "policy": dict(self.policy),
            "latency_note": self.latency_note,
            "host_note": self.host_note,
        }
        return {"schema": STREAM, **self.facts, "text": self.text, "recorded": recorded,
                "curves": [curve.as_dict() for curve in self.curves]}  # fmt: skip

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Recorded:
        """Undo `to_json`; raises InputError where the data are of another schema or broken."""
        if data.get("schema") != STREAM:
            raise InputError(
                f"the stream is of schema {data.get('schema')!r}, {STREAM!r} is wanted; run it again"
            )
        try:
            return _read(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"the stream has a value that does not fit {STREAM}: {error}; run it again"
            ) from error


def curves_document(title: str, program: str, target: str, curves: Sequence[FaultCurve]) -> dict[str, Any]:
    """Curves of faults on plain data, as JSON of schema spikebnn.faults/1."""
    return {"schema": CURVES, "title": title, "program": program, "target": target,
            "curves": [curve.as_dict() for curve in curves]}  # fmt: skip


def curves_of(data: Mapping[str, Any]) -> tuple[FaultCurve, ...]:
    """The curves in a document."""
    found = data.get("curves", ())
    if not isinstance(found, Sequence) or not all(isinstance(part, Mapping) for part in found):
        raise InputError("the curves are no list of objects; run again")
    return tuple(FaultCurve.from_dict(part) for part in found)


def schema_of(path: str | Path) -> str:
    """The schema that a JSON file names; empty where it is no such file."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    return str(found.get("schema", "")) if isinstance(found, dict) else ""


def _read(data: Mapping[str, Any]) -> Recorded:
    inner = data["recorded"]
    facts = {
        name: value for name, value in data.items() if name not in ("schema", "text", "recorded", "curves")
    }
    signal, track, excerpt = inner["signal"], inner["track"], inner["excerpt"]
    return Recorded(
        facts=facts,
        text=str(data["text"]),
        policy={str(kind): str(action) for kind, action in inner["policy"].items()},
        signal=None if signal is None else _signal(signal),
        track=None if track is None else Track(**_tuples(track)),
        excerpt=None if excerpt is None else _excerpt(excerpt),
        latency=_spread(inner["latency"]),
        latency_note=str(inner["latency_note"]),
        host=_spread(inner["host"]),
        host_note=str(inner["host_note"]),
        curves=curves_of(data),
    )  # fmt: skip


def _signal(part: Mapping[str, Any]) -> Signal:
    return Signal(**{**_tuples(part), "low": _rows(part["low"]), "high": _rows(part["high"])})


def _excerpt(part: Mapping[str, Any]) -> Excerpt:
    return Excerpt(**{**_tuples(part), "layers": tuple(Layer(**layer) for layer in part["layers"])})


def _tuples(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in part.items()}


def _rows(part: Iterable[Sequence[float | None]]) -> tuple[Numbers, ...]:
    return tuple(tuple(row) for row in part)


def _spread(part: Mapping[str, Any] | None) -> Spread | None:
    return None if part is None else Spread(**_tuples(part))
