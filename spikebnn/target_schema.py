"""The schema of a target file: every key, its type and its unit; it collects all mistakes of a file at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_type_hints

from spikebnn.target import CoreLimits, FanRule, NeuronRule, Quantity, Source, SynapseRule, Target, Topology

Tree = Mapping[str, Any]

SECTIONS: dict[str, type] = {
    "topology": Topology,
    "core": CoreLimits,
    "synapse": SynapseRule,
    "fan": FanRule,
    "neuron": NeuronRule,
}
WORDS = ("name", "title", "vendor", "family")
TOP = (
    "schema",
    *WORDS,
    "extends",
    "drop",
    "left_out",
    *SECTIONS,
    "sources",
    "energy",
    "included",
    "timing",
    "refs",
)
KINDS = ("measured", "spice", "fitted", "vendor", "derived", "assumed", "quoted")
UNITS = {"J": "joules", "W": "watts", "s": "seconds"}
PREFIXED = {"f": "e-15", "p": "e-12", "n": "e-9", "u": "e-6", "µ": "e-6", "m": "e-3"}
ENERGY = {
    "synaptic_event": "J",  # a set synapse on an active axon
    "neuron_idle": "J",  # a neuron in a tick without input
    "neuron_active": "J",  # a neuron in a tick with input
    "spike": "J",  # generating one
    "message": "J",  # sending one spike to one destination axon
    "tile_local": "J",  # transport of a message that makes no hop
    "hop_x": "J",
    "hop_y": "J",
    "chip_crossing": "J",
    "memory_scan": "J",  # per chip and tick, whatever happens
    "barrier": "J",  # per chip and tick: ending it
    "static_power": "W",  # per chip
}
TIMING = {
    "tick": "s",
    "tick_min": "s",
    "synaptic_event": "s",
    "neuron_idle": "s",
    "neuron_active": "s",
    "spike": "s",
    "message": "s",
    "message_in": "s",
    "hop_x": "s",
    "hop_y": "s",
    "barrier": "s",
}
CHOICES = (
    "topology.chips",
    "topology.dead_cores",
)  # set by whoever maps; a source is welcome but not required
CHOICE_VALUES = {
    "synapse.format": ("crossbar", "list"),
    "neuron.resets": ("memoryless", "zero", "subtract", "none"),
    "neuron.floors": ("saturate", "clear"),
}
FROM_ZERO = (
    "topology.reach",
    "topology.dead_cores",
    "synapse.index_bits",
    "synapse.block_overhead_bits",
    "synapse.delay_bits",
)
ANY_SIGN = ("weight_min", "weight_max", "threshold_min", "threshold_max", "bias_min", "bias_max")


def build(tree: Tree, digest: str) -> tuple[Target | None, list[str]]:
    """The target that a parsed file describes, or None, and the sentences about everything that is wrong with it."""
    wrong: list[str] = []
    _unknown(tree, TOP, "", wrong)
    if tree.get("schema") != 1:
        wrong.append(f"schema is {_show(tree.get('schema'))}; it must be 1, the version of this file format")
    texts = [key for key in WORDS if isinstance(tree.get(key), str) and tree[key]]
    wrong += [_mistyped(tree, key, "", "a text") for key in WORDS if key not in texts]
    refs = _texts(tree, "refs", wrong)
    sections = {name: _section(tree, name, kind, wrong) for name, kind in SECTIONS.items()}
    sources = _sources(tree, sections, refs, wrong)
    energy = _quantities(tree, "energy", ENERGY, refs, wrong)
    timing = _quantities(tree, "timing", TIMING, refs, wrong)
    included = _texts(tree, "included", wrong)
    _unknown(included, tuple(ENERGY), "included.", wrong)
    wrong += [
        f"{key} has a cost under energy and is said to be included elsewhere; keep one of the two"
        for key in included
        if key in energy
    ]
    left_out = tree.get("left_out", [])
    if not isinstance(left_out, list) or not all(isinstance(item, str) for item in left_out):
        wrong.append(f"left_out is {_show(left_out)}; it must be a list of texts")
        left_out = []
    if not wrong:
        made = {name: SECTIONS[name](**values) for name, values in sections.items()}
        target = Target(
            **{key: tree[key] for key in WORDS},
            **made,
            timing=MappingProxyType(timing),
            energy=MappingProxyType(energy),
            refs=MappingProxyType(refs),
            left_out=tuple(left_out),
            included=MappingProxyType(included),
            sources=MappingProxyType(sources),
            digest=digest,
        )
        wrong += _contradictions(target)
        if not wrong:
            return target, []
    return None, wrong


def _section(tree: Tree, name: str, kind: type, wrong: list[str]) -> dict[str, Any]:
    """The checked values of one structural table."""
    given = tree.get(name)
    if not isinstance(given, Mapping):
        wrong.append(_mistyped(tree, name, "", "a table"))
        return {}
    hints = get_type_hints(kind)
    _unknown(given, tuple(hints), f"{name}.", wrong)
    values: dict[str, Any] = {}
    for field in fields(kind):
        path = f"{name}.{field.name}"
        if field.name not in given:
            if field.default is MISSING:
                wrong.append(f"{path} is missing")
            continue
        convert, wanted = _READERS[
            str(hints[field.name]).removesuffix(" | None").replace("<class '", "").replace("'>", "")
        ]
        try:
            value = convert(given[field.name])
        except (TypeError, ValueError):
            wrong.append(_mistyped(given, field.name, f"{name}.", wanted))
            continue
        values[field.name] = value
        least = None if field.name in ANY_SIGN else 0 if path in FROM_ZERO else 1
        if least is not None and any(n < least for n in _numbers(value)):
            wrong.append(f"{path} is {_show(given[field.name])}; it must be at least {least}")
        allowed = CHOICE_VALUES.get(path)
        if allowed:
            words = (value,) if isinstance(value, str) else value
            wrong += [
                f"{path} has {_show(word)}; known are {', '.join(allowed)}"
                for word in words
                if word not in allowed
            ]
    return values


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _many(convert: Callable[[object], Any], count: int | None = None) -> Callable[[object], tuple[Any, ...]]:
    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list) or (count is not None and len(value) != count):
            raise TypeError
        return tuple(convert(item) for item in value)

    return read


_READERS: dict[str, tuple[Callable[[object], Any], str]] = {
    "int": (_whole, "a whole number"),
    "str": (_text, "a text"),
    "bool": (_flag, "true or false"),
    "tuple[int, int]": (_many(_whole, 2), "a pair of whole numbers"),
    "tuple[int, ...]": (_many(_whole), "a list of whole numbers"),
    "tuple[str, ...]": (_many(_text), "a list of texts"),
    "tuple[tuple[int, int], ...]": (_many(_many(_whole, 2)), "a list of pairs of whole numbers"),
}


def _numbers(value: object) -> list[int]:
    """All whole numbers in a value."""
    if isinstance(value, tuple):
        return [n for item in value for n in _numbers(item)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []


def _sources(tree: Tree, sections: Tree, refs: Tree, wrong: list[str]) -> dict[str, Source]:
    """The source of every structural number; one is required for each key a file sets."""
    given = tree.get("sources", {})
    if not isinstance(given, Mapping):
        wrong.append(_mistyped(tree, "sources", "", "a table"))
        return {}
    limits = [f"{name}.{key}" for name in SECTIONS for key in sections[name]]
    made: dict[str, Source] = {}
    for path, entry in given.items():
        where = f'sources."{path}"'
        if path not in limits:
            wrong.append(f"{where} gives a source for a number that the file does not set")
        if not isinstance(entry, Mapping):
            wrong.append(f'{where} is {_show(entry)}; it must be {{ src = "KEY", kind = "..." }}')
            continue
        _unknown(entry, ("src", "kind", "cond"), f"{where}.", wrong)
        if _provenance(entry, where, refs, wrong):
            made[path] = Source(src=entry["src"], kind=entry["kind"], cond=str(entry.get("cond", "")))
    wrong += [
        f'{path} has no source; add "{path}" = {{ src = "KEY", kind = "..." }} to [sources]'
        for path in limits
        if path not in given and path not in CHOICES
    ]
    return made


def _quantities(
    tree: Tree, table: str, units: Mapping[str, str], refs: Tree, wrong: list[str]
) -> dict[str, Quantity]:
    """The checked numbers of [energy] or [timing]."""
    given = tree.get(table, {})
    if not isinstance(given, Mapping):
        wrong.append(_mistyped(tree, table, "", "a table"))
        return {}
    _unknown(given, tuple(units), f"{table}.", wrong)
    made: dict[str, Quantity] = {}
    for key, entry in given.items():
        if key not in units:
            continue
        where = f"{table}.{key}"
        if not isinstance(entry, Mapping):
            wrong.append(f"{where} is {_show(entry)}; it must be {{ v, lo, hi, unit, src, kind, cond }}")
            continue
        before = len(wrong)
        _unknown(entry, ("v", "lo", "hi", "unit", "src", "kind", "cond"), f"{where}.", wrong)
        for part in ("v", "lo", "hi"):
            number = entry.get(part)
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                wrong.append(_mistyped(entry, part, f"{where}.", "a finite number"))
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
        if _provenance(entry, where, refs, wrong) and len(wrong) == before:
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
    wrong.append(f"{where}.unit is {_show(unit)}; it must be {wanted!r} ({UNITS[wanted]}){hint}")


def _provenance(entry: Tree, where: str, refs: Tree, wrong: list[str]) -> bool:
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
        wrong.append(f"{where}.kind is {_show(entry.get('kind'))}; known are {', '.join(KINDS)}")
    if not isinstance(entry.get("cond", ""), str):
        wrong.append(_mistyped(entry, "cond", f"{where}.", "a text"))
    return len(wrong) == before


def _contradictions(target: Target) -> list[str]:
    """Numbers that are each allowed but do not go together."""
    wrong: list[str] = []
    top, neuron, synapse = target.topology, target.neuron, target.synapse
    wrong += [
        f"topology.dead_cores has ({x}, {y}), outside the grid of {top.width} x {top.height}"
        for x, y in top.dead_cores
        if x >= top.width or y >= top.height
    ]
    if top.width * top.height % top.cores_per_tile:
        grid = f"{top.width} x {top.height}"
        wrong.append(f"topology.cores_per_tile is {top.cores_per_tile}, which does not divide {grid} cores")
    for name, low, high in (
        ("synapse.weight", synapse.weight_min, synapse.weight_max),
        ("neuron.threshold", neuron.threshold_min, neuron.threshold_max),
        ("neuron.bias", neuron.bias_min, neuron.bias_max),
        ("neuron.delay", neuron.delay_min, neuron.delay_max),
    ):
        if low > high:
            wrong.append(f"{name}_min is {low}, above {name}_max, {high}")
    if synapse.format == "crossbar" and synapse.axon_types is None:
        wrong.append("synapse.axon_types is missing; a crossbar needs it")
    if synapse.format == "list" and target.core.synapse_bits is None:
        wrong.append("core.synapse_bits is missing; synapse lists need it")
    if not neuron.resets:
        wrong.append("neuron.resets is empty; at least one is needed")
    return wrong


def _texts(tree: Tree, name: str, wrong: list[str]) -> dict[str, str]:
    """A table of texts."""
    given = tree.get(name, {})
    if not isinstance(given, Mapping):
        wrong.append(_mistyped(tree, name, "", "a table of texts"))
        return {}
    wrong += [
        _mistyped(given, key, f"{name}.", "a text")
        for key, value in given.items()
        if not isinstance(value, str)
    ]
    return {key: value for key, value in given.items() if isinstance(value, str)}


def _unknown(tree: Tree, known: tuple[str, ...], prefix: str, wrong: list[str]) -> None:
    """One sentence per key that nobody reads, with the nearest known key."""
    for key in tree:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            wrong.append(f"{prefix}{key} is no key of a target file{hint}")


def _mistyped(tree: Tree, key: str, prefix: str, wanted: str) -> str:
    """The sentence for a missing key or a value of the wrong type."""
    if key not in tree:
        return f"{prefix}{key} is missing; it must be {wanted}"
    return f"{prefix}{key} is {_show(tree[key])}; it must be {wanted}"


def _show(value: object) -> str:
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
