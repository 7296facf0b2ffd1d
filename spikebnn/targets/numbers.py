"""The sourced numbers of a target file, and the sentences about keys and values that do not fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from spikebnn.targets.target import Quantity

Tree = Mapping[str, Any]

KINDS = ("measured", "spice", "fitted", "vendor", "derived", "assumed", "quoted")
UNITS = {"J": "joules", "W": "watts", "s": "seconds", "V": "volts", "1/V": "per volt"}
PREFIXED = {"f": "e-15", "p": "e-12", "n": "e-9", "u": "e-6", "µ": "e-6", "m": "e-3"}


def quantities(
    tree: Tree, table: str, units: Mapping[str, str], refs: Tree, wrong: list[str]
) -> dict[str, Quantity]:
    """The checked numbers of [energy], [timing] or [voltage]."""
    given = tree.get(table, {})
    if not isinstance(given, Mapping):
        wrong.append(mistyped(tree, table, "", "a table"))
        return {}
    unknown_keys(given, tuple(units), f"{table}.", wrong)
    made: dict[str, Quantity] = {}
    for key, entry in given.items():
        if key not in units:
            continue
        where = f"{table}.{key}"
        if not isinstance(entry, Mapping):
            wrong.append(f"{where} is {show(entry)}; it must be {{ v, lo, hi, unit, src, kind, cond }}")
            continue
        before = len(wrong)
        unknown_keys(entry, ("v", "lo", "hi", "unit", "src", "kind", "cond"), f"{where}.", wrong)
        for part in ("v", "lo", "hi"):
            number = entry.get(part)
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                wrong.append(mistyped(entry, part, f"{where}.", "a finite number"))
            elif number < 0:
                wrong.append(f"{where}.{part} is {number:g}; a cost is never negative")
            elif part == "v" and number == 0:
                wrong.append(
                    f"{where}.v is 0; leave an unknown cost out, or name under [included] where it is contained"
                )
        if len(wrong) == before and not entry["lo"] <= entry["v"] <= entry["hi"]:
            low, middle, high = (f"{entry[part]:g}" for part in ("lo", "v", "hi"))
            wrong.append(f"{where} has lo {low}, v {middle}, hi {high}; they must rise in this order")
        _unit(entry, where, units[key], wrong)
        if provenance(entry, where, refs, wrong) and len(wrong) == before:
            made[key] = Quantity(
                v=float(entry["v"]),
                lo=float(entry["lo"]),
                hi=float(entry["hi"]),
                unit=entry["unit"],
                src=entry["src"],
                kind=entry["kind"],
                cond=str(entry.get("cond", "")),
            )
    return made


def _unit(entry: Tree, where: str, wanted: str, wrong: list[str]) -> None:
    """A unit must be the SI one; a prefixed unit is answered with the exponent to write."""
    unit = entry.get("unit")
    if unit == wanted:
        return
    hint = ""
    if isinstance(unit, str) and unit[1:] == wanted and unit[0] in PREFIXED:
        hint = f": write 1 {unit} as 1{PREFIXED[unit[0]]}"
    wrong.append(f"{where}.unit is {show(unit)}; it must be {wanted!r} ({UNITS[wanted]}){hint}")


def provenance(entry: Tree, where: str, refs: Tree, wrong: list[str]) -> bool:
    """Check src, kind and cond; src may name several keys with commas."""
    before = len(wrong)
    src = entry.get("src")
    if not isinstance(src, str) or not src.strip():
        wrong.append(f"{where} has no source; src must name a key of [refs]")
    else:
        wrong += [
            f"{where}.src names {key!r}, which is not in [refs]"
            for key in (part.strip() for part in src.split(","))
            if key not in refs
        ]
    if entry.get("kind") not in KINDS:
        wrong.append(f"{where}.kind is {show(entry.get('kind'))}; known are {', '.join(KINDS)}")
    if not isinstance(entry.get("cond", ""), str):
        wrong.append(mistyped(entry, "cond", f"{where}.", "a text"))
    return len(wrong) == before


def texts_of(tree: Tree, name: str, wrong: list[str]) -> dict[str, str]:
    """A table of texts."""
    given = tree.get(name, {})
    if not isinstance(given, Mapping):
        wrong.append(mistyped(tree, name, "", "a table of texts"))
        return {}
    wrong += [
        mistyped(given, key, f"{name}.", "a text")
        for key, value in given.items()
        if not isinstance(value, str)
    ]
    return {key: value for key, value in given.items() if isinstance(value, str)}


def unknown_keys(tree: Tree, known: tuple[str, ...], prefix: str, wrong: list[str]) -> None:
    """One sentence per key that nobody reads, with the nearest known key."""
    for key in tree:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            wrong.append(f"{prefix}{key} is no key of a target file{hint}")


def mistyped(tree: Tree, key: str, prefix: str, wanted: str) -> str:
    """The sentence for a missing key or a value of the wrong type."""
    if key not in tree:
        return f"{prefix}{key} is missing; it must be {wanted}"
    return f"{prefix}{key} is {show(tree[key])}; it must be {wanted}"


def show(value: object) -> str:
    """A TOML value as a person would name it."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}", a text'
    if isinstance(value, Mapping):
        return "a table"
    return str(value)
