"""Batteries: how long a mean power lasts on a cell, and whether the cell gives the current that it takes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from spikebnn.errors import InputError
from spikebnn.interval import Interval, interval
from spikebnn.shelf import shelf
from spikebnn.targets.target import Quantity
from spikebnn.units import lasting, si, span

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LEFT_OUT = "the sensor, the regulator and the cell's self-discharge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """A cell: its nominal voltage, the charge that it gives, and the most current that it gives for long."""

    name: str
    title: str
    volts: float
    charge: Quantity  # ampere-hours
    most: Quantity | None = None  # amperes; None where nobody says

    @property
    def joules(self) -> Interval:
        """Charge times nominal voltage."""
        return interval(self.charge) * (3600 * self.volts)


@cache
def batteries() -> Mapping[str, Battery]:
    """The batteries of mappings/batteries.toml by name."""
    return {
        name: Battery(
            name=name, title=entry["title"], volts=entry["volts"], charge=Quantity(**entry["charge"]),
            most=Quantity(**entry["most"]) if "most" in entry else None,
        )
        for name, entry in _file()["battery"].items()
    }  # fmt: skip


@cache
def battery_refs() -> dict[str, str]:
    """Citations of the batteries' source keys."""
    return dict(_file()["refs"])


def battery(name: str) -> Battery:
    """The battery of that name, upper or lower case; an InputError with the known names where there is none."""
    known = {key.lower(): cell for key, cell in batteries().items()}
    if name.lower() not in known:
        near = get_close_matches(name.lower(), known, n=1)
        guess = f", did you mean {known[near[0]].name}" if near else ""
        raise InputError(f"there is no battery {name!r}{guess}; known are {', '.join(batteries())}")
    return known[name.lower()]


def life(cell: Battery, power: Interval) -> Interval | None:
    """Seconds that a cell lasts at a mean power in watts; None where the power may be 0."""
    if not power.lo:
        return None
    joules = cell.joules
    return Interval(lo=joules.lo / power.hi, v=joules.v / power.v, hi=joules.hi / power.lo)


def facts(
    cell: Battery, power: Interval, lacks: tuple[str, ...], gated: Interval | None = None
) -> dict[str, Any]:
    """What a report says of a cell under a mean power, in plain numbers; `lacks` names costs that would shorten its life.

    `gated` is the mean power with the chip's power cut between decisions.
    """
    seconds, cut = life(cell, power), None if gated is None else life(cell, gated)
    return {
        "name": cell.name, "title": cell.title, "volts": cell.volts, "ampere_hours": _plain(interval(cell.charge)),
        "source": cell.charge.src, "cond": cell.charge.cond, "life_s": None if seconds is None else _plain(seconds),
        "gated_life_s": None if cut is None else _plain(cut),
        "unknown": list(lacks), "current": power.v / cell.volts, "most_current": None if cell.most is None else cell.most.v,
        "too_much": cell.most is not None and power.lo / cell.volts > cell.most.v, "left_out": LEFT_OUT,
    }  # fmt: skip


def sentence(said: Mapping[str, Any]) -> str:
    """Those facts for people."""
    charge = Interval(**said["ampere_hours"])
    cell = f"{said['title']}, {span(charge, 'Ah')} at {said['volts']:g} V"
    if said["life_s"] is None:
        return f"{cell}: how long it lasts is unknown"
    seconds = Interval(**said["life_s"])
    ends = "" if seconds.lo == seconds.hi else f" ({lasting(seconds.lo)} to {lasting(seconds.hi)})"
    less = f", less for what is unknown: {', '.join(said['unknown'])}" if said["unknown"] else ""
    cut = said["gated_life_s"]
    longer = "" if cut is None else f", or {lasting(cut['v'])} with power cut between decisions"
    text = f"{cell}: {lasting(seconds.v)}{ends}{less}{longer}; without {said['left_out']}"
    if said["too_much"]:
        text += (
            f"; but it takes {si(said['current'], 'A')}, and the cell gives {si(said['most_current'], 'A')} for long: "
            "choose a larger one"
        )
    return text


def _plain(value: Interval) -> dict[str, float]:
    return {"lo": value.lo, "v": value.v, "hi": value.hi}


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads((shelf("mappings") / "batteries.toml").read_text(encoding="utf-8"))
