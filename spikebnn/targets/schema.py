"""The schema of a target file: every key, its type and its unit; it collects all mistakes of a file at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any, get_type_hints

from spikebnn.targets.numbers import mistyped, provenance, quantities, show, texts_of, unknown_keys
from spikebnn.targets.target import CoreLimits, FanRule, NeuronRule, Source, SynapseRule, Target, Topology

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
    "voltage",
    "refs",
)
ENERGY = {
    "synaptic_event": "J",  # a set synapse on an active axon
    "synaptic_event_indexed": "J",  # the same where it is stored in an indexed list; absent: the same price
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
VOLTAGE = {
    "nominal": "V",  # supply at which the costs hold
    "lowest": "V",
    "highest": "V",
    "leakage_slope": "1/V",  # of the logarithm of the leakage current; see `spikebnn.energy.voltage`
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
    unknown_keys(tree, TOP, "", wrong)
    if tree.get("schema") != 1:
        wrong.append(f"schema is {show(tree.get('schema'))}; it must be 1, the version of this file format")
    texts = [key for key in WORDS if isinstance(tree.get(key), str) and tree[key]]
    wrong += [mistyped(tree, key, "", "a text") for key in WORDS if key not in texts]
    refs = texts_of(tree, "refs", wrong)
    sections = {name: _section(tree, name, kind, wrong) for name, kind in SECTIONS.items()}
    sources = _sources(tree, sections, refs, wrong)
    energy = quantities(tree, "energy", ENERGY, refs, wrong)
    timing = quantities(tree, "timing", TIMING, refs, wrong)
    voltage = quantities(tree, "voltage", VOLTAGE, refs, wrong)
    if voltage and len(voltage) < len(VOLTAGE):
        missing = ", ".join(f"voltage.{key}" for key in VOLTAGE if key not in voltage)
        wrong.append(f"voltage is incomplete: {missing} must be given too")
    included = texts_of(tree, "included", wrong)
    unknown_keys(included, tuple(ENERGY), "included.", wrong)
    wrong += [
        f"{key} has a cost under energy and is said to be included elsewhere; keep one of the two"
        for key in included
        if key in energy
    ]
    left_out = tree.get("left_out", [])
    if not isinstance(left_out, list) or not all(isinstance(item, str) for item in left_out):
        wrong.append(f"left_out is {show(left_out)}; it must be a list of texts")
        left_out = []
    if not wrong:
        made = {name: SECTIONS[name](**values) for name, values in sections.items()}
        target = Target(
            **{key: tree[key] for key in WORDS},
            **made,
            timing=MappingProxyType(timing),
            energy=MappingProxyType(energy),
            voltage=MappingProxyType(voltage),
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
        wrong.append(mistyped(tree, name, "", "a table"))
        return {}
    hints = get_type_hints(kind)
    unknown_keys(given, tuple(hints), f"{name}.", wrong)
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
            wrong.append(mistyped(given, field.name, f"{name}.", wanted))
            continue
        values[field.name] = value
        least = None if field.name in ANY_SIGN else 0 if path in FROM_ZERO else 1
        if least is not None and any(n < least for n in _numbers(value)):
            wrong.append(f"{path} is {show(given[field.name])}; it must be at least {least}")
        allowed = CHOICE_VALUES.get(path)
        if allowed:
            words = (value,) if isinstance(value, str) else value
            wrong += [
                f"{path} has {show(word)}; known are {', '.join(allowed)}"
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
        wrong.append(mistyped(tree, "sources", "", "a table"))
        return {}
    limits = [f"{name}.{key}" for name in SECTIONS for key in sections[name]]
    written = [
        f"{name}.{key}" for name in SECTIONS if isinstance(tree.get(name), Mapping) for key in tree[name]
    ]
    made: dict[str, Source] = {}
    for path, entry in given.items():
        where = f'sources."{path}"'
        if path not in written:
            wrong.append(f"{where} gives a source for a number that the file does not set")
        if not isinstance(entry, Mapping):
            wrong.append(f'{where} is {show(entry)}; it must be {{ src = "KEY", kind = "..." }}')
            continue
        unknown_keys(entry, ("src", "kind", "cond"), f"{where}.", wrong)
        if provenance(entry, where, refs, wrong):
            made[path] = Source(src=entry["src"], kind=entry["kind"], cond=str(entry.get("cond", "")))
    wrong += [
        f'{path} has no source; add "{path}" = {{ src = "KEY", kind = "..." }} to [sources]'
        for path in limits
        if path not in given and path not in CHOICES
    ]
    return made


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
