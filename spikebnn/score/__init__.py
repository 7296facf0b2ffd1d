"""`Score`: what a run was worth: answers, agreement, events, energy, time and cores, each with its unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import Array
from spikebnn.energy import Energy, energy
from spikebnn.energy.duty import Duty, at_rate
from spikebnn.energy.timing import Timing, timing
from spikebnn.energy.traffic import check_traffic, traffic
from spikebnn.errors import InputError
from spikebnn.formats import connected
from spikebnn.labels import checked
from spikebnn.mapped_for import check_mapped_for, is_file_of
from spikebnn.network import Network
from spikebnn.program import Program
from spikebnn.run import Run
from spikebnn.score.use import Use, footprint, macs, use_of
from spikebnn.targets import load_target, target_names
from spikebnn.targets.target import Target

WEIGHTED = ("linear", "addmm", "mm", "bmm", "matmul", "conv1d", "conv2d", "convolution")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """In how many of `frames` the run said what the original network says."""

    frames: int
    classes: int  # same class
    scores: int | None  # every score the same number; None where only classes were given


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerScore:
    """One layer, on the cores or on the host. Counts are over all frames."""

    name: str
    role: str
    where: str  # "cores" or "host"
    cores: int = 0
    neurons: int = 0  # of the network
    placed: int = 0  # on the cores, copies included
    spikes: int | None = None
    updates: int | None = None
    synaptic_events: int | None = None  # None where a core holds two layers: simulators count per core
    hops: int | None = None  # of the spikes this layer's neurons send


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreScore:
    """One core. Counts are over all frames."""

    chip: int
    x: int
    y: int
    neurons: int
    axons: int
    synapses: int  # (axon, neuron) pairs with a synapse
    spikes: int
    updates: int
    axon_events: int
    synaptic_events: int
    messages: int  # sent
    hops: int  # of those


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A run, judged. Counts are over all `frames`; energies too, and per frame where the name says so."""

    program: str  # digest
    network: str  # digest of the network file, where the program knows it
    target: str
    target_digest: str
    family: str
    simulator: str
    version: str
    frames: int
    seconds: float  # wall time of the simulation
    correct: int | None  # None without labels
    agreement: Agreement | None  # None without a reference
    chips: int
    spikes: int
    axon_events: int
    synaptic_events: int
    updates: int
    messages: int
    input_messages: int
    hops: int
    crossings: int
    dense: int  # synaptic operations if every axon were active in every tick
    macs: int  # multiply-accumulates of the network for one frame: its non-zero weights on the cores, per position
    footprint: int  # bytes of the arrays that program the cores
    energy: Energy
    timing: Timing
    layers: tuple[LayerScore, ...]
    cores: tuple[CoreScore, ...]
    use: dict[str, Use]
    host: tuple[str, ...]  # what runs outside the cores, in words
    active_updates: int | None = None  # with input; None where not counted
    rate: float | None = None  # frames per second that the user named; see `spikebnn.energy.duty`

    @property
    def hybrid(self) -> bool:
        """Whether real-valued layers run on the host."""
        return any(layer.where == "host" and layer.role in ("stem", "head") for layer in self.layers)

    @property
    def accuracy(self) -> float | None:
        return None if self.correct is None or not self.frames else self.correct / self.frames

    @property
    def synapses(self) -> int:
        return sum(core.synapses for core in self.cores)

    @property
    def duty(self) -> Duty | None:
        """The cost at the rate that the user named; None where none was named."""
        return None if self.rate is None else at_rate(self.energy, self.timing, self.rate)

    def to_json(self) -> str:
        """This score as JSON text of schema spikebnn.score/2; see `spikebnn.score.file`."""
        from spikebnn.score.file import to_json

        return to_json(self)

    @staticmethod
    def from_json(text: str, where: str = "the score") -> Score:
        """Undo `to_json`; raises InputError with a sentence about what is wrong with the text."""
        from spikebnn.score.file import from_json

        return from_json(text, where)


def score(
    run: Run,
    program: Program,
    target: Target,
    labels: Array | Sequence[int] | None = None,
    reference: Array | None = None,
    tick_s: float | None = None,
    rate: float | None = None,
) -> Score:
    """Judge a run of a program on a target.

    `labels` (frames,) are the true classes. `reference` holds what the original network answers: its scores
    (frames, ...) or its classes (frames,). `tick_s` replaces the target's nominal tick, in seconds.
    `rate`, in frames per second, is how often frames come; the report then also prices the time between them.
    Raises InputError where program, run, target and labels do not belong together.
    """
    _check(run, program, target)
    if tick_s is not None and not tick_s > 0:
        raise InputError(f"a tick of {tick_s:g} s was asked for; it must be longer than 0 s")
    told = None if labels is None else checked(labels, run.frames, _flat(run.scores).shape[1])
    counts = run.counts
    moved = traffic(counts, program, target)
    check_traffic(moved, counts, program, target)
    cores = _cores(run, program, target)
    bill = energy(counts, program, target, run.frames, tick_s)
    times = timing(counts, program, target, run.frames, tick_s)
    if rate is not None:
        at_rate(bill, times, rate)  # refuses a rate out of reach
    return Score(
        program=run.program,
        network=str(program.header.get("network", "")),
        target=target.name,
        target_digest=target.digest,
        family=target.family,
        simulator=run.simulator,
        version=run.version,
        frames=run.frames,
        seconds=run.seconds,
        correct=None if labels is None else int(np.count_nonzero(told == run.classes)),
        agreement=None if reference is None else _agreement(run, np.asarray(reference)),
        chips=len({core.chip for core in program.cores}),
        spikes=int(counts.neuron_spikes.sum()),
        axon_events=int(counts.axon_events.sum()),
        synaptic_events=int(counts.synaptic_events.sum()),
        updates=sum(core.updates for core in cores),
        messages=moved.messages,
        input_messages=moved.input_messages,
        hops=moved.hops_x + moved.hops_y,
        crossings=moved.crossings,
        dense=sum(core.synapses for core in cores) * program.period * run.frames,
        macs=macs(program),
        footprint=footprint(program),
        energy=bill,
        timing=times,
        layers=_layers(run, program, cores),
        cores=cores,
        use=use_of(program, target),
        host=_host(program),
        active_updates=None if counts.active_updates is None else int(counts.active_updates.sum()),
        rate=rate,
    )


def _check(run: Run, program: Program, target: Target) -> None:
    check_mapped_for(program, target)
    if program.target != target.name and not _same_structure(program, target):
        raise InputError(
            f"the program was mapped for target {program.target!r}, which is built otherwise than {target.name!r};"
            f" map the network again with --target {target.name}"
        )
    wanted = (run.frames, len(program.cores))
    if run.counts.spikes.shape != wanted:
        raise InputError(
            f"the run counted {run.counts.spikes.shape} (frames, cores), the program has {wanted}; they differ"
        )


def _same_structure(program: Program, target: Target) -> bool:
    """Whether the target a program was mapped for differs from this one in prices alone: two presets of one chip."""
    if program.target not in target_names():
        return False
    other = load_target(program.target)
    if not is_file_of(program, other):
        return False
    parts = ("topology", "core", "synapse", "fan", "neuron")
    return all(getattr(other, part) == getattr(target, part) for part in parts)


def _same(run: Run, classes: Array, what: str) -> int:
    """In how many frames the run's class is the given one."""
    if classes.shape != (run.frames,):
        raise InputError(
            f"{what} have shape {classes.shape}; the run has {run.frames} frames, so ({run.frames},) is wanted"
        )
    return int((classes == run.classes).sum())


def _agreement(run: Run, reference: Array) -> Agreement:
    if reference.ndim == 1:
        return Agreement(frames=run.frames, classes=_same(run, reference, "reference classes"), scores=None)
    if len(reference) != run.frames:
        raise InputError(f"the reference has {len(reference)} frames, the run {run.frames}")
    theirs, ours = _flat(reference), _flat(run.scores)
    if theirs.shape != ours.shape:
        raise InputError(f"the reference has {theirs.shape[1]} scores per frame, the run {ours.shape[1]}")
    classes = int((theirs.argmax(axis=1) == run.classes).sum()) if run.frames else 0
    return Agreement(frames=run.frames, classes=classes, scores=int((theirs == ours).all(axis=1).sum()))


def _flat(scores: Array) -> Array:
    """Scores (frames, scores), for any number of frames, none included."""
    return scores.reshape(len(scores), int(np.prod(scores.shape[1:], dtype=np.int64)))


def _cores(run: Run, program: Program, target: Target) -> tuple[CoreScore, ...]:
    counts, moved = run.counts, traffic(run.counts, program, target)
    return tuple(
        CoreScore(
            chip=core.chip,
            x=core.x,
            y=core.y,
            neurons=core.neurons,
            axons=core.axons,
            synapses=int(connected(core).sum()),
            spikes=int(counts.spikes[:, c].sum()),
            updates=core.neurons * program.period * run.frames,
            axon_events=int(counts.axon_events[:, c].sum()),
            synaptic_events=int(counts.synaptic_events[:, c].sum()),
            messages=int(moved.sent[c]),
            hops=int(moved.core_hops[c]),
        )
        for c, core in enumerate(program.cores)
    )


def _layers(run: Run, program: Program, cores: tuple[CoreScore, ...]) -> tuple[LayerScore, ...]:
    """Host parts and layers in the order in which a frame meets them."""
    first = program.first
    rows: list[LayerScore] = []
    if program.encoder.kind == "host":
        graph = program.encoder.graph
        role = "stem" if graph is not None and _weighs(graph) else "encoder"
        rows.append(LayerScore(name=_modules(program), role=role, where="host"))
    for number, layer in enumerate(program.layers):
        spikes = placed = 0
        held, shared = [], False
        for c, core in enumerate(program.cores):
            mine = np.flatnonzero(core.layer == number)
            if not len(mine):
                continue
            held.append(c)
            shared |= len(mine) < core.neurons
            own = run.counts.neuron_spikes[first[c] + mine]
            spikes, placed = spikes + int(own.sum()), placed + len(mine)
        rows.append(
            LayerScore(
                name=layer.name,
                role=layer.role,
                where="cores" if placed or layer.role == "merged" else "host",
                cores=len(held),
                neurons=layer.neurons,
                placed=placed,
                spikes=spikes,
                updates=placed * program.period * run.frames,
                synaptic_events=None if shared else sum(cores[c].synaptic_events for c in held),
                hops=None if shared else sum(cores[c].hops for c in held),
            )
        )
    if program.decoder.tail is not None:
        role = "head" if _weighs(program.decoder.tail) else "tail"
        rows.append(LayerScore(name=program.decoder.name, role=role, where="host"))
    return tuple(rows)


def _modules(program: Program) -> str:
    """Names of the modules that the encoder runs on the host."""
    graph = program.encoder.graph
    names = [] if graph is None else list(dict.fromkeys(node.where for node in graph.nodes if node.where))
    return ", ".join(names) or "input"


def _host(program: Program) -> tuple[str, ...]:
    said = []
    graph = program.encoder.graph
    if graph is not None and _weighs(graph):
        said.append(f"{_modules(program)}: real-valued, computed on the host in NumPy; its energy is left out")
    elif graph is not None:
        said.append(f"{_modules(program)}: the host compares the input with constants; its energy is left out")
    held = {int(number) for core in program.cores for number in np.unique(core.layer)}
    said += [
        f"{layer.name}: its sums are spikes that the host counts"
        for number, layer in enumerate(program.layers)
        if number not in held
    ]
    tail = program.decoder.tail
    if tail is not None and _weighs(tail):
        said.append(
            f"{program.decoder.name}: real-valued layers after it run on the host; their energy is left out"
        )
    elif tail is not None:
        said.append(f"{program.decoder.name}: the host turns its integer sums into scores")
    return tuple(said)


def _weighs(graph: Network) -> bool:
    """Whether a host graph holds layers with weights, beyond scaling and normalising."""
    return any(node.op.split(".")[1] in WEIGHTED for node in graph.nodes if node.op.count("."))
