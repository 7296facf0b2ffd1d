"""`Detail`: what a page shows of a run beyond its score: some frames' spikes, the confusion matrix, spreads over frames."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spikebnn.arrays import F64, U8, Array, pack_bits, unpack_bits
from spikebnn.encode import encode
from spikebnn.energy.traffic import traffic
from spikebnn.errors import InputError
from spikebnn.labels import checked
from spikebnn.program import Program
from spikebnn.run import Counts, Run
from spikebnn.simulate import registry
from spikebnn.simulate.layout import feed
from spikebnn.simulate.wiring import last_tick
from spikebnn.targets.target import Target

SCHEMA = "spikebnn.detail/1"
FRAMES = 8  # whose spikes are kept, if they fit
BITS = 6_000_000  # of a raster, before it is compressed
CLASSES = 40  # of a confusion matrix that can still be read
BINS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How often a value fell between two neighbouring edges."""

    unit: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    low: float
    middle: float  # median
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Neurons of one layer whose windows begin in the same tick."""

    layer: str
    start: int  # first tick of the window, counted from the frame's presentation
    neurons: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """Every spike of some frames, tick by tick, in each neuron's own window."""

    period: int  # ticks of a window
    frames: tuple[int, ...]
    classes: tuple[int, ...]  # what the run said
    labels: tuple[int, ...] | None
    blocks: tuple[Block, ...]
    bits: str  # base64 of zlib of bits (frames, period, neurons in the order of blocks), little bit order, rows padded


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One run, seen closer. What is None was not known, and the note beside it says why."""

    confusion: tuple[tuple[int, ...], ...] | None  # rows: true classes; columns: what the run said
    confusion_note: str
    spikes: Spread | None  # per frame
    latency: Spread | None  # seconds, if each tick ends when its busiest core is done
    latency_note: str
    raster: Raster | None
    raster_note: str

    def to_json(self) -> dict[str, Any]:
        """This detail as plain data, schema spikebnn.detail/1; it stands under "detail" in the file of a score."""
        return {"schema": SCHEMA, **asdict(self)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Detail:
        """Undo `to_json`; raises InputError where the data are of another schema or broken."""
        if data.get("schema") != SCHEMA:
            raise InputError(
                f"the detail is of schema {data.get('schema')!r}, {SCHEMA!r} is wanted; run again"
            )
        try:
            return _read(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"the detail has a value that does not fit {SCHEMA}: {error}; run again"
            ) from error


def detail(
    run: Run,
    program: Program,
    target: Target,
    x: Array,
    labels: Array | Sequence[int] | None = None,
    frames: int = FRAMES,
) -> Detail:
    """Look closer at a run of a program on the data `x`; `frames` is of how many frames the spikes are kept, if they fit."""
    flat = int(np.prod(run.scores.shape[1:], dtype=np.int64))
    told = None if labels is None else checked(labels, run.frames, flat)
    matrix, why = _confusion(run, told, flat)
    latency, how = _latency(run, program, target)
    raster, note = _raster(run, program, np.asarray(x), told, frames)
    return Detail(
        confusion=matrix,
        confusion_note=why,
        spikes=spread(run.counts.spikes.sum(axis=1).astype(np.float64), "spikes"),
        latency=latency,
        latency_note=how,
        raster=raster,
        raster_note=note,
    )


def spread(values: F64, unit: str) -> Spread | None:
    """The histogram of some values; None of none. Whole numbers get bins that hold equally many of them."""
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if low == high:
        return Spread(unit=unit, edges=(low, high), counts=(len(values),), low=low, middle=low, high=high)
    if unit == "spikes":
        step = max(1, int(np.ceil((high - low + 1) / BINS)))
        edges: Array = np.arange(low, high + step + 1, step) - 0.5
        edges = edges[: int(np.ceil((high - low + 1) / step)) + 1]
    else:
        edges = np.linspace(low, high, BINS + 1)
    counts, _ = np.histogram(values, edges)
    return Spread(unit=unit, edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), low=low,
                  middle=float(np.median(values)), high=high)  # fmt: skip


def _confusion(
    run: Run, labels: Array | None, classes: int
) -> tuple[tuple[tuple[int, ...], ...] | None, str]:
    if labels is None:
        return None, "no labels were given, so there is no confusion matrix; data with y have one"
    if not 1 < classes <= CLASSES:
        return None, f"a confusion matrix is shown for 2 to {CLASSES} classes, and this run has {classes}"
    out = np.zeros((classes, classes), np.int64)
    np.add.at(out, (labels, run.classes), 1)
    return tuple(tuple(row) for row in out.tolist()), ""


def _latency(run: Run, program: Program, target: Target) -> tuple[Spread | None, str]:
    seconds, note = frame_seconds(run.counts, program, target)
    return None if seconds is None else spread(seconds, "s"), note


def frame_seconds(counts: Counts, program: Program, target: Target) -> tuple[F64 | None, str]:
    """Each frame's time from presentation to answer at best guesses, by the rule of `energy.timing`; and how it is known.

    Seconds (frames,); None where the time does not depend on the frame, or where nobody published it.
    """
    known = target.timing
    if "tick_min" in known:
        why = "the shortest tick was measured, and does not depend on the frame"
        return None, f"every frame takes {program.latency} ticks; {why}"
    needed = ("synaptic_event", "neuron_idle", "neuron_active", "spike", "message", "message_in", "barrier")
    if missing := [key for key in needed if key not in known]:
        return (
            None,
            f"every frame takes {program.latency} ticks; there is no published time for {', '.join(missing)}",
        )
    if not len(counts.spikes) or not program.cores:
        return None, "there is no frame to time"
    period = program.period
    neurons = np.array([core.neurons for core in program.cores], np.float64) * period
    leaky = np.array([int((core.leak != 0).sum()) for core in program.cores], np.float64) * period
    active = np.minimum(neurons, counts.synaptic_events + leaky)
    total = np.maximum(counts.spikes.sum(axis=0), 1)
    sent = counts.spikes * (traffic(counts, program, target).sent / total)
    load = (
        counts.synaptic_events * known["synaptic_event"].v
        + active * known["neuron_active"].v
        + (neurons - active) * known["neuron_idle"].v
        + counts.spikes * known["spike"].v
        + sent * known["message"].v
        + counts.axon_events * known["message_in"].v
    )
    seconds: F64 = program.latency * (load.max(axis=1) / period + known["barrier"].v)
    return seconds, (
        f"{program.latency} ticks, each as long as the frame's busiest core needs, plus the barrier, at best guesses"
    )


def _raster(
    run: Run, program: Program, x: Array, labels: Array | None, frames: int
) -> tuple[Raster | None, str]:
    neurons, period = program.first[-1], program.period
    fit = BITS // max(1, neurons * period)
    count = min(frames, run.frames, fit)
    if not frames:
        return None, "no spikes were kept; run with --detail 8"
    if not neurons:
        return None, "no neuron is on a core, so there is no spike to show"
    if not fit:
        return (
            None,
            f"a frame has {neurons * period} places for a spike, too many to keep; {BITS} is the limit",
        )
    if not count:
        return None, "the run has no frame"
    bits = encode(program.encoder, x[:count])
    at, ticks = feed(program, bits[None]), last_tick(program, count)
    drive = np.stack([at(tick)[0] for tick in range(ticks)])
    spikes = registry.simulator("bitwise").load(program).ticks(drive[None]).spikes[0]
    layer = np.concatenate([core.layer for core in program.cores])
    start = np.concatenate([core.start for core in program.cores])
    order = np.lexsort((np.arange(neurons), start, layer))
    when = start[order] + period * np.arange(count)[:, None, None] + np.arange(period)[:, None]
    seen = spikes[np.minimum(when, len(spikes) - 1), order]
    blocks = []
    for number, first in np.unique(np.stack([layer, start], axis=1), axis=0).tolist():
        many = int(((layer == number) & (start == first)).sum())
        blocks.append(Block(layer=layer_name(program, number), start=int(first), neurons=many))
    return Raster(
        period=period,
        frames=tuple(range(count)),
        classes=tuple(run.classes[:count].tolist()),
        labels=None if labels is None else tuple(labels[:count].tolist()),
        blocks=tuple(blocks),
        bits=base64.b64encode(zlib.compress(pack_bits(seen).tobytes(), 9)).decode(),
    ), ""


def layer_name(program: Program, number: int) -> str:
    """The name of a layer of the program's neurons."""
    return program.layers[number].name if 0 <= number < len(program.layers) else "auxiliary"


def raster_bits(raster: Raster) -> U8:
    """The spikes (frames, period, neurons) of a raster; raises ValueError where they are not as many as it says."""
    neurons = sum(block.neurons for block in raster.blocks)
    packed = np.frombuffer(zlib.decompress(base64.b64decode(raster.bits)), np.uint8)
    return unpack_bits(packed.reshape(len(raster.frames), raster.period, -(-neurons // 8)), neurons)


def _read(data: Mapping[str, Any]) -> Detail:
    def spread_of(part: Mapping[str, Any] | None) -> Spread | None:
        if part is None:
            return None
        return Spread(**{**part, "edges": tuple(part["edges"]), "counts": tuple(part["counts"])})

    raster, confusion = data["raster"], data["confusion"]
    return Detail(
        confusion=None if confusion is None else tuple(tuple(row) for row in confusion),
        confusion_note=str(data["confusion_note"]),
        spikes=spread_of(data["spikes"]),
        latency=spread_of(data["latency"]),
        latency_note=str(data["latency_note"]),
        raster=None if raster is None else Raster(
            period=int(raster["period"]),
            frames=tuple(raster["frames"]),
            classes=tuple(raster["classes"]),
            labels=None if raster["labels"] is None else tuple(raster["labels"]),
            blocks=tuple(Block(**block) for block in raster["blocks"]),
            bits=str(raster["bits"]),
        ),
        raster_note=str(data["raster_note"]),
    )  # fmt: skip
