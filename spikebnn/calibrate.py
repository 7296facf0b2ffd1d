"""Presets against measured powers and energies: predicted interval, measured value, and a miss where it lies outside."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spikebnn.energy.voltage import at_voltage
from spikebnn.errors import InputError
from spikebnn.interval import Interval, exactly, interval, total
from spikebnn.shelf import shelf
from spikebnn.tables import Page, table
from spikebnn.targets import load_target
from spikebnn.targets.target import Quantity, Target
from spikebnn.units import si, span

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIT, HELD, UNSTATED = "fit", "held out", "not stated"
Factor = float | Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One measured point, and what one preset makes of its events."""

    group: str  # title of the file
    point: str
    preset: str
    role: str  # FIT: the preset's constants or intervals come from this point; HELD; UNSTATED for a target of one's own
    why: str  # how, where it is a fit point
    volts: float | None
    measured: Quantity
    predicted: Interval | None  # None where the preset has no price for any of its events
    lacks: tuple[str, ...]  # kinds of event without a price, so that `predicted` holds the others only
    note: str

    @property
    def inside(self) -> bool | None:
        """Whether the measured value lies in the interval; None where a missing price leaves it open."""
        if self.predicted is None:
            return None
        if self.measured.v < self.predicted.lo:
            return False
        return self.measured.v <= self.predicted.hi or (None if self.lacks else False)

    @property
    def error(self) -> float | None:
        """Best guess against measured value, as a share of the latter."""
        return None if self.predicted is None else self.predicted.v / self.measured.v - 1


def predictions(targets: Sequence[str | Path] = ()) -> tuple[Prediction, ...]:
    """Every point of mappings/calibration/*.toml with every preset that its file names, or with the targets given.

    predicted = sum over kinds of event of (count x constant at the point's voltage), as intervals at their corners.
    A target given meets the points of its family. Its constants may be a preset's own, and then so are its roles.
    Raises InputError for a target of whose family nothing is on file.
    """
    found = []
    chosen = [load_target(name) for name in targets]
    for file in _files():
        presets = [load_target(name) for name in file["presets"]]
        mine = [target for target in chosen if target.family == file["family"]] if targets else presets
        for target in mine:
            like = next((one.name for one in presets if _same_prices(one, target)), None)
            found += [_predict(file["title"], point, target, like) for point in file["point"]]
    families = [file["family"] for file in _files()]
    for target in chosen:
        if target.family not in families:
            raise InputError(
                f"nothing measured is on file for {target.name!r}, of family {target.family!r}; "
                f"there is for {', '.join(families)}"
            )
    return tuple(found)


@cache
def _files() -> tuple[dict[str, Any], ...]:
    paths = sorted((shelf("mappings") / "calibration").glob("*.toml"))
    return tuple(tomllib.loads(path.read_text(encoding="utf-8")) for path in paths)


def _same_prices(a: Target, b: Target) -> bool:
    return (a.energy, a.voltage, a.included) == (b.energy, b.voltage, b.included)


def calibration_refs() -> dict[str, str]:
    """Citations of the measured values."""
    return {key: text for file in _files() for key, text in file["refs"].items()}


def page(targets: Sequence[str | Path] = ()) -> Page:
    """The table of all points, or of those of some targets; misses are called misses."""
    chosen = predictions(targets)
    tables = []
    for group in dict.fromkeys(row.group for row in chosen):
        rows = [_row(row) for row in chosen if row.group == group]
        head = ("point", "preset", "role", "measured", "predicted", "best guess", "verdict")
        tables.append(table(group, head, rows))
    notes = [f"{row.point}, {row.preset}: fit, {row.why}" for row in chosen if row.role == FIT]
    notes += dict.fromkeys(f"{row.point}: {row.note}" for row in chosen if row.note)
    used = {key.strip() for row in chosen for key in row.measured.src.split(",")}
    notes += [f"{key}: {text}" for key, text in calibration_refs().items() if key in used]
    return Page(lines=tuple(summaries(chosen)), tables=tuple(tables), notes=tuple(notes))


def summaries(rows: Sequence[Prediction]) -> list[str]:
    """One sentence per preset: how many measured values its interval holds, fit points and held-out points apart."""
    said = []
    for preset in dict.fromkeys(row.preset for row in rows):
        mine = [row for row in rows if row.preset == preset]
        kept = [row for row in mine if row.role == HELD]
        text = f"{preset}: {_share(mine)} of the measured values inside the predicted interval"
        text += f", {_share(kept)} of those held out" if kept and len(kept) < len(mine) else ""
        misses = [abs(row.error) for row in mine if row.inside is False and row.error is not None]
        worst = f"; the best guess of a miss is off by up to {100 * max(misses):.1f} %" if misses else ""
        said.append(text + worst)
    return said


def _share(rows: Sequence[Prediction]) -> str:
    return f"{sum(row.inside is True for row in rows)} of {len(rows)}"


def _row(row: Prediction) -> tuple[str, ...]:
    error = "" if row.error is None else f"{round(100 * row.error, 1) + 0.0:+.1f} %"
    verdict = {True: "inside", False: "MISS", None: "open"}[row.inside]
    return (
        row.point, row.preset, row.role, si(row.measured.v, row.measured.unit),
        span(row.predicted, row.measured.unit, row.lacks), error, verdict,
    )  # fmt: skip


def _predict(group: str, point: Mapping[str, Any], target: Target, like: str | None) -> Prediction:
    """`like` is the preset on file whose constants the target has."""
    volts = point.get("voltage")
    scaled = volts is not None and bool(target.voltage)
    at = at_voltage(target, volts) if scaled and volts is not None else target
    parts, lacks = [], []
    for key, factors in point["events"].items():
        price = _price(at, key)
        if price is not None:
            parts.append(_product(factors) * price)
        elif key not in at.included:
            lacks.append(key)
    note = point.get("note", "")
    return Prediction(
        group=group,
        point=point["name"],
        preset=target.name,
        role=UNSTATED if like is None else FIT if like in point.get("fit", ()) else HELD,
        why=point.get("why", ""),
        volts=volts,
        measured=Quantity(**point["measured"]),
        predicted=total(parts) if parts or not lacks else None,
        lacks=tuple(lacks),
        note=note,
    )


def _price(target: Target, key: str) -> Interval | None:
    """The cost of one event; of a neuron update with or without input, where it is not known which, both."""
    if key == "neuron_update" and {"neuron_idle", "neuron_active"} <= set(target.energy):
        idle, active = (interval(target.energy[name]) for name in ("neuron_idle", "neuron_active"))
        return Interval(lo=min(idle.lo, active.lo), v=(idle.v + active.v) / 2, hi=max(idle.hi, active.hi))
    return interval(target.energy[key]) if key in target.energy else None


def _product(factors: Sequence[Factor]) -> Interval:
    """A count from its factors, numbers or [lo, v, hi]."""
    out = exactly(1.0)
    for factor in factors:
        if isinstance(factor, int | float):
            out = out * float(factor)
        else:
            lo, v, hi = factor
            out = out * Interval(lo=float(lo), v=float(v), hi=float(hi))
    return out
