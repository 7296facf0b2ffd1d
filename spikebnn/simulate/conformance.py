"""The conformance vectors: small programs as JSON, what drives them, and the exact spikes and membranes.

They stand in sims/conformance/, one file per rule of the tick; whoever writes a simulator starts there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikebnn.arrays import I64, U8, Array, door, pack_bits
from spikebnn.program import AUXILIARY, NO_FLOOR, Core, Plane, Program, ProgramLayer
from spikebnn.shelf import shelf
from spikebnn.threshold import Encoder, plain_readout

RESETS = ("memoryless", "zero", "subtract", "none", "graded")
FLOORS = ("saturate", "clear")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frames:
    """The same program asked in frames, all in one stream."""

    bits: U8  # (frames, presentation ticks, inputs)
    sums: I64  # (frames, sums)
    spikes: I64  # (frames, cores)
    axon_events: I64  # (frames, cores)
    synaptic_events: I64  # (frames, cores)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vector:
    """One program, its drive, and everything that must happen."""

    name: str
    rule: str  # the rule of the tick that it pins, in words
    program: Program
    drive: U8  # (ticks, lines)
    spikes: U8  # (ticks, neurons)
    membranes: I64  # (ticks, neurons); V after step 2
    frames: Frames | None


def vectors(folder: Path | None = None) -> list[Vector]:
    """All conformance vectors, by name."""
    place = shelf("sims") / "conformance" if folder is None else folder
    return [read(json.loads(path.read_text("utf-8"))) for path in sorted(place.glob("*.json"))]


def read(document: Mapping[str, Any]) -> Vector:
    """One vector from its JSON document."""
    program = read_program(document["program"])
    neurons = program.first[-1]
    ticks, asked = len(document["drive"]), document.get("frames")
    return Vector(
        name=document["name"],
        rule=document["rule"],
        program=program,
        drive=door(_bits(document["drive"]), np.uint8, ticks, None),
        spikes=door(_bits(document["spikes"]), np.uint8, ticks, neurons),
        membranes=door(document["membranes"], np.int64, ticks, neurons),
        frames=None if asked is None else _frames(asked),
    )


def read_program(document: Mapping[str, Any]) -> Program:
    """A program from its short JSON form; what is left out has the value that changes nothing."""
    base = document.get("base", [0])
    cores = tuple(_core(core, number) for number, core in enumerate(document["cores"]))
    inputs = int(document["inputs"])
    ticks = int(document.get("presentation", 1))
    latest = max(int(core.start.max(initial=0)) for core in cores)
    return Program(
        cores=cores,
        routes=_rows(document.get("routes", ()), 5),
        lines=_rows(document.get("lines", ()), 4),
        inputs=inputs,
        controls=_rows(document.get("controls", ()), 2),
        period=int(document.get("period", 1)),
        latency=latest + int(document.get("period", 1)),
        readout=document.get("readout", "spikes"),
        outputs=_rows(document.get("outputs", ()), 3),
        base=door(base, np.int32, None),
        encoder=Encoder(
            kind="values" if ticks == 1 else "burst", shape=(inputs,), dtype="uint8", ticks=ticks
        ),
        decoder=plain_readout(len(base)),
        layers=(ProgramLayer(name="all", role="whole", neurons=sum(core.neurons for core in cores)),),
        target="conformance",
    )


def _core(document: Mapping[str, Any], place: int) -> Core:
    neurons = len(document["threshold"])

    def each(name: str, otherwise: int, words: Sequence[str] = ()) -> Array:
        values = document.get(name, otherwise)
        values = values if isinstance(values, list) else [values] * neurons
        return np.array(
            [words.index(v) if isinstance(v, str) else NO_FLOOR if v is None else v for v in values]
        )

    planes = tuple(
        Plane(
            start=plane["start"],
            stop=plane["start"] + len(plane["bits"][0]),
            scale=door(plane["scale"], np.int32, neurons),
            bits=door(pack_bits(_bits(plane["bits"])), np.uint8, neurons, None),
        )
        for plane in document["planes"]
    )
    return Core(
        chip=0,
        x=place,
        y=0,
        axons=int(document["axons"]),
        planes=planes,
        threshold=door(each("threshold", 0), np.int32, neurons),
        leak=door(each("leak", 0), np.int32, neurons),
        reset=door(each("reset", 0, RESETS), np.uint8, neurons),
        floor=door(each("floor", NO_FLOOR), np.int32, neurons),
        floor_mode=door(each("floor_mode", 0, FLOORS), np.uint8, neurons),
        start=door(each("start", 0), np.int32, neurons),
        layer=door(np.zeros(neurons, np.int32), np.int32, neurons),
        unit=door(np.full(neurons, AUXILIARY, np.int32), np.int32, neurons),
    )


def _frames(document: Mapping[str, Any]) -> Frames:
    bits = np.array([[[int(c) for c in tick] for tick in frame] for frame in document["bits"]], np.uint8)
    names = ("sums", "spikes", "axon_events", "synaptic_events")
    return Frames(bits=bits, **{name: door(document[name], np.int64, len(bits), None) for name in names})


def _bits(words: Sequence[str]) -> U8:
    """["0110", ...] as 0/1 (words, letters)."""
    return np.array([[int(letter) for letter in word] for word in words], np.uint8)


def _rows(rows: Sequence[Sequence[int]], width: int) -> Array:
    return door(np.array(rows, np.int32).reshape(-1, width), np.int32, None, width)
