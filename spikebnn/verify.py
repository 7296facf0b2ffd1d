"""Verify: is the mapped program the same network? Spike for spike, score for score, with a certificate.

Two proofs stand in a certificate. Structure: the synapses, thresholds and delays that the program's cores and
routes amount to equal the folded network's, whatever the input. Frames: on the given data every neuron's spikes
and every score equal the original network's, evaluated by its own framework where that is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spikebnn.arrays import F64, I64, Array
from spikebnn.checks.equivalent import check_equivalent
from spikebnn.divergence import Divergence, wrong_spike, wrong_sum
from spikebnn.encode import decode, encode
from spikebnn.errors import CheckError, InputError, NotEqualError
from spikebnn.fold import FoldOptions, fold
from spikebnn.labels import checked
from spikebnn.network import Network
from spikebnn.pipeline import data_digest, machine, read
from spikebnn.program import Program
from spikebnn.simulate import Answer, Session, registry
from spikebnn.threshold import Readout, ThresholdNetwork

ORACLE_BATCH = 250  # frames that the original network sees at once
RASTER_BYTES = 1 << 28  # memory for the spikes that are compared at once
SUM_FRAMES = 256  # frames in which a wrong sum is looked for that changes no spike
SCHEMA = "spikebnn.certificate/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one simulator's comparison came to."""

    simulator: str
    version: str
    frames: int
    differing_frames: int
    differing_classes: int
    differing_scores: int
    differing_spikes: int
    spikes_compared: int
    largest_score_difference: float
    first: Divergence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The outcome of a verification; `equal` is the answer."""

    equal: bool
    program: str
    network: str
    target: str
    data: str
    frames: int
    oracle: str  # who evaluated the original network
    score_tolerance: float  # 0: scores are compared bit for bit
    structure: str  # "equal", or the first difference
    verdicts: tuple[Verdict, ...]
    fold: Mapping[str, Any]
    accuracy: Mapping[str, float] = field(default_factory=dict)  # "original" and each simulator, where labels are known
    machine: Mapping[str, str] = field(default_factory=dict)
    target_digest: str = ""  # sha256 of the target file that the program was mapped with

    def to_json(self) -> dict[str, Any]:
        """Plain data for a JSON file."""
        out: dict[str, Any] = {"schema": SCHEMA}
        for name in Certificate.__slots__:
            out[name] = getattr(self, name)
        out["verdicts"] = [_plain(v) for v in self.verdicts]
        out["fold"], out["accuracy"], out["machine"] = dict(self.fold), dict(self.accuracy), dict(self.machine)
        return out

    def require(self) -> Certificate:
        """Return itself, or raise NotEqualError naming the first difference."""
        if not self.equal:
            raise NotEqualError(self.reason())
        return self

    def reason(self) -> str:
        """Why it is not equal, in one sentence; empty when it is."""
        for verdict in self.verdicts:
            if verdict.first is not None and verdict.first.what == "sum":
                return f"the program's structure differs: {self.structure}; first seen, {verdict.first}"
            if verdict.first is not None:
                return f"{verdict.differing_frames} of {verdict.frames} frames differ; first, {verdict.first}"
        return "" if self.structure == "equal" else f"the program's structure differs: {self.structure}"


def _plain(value: Verdict) -> dict[str, Any]:
    out = {name: getattr(value, name) for name in Verdict.__slots__}
    if value.first is not None:
        out["first"] = {name: getattr(value.first, name) for name in Divergence.__slots__} | {"text": str(value.first)}
    return out


def verify(
    program: Program,
    against: str | Path | Network | Any,
    x: Array,
    y: Array | None = None,
    *,
    simulators: str | Sequence[str] = "bitwise",
    oracle: str = "auto",
    example_input: Any = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Certificate:
    """Compare a program with the network it was mapped from, on frames `x`, in one or more simulators.

    `against` is the network as `spikebnn.map` takes it; `y` are labels, for the accuracies. `simulators` is a name,
    a list, or "all" (every installed one). `oracle` says who evaluates the original: "torch", "numpy", or
    "auto" (torch where it is installed). The certificate holds the first divergence of each simulator; it is
    returned, not raised: `certificate.require()` raises.
    """
    network = read(against, example_input)
    if program.header.get("network") and network.digest != program.header["network"]:
        raise InputError(
            f"the program was mapped from another network file (sha256 {str(program.header['network'])[:12]}..., "
            f"and this one is {network.digest[:12] or 'no file'}...); map it again, or give the file it came from"
        )
    options = dict(program.header.get("options", {}))
    folded = fold(network, FoldOptions(**options))
    names = _names(simulators)
    evaluate, oracle_name = _oracle(oracle)
    x = np.asarray(x)
    if len(x) == 0:
        raise InputError("there are no frames to verify on")
    encode(program.encoder, x[:1])
    loaded = {name: registry.simulator(name) for name in names}
    sessions = {name: simulator.load(program) for name, simulator in loaded.items()}
    tallies = {name: _Tally(name, loaded[name].version) for name in names}
    right: dict[str, int] = {"original": 0, **dict.fromkeys(names, 0)}
    batch = max(ORACLE_BATCH, RASTER_BYTES // max(1, program.first[-1]))
    for first in range(0, len(x), batch):
        part = x[first : first + batch]
        expected = _expected(network, folded, evaluate, part)
        if y is not None and first == 0:
            y = checked(y, len(x), expected.scores.shape[1])
        labels = None if y is None else y[first : first + batch]
        if labels is not None:
            right["original"] += int((expected.classes == labels).sum())
        lines = encode(program.encoder, part)
        for name in names:
            answer = sessions[name].frames(lines, True)
            scores = decode(program.decoder, answer.sums).reshape(len(part), -1)
            classes = scores.argmax(axis=1)
            _compare(program, folded, expected, answer, classes, lines, first, tallies[name], sessions[name])
            if labels is not None:
                right[name] += int((classes == labels).sum())
            if on_progress is not None:
                on_progress(name, first + len(part), len(x))
    structure = _structure(program, folded)
    if structure != "equal" and all(tally.first is None for tally in tallies.values()):
        lines = encode(program.encoder, x[:SUM_FRAMES])
        for name in names:
            tallies[name].first = wrong_sum(program, folded, name, sessions[name], lines)
    verdicts = tuple(tally.verdict(len(x)) for tally in tallies.values())
    return Certificate(
        equal=structure == "equal" and all(v.differing_frames == 0 for v in verdicts),
        program=_digest(program),
        network=network.digest,
        target=program.target,
        data=data_digest(x),
        frames=len(x),
        oracle=oracle_name,
        score_tolerance=folded.readout.tolerance,
        structure=structure,
        verdicts=verdicts,
        fold=_fold_record(folded),
        accuracy={k: v / len(x) for k, v in right.items()} if y is not None else {},
        machine=machine(),
        target_digest=_target_digest(program),
    )


def _target_digest(program: Program) -> str:
    made = program.header.get("target")
    return str(made.get("digest", "")) if isinstance(made, Mapping) else ""  # a program by hand may name its target only


def _digest(program: Program) -> str:
    from spikebnn.sbnn import digest

    return digest(program)


def _names(simulators: str | Sequence[str]) -> list[str]:
    if simulators == "all":
        return list(registry.installed())
    names = [simulators] if isinstance(simulators, str) else list(simulators)
    for name in names:
        registry.simulator(name)
    return names


Evaluate = Callable[[Network, Mapping[str, Array], Sequence[str]], Mapping[str, Array]]


def _oracle(oracle: str) -> tuple[Evaluate, str]:
    from importlib.util import find_spec

    if oracle not in ("auto", "torch", "numpy"):
        raise InputError(f'the oracle is "torch", "numpy" or "auto", not {oracle!r}')
    if oracle == "torch" or (oracle == "auto" and find_spec("torch") is not None):
        import torch

        from spikebnn.importers import on_torch

        return on_torch.evaluate, f"torch {torch.__version__}"
    from spikebnn.evaluate import evaluate

    return evaluate, f"spikebnn.evaluate, numpy {np.__version__}"


@dataclass(frozen=True, slots=True, eq=False)
class _Expected:
    """What the original network says of a batch of frames."""

    bits: Mapping[str, Array]  # layer name -> (frames, neurons) uint8; 2 where the original shows no such bit
    sums: F64  # (frames, sums); the readout's value before its tail
    scores: F64
    classes: I64


def _expected(network: Network, folded: ThresholdNetwork, evaluate: Evaluate, x: Array) -> _Expected:
    starts = range(0, len(x), ORACLE_BATCH)
    parts = [_expected_of(network, folded, evaluate, x[k : k + ORACLE_BATCH]) for k in starts]
    return _Expected(
        bits={name: np.concatenate([p.bits[name] for p in parts]) for name in parts[0].bits},
        sums=np.concatenate([p.sums for p in parts]),
        scores=np.concatenate([p.scores for p in parts]),
        classes=np.concatenate([p.classes for p in parts]),
    )


def _expected_of(network: Network, folded: ThresholdNetwork, evaluate: Evaluate, x: Array) -> _Expected:
    out = network.outputs[0]
    wanted = {layer.witness.value for layer in folded.layers if layer.witness} | {out, folded.readout.witness}
    seen = evaluate(network, {network.inputs[0]: x.astype(folded.encoder.dtype)}, sorted(wanted))
    frames = len(x)
    bits = {}
    for layer in folded.layers:
        if layer.witness is not None:
            value = np.asarray(seen[layer.witness.value]).reshape(frames, -1)
            shown = layer.witness.element >= 0
            fired = value[:, np.where(shown, layer.witness.element, 0)] >= layer.witness.at_least
            bits[layer.name] = np.where(shown, fired, 2).astype(np.uint8)
    scores = np.asarray(seen[out], np.float64).reshape(frames, -1)
    before = np.asarray(seen[folded.readout.witness], np.float64).reshape(frames, -1)
    return _Expected(bits, before, scores, scores.argmax(axis=1))


def before_tail(readout: Readout, sums: Array) -> F64:
    """The scores before the tail, rounded as the network rounds them; (frames, sums)."""
    y = (readout.alpha * (readout.unit * sums + readout.offset)).astype(readout.dtype)
    if readout.bias is not None:
        y = y + readout.bias.astype(readout.dtype)
    return np.asarray(y, np.float64)


def _compare(
    program: Program,
    folded: ThresholdNetwork,
    expected: _Expected,
    answer: Answer,
    chosen: I64,
    lines: Array,
    first: int,
    tally: _Tally,
    session: Session,
) -> None:
    frames = len(answer.sums)
    got = before_tail(folded.readout, answer.sums)
    gap = np.abs(got - expected.sums)
    worse = gap > folded.readout.tolerance
    classes = chosen != expected.classes
    if folded.readout.tolerance and classes.any():  # rounding may break a tie between scores either way
        top = np.take_along_axis(expected.scores, chosen[:, None], 1)[:, 0]
        classes &= expected.scores.max(axis=1) - top > 4 * folded.readout.tolerance
    spikes = np.zeros(frames, bool)
    place: tuple[int, int, int] | None = None  # start, frame, neuron number
    assert answer.raster is not None
    starts = program.first
    names = [layer.name for layer in program.layers]
    for index, core in enumerate(program.cores):
        raster = answer.raster[:, starts[index] : starts[index + 1]]
        for layer in np.unique(core.layer):
            if layer < 0 or names[layer] not in expected.bits or program.layers[layer].role == "readout":
                continue
            mine = np.flatnonzero((core.layer == layer) & (core.unit >= 0))
            bits = expected.bits[names[layer]][:, core.unit[mine]]
            wrong = (raster[:, mine] != bits) & (bits != 2)
            tally.compared += int((bits != 2).sum())
            if wrong.any():
                tally.spikes += int(wrong.sum())
                spikes |= wrong.any(axis=1)
                frame = int(np.flatnonzero(wrong.any(axis=1))[0])
                neuron = int(mine[np.flatnonzero(wrong[frame])[0]])
                found = (frame, int(core.start[neuron]), starts[index] + neuron)
                place = found if place is None or found < place else place
    differs = spikes | classes | worse.any(axis=1)
    tally.frames += int(differs.sum())
    tally.classes += int(classes.sum())
    tally.scores += int(worse.any(axis=1).sum())
    tally.gap = max(tally.gap, float(gap.max(initial=0.0)))
    if tally.first is None and place is not None:
        tally.first = wrong_spike(program, folded, tally.name, session, lines, first, place, answer)
    elif tally.first is None and differs.any():
        frame = int(np.flatnonzero(differs)[0])
        unit = int(np.argmax(gap[frame]))
        tally.first = Divergence(
            simulator=tally.name, frame=first + frame, what="score", unit=unit,
            expected=float(expected.sums[frame, unit]), found=float(got[frame, unit]),
        )  # fmt: skip


@dataclass(slots=True)
class _Tally:
    name: str
    version: str = ""
    frames: int = 0
    classes: int = 0
    scores: int = 0
    spikes: int = 0
    compared: int = 0
    gap: float = 0.0
    first: Divergence | None = None

    def verdict(self, frames: int) -> Verdict:
        return Verdict(
            simulator=self.name,
            version=self.version,
            frames=frames,
            differing_frames=self.frames,
            differing_classes=self.classes,
            differing_scores=self.scores,
            differing_spikes=self.spikes,
            spikes_compared=self.compared,
            largest_score_difference=self.gap,
            first=self.first,
        )


def _structure(program: Program, folded: ThresholdNetwork) -> str:
    try:
        check_equivalent(program, folded)
    except CheckError as error:
        return str(error).removesuffix(". This is a bug in spikebnn; please report it.")
    return "equal"


def _fold_record(folded: ThresholdNetwork) -> dict[str, Any]:
    """What was proven when the thresholds were read off."""
    kinds = ("fragile", "constant", "falling", "tie")
    total = {kind: sum(f.count for f in folded.findings if f.kind == kind) for kind in kinds}
    pairs = sum(f.of for f in folded.findings if f.kind == "fragile")
    return {"neurons": sum(layer.neurons for layer in folded.layers), "pairs_evaluated": pairs, **total}
