"""Runs a scenario: every window is encoded, simulated and decided; memory does not grow with the stream."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from spikebnn import sbnn
from spikebnn.arrays import Array
from spikebnn.encode import decode, encode
from spikebnn.errors import InputError
from spikebnn.mapped_for import check_mapped_for
from spikebnn.program import Program
from spikebnn.simulate import Session, registry
from spikebnn.stream.report import StreamReport
from spikebnn.stream.scenario import Scenario, load_scenario
from spikebnn.stream.source import rows
from spikebnn.stream.totals import Totals
from spikebnn.stream.window import Window, windows
from spikebnn.target import Target
from spikebnn.targets import load_target

BATCH = 64  # windows simulated at a time; one by one where rows come from standard input


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One window, decided or missed."""

    number: int  # of the window, from 0 on
    time: float  # seconds, of the window's last row
    chosen: int | None  # class; None when missed
    name: str  # of the class, or why it was missed: "bad row", "too late"
    truth: str | None
    right: bool | None
    margin: float  # the largest score less the second largest; 0 when missed
    spikes: int
    synaptic_events: int
    held: bool  # a bad row was replaced by the last good one


def stream(scenario: Scenario | str | os.PathLike[str], limit: int | None = None,
           on_decision: Callable[[Decision], object] | None = None) -> StreamReport:
    """Run a scenario (a `Scenario`, a path, or the name of one that comes with spikebnn) for `limit` windows at most.

    `on_decision` is called for every window in order. A window is missed when it holds a bad row, or when it comes
    while the chip still takes in the one before: a frame keeps it busy for period x tick seconds.
    KeyboardInterrupt ends the stream; the report then covers what was decided until then.
    """
    plan = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    program, target = _mapped(plan)
    session, version = _session(plan, program)
    totals = Totals(plan, program, target, version)
    stopped = "end"
    try:
        for batch in _batches(_limited(_windows(plan), limit), 1 if plan.source.file == "-" else BATCH):
            for decision in _decide(batch, plan, program, session, totals):
                if on_decision is not None:
                    on_decision(decision)
        if limit is not None and totals.windows >= limit:
            stopped = "limit"
    except KeyboardInterrupt:
        stopped = "interrupted"
    return totals.report(sbnn.digest(program), stopped)


def _mapped(plan: Scenario) -> tuple[Program, Target]:
    """The program and its target."""
    if plan.program is not None:
        program = sbnn.load(plan.program)
        target = load_target(program.target)
        check_mapped_for(program, target, "name the net and the target file in [network] in place of the program")
        return program, target
    import spikebnn  # the stream is a user of the public call

    target = load_target(str(plan.target))
    program = spikebnn.map(str(plan.net), target)
    return program, target


def _session(plan: Scenario, program: Program) -> tuple[Session, str]:
    chosen = registry.simulator(plan.simulator)
    return chosen.load(program), f"{chosen.name} {chosen.version}"


def _windows(plan: Scenario) -> Iterator[Window]:
    return windows(rows(plan.source), plan.rows, plan.hop, plan.source.missing)


def _limited(items: Iterable[Window], limit: int | None) -> Iterator[Window]:
    return iter(items) if limit is None else itertools.islice(items, limit)


def _batches(items: Iterator[Window], size: int) -> Iterator[list[Window]]:
    while batch := list(itertools.islice(items, size)):
        yield batch


def _decide(batch: list[Window], plan: Scenario, program: Program, session: Session, totals: Totals) -> Iterator[Decision]:
    """The decisions of a batch of windows, in order, booked in `totals`."""
    fates = [totals.fate(window) for window in batch]
    taken = [window for window, fate in zip(batch, fates) if not fate]
    answer = session.frames(encode(program.encoder, frames(taken, plan.order, program))) if taken else None
    scores = np.zeros((0, 0)) if answer is None else decode(program.decoder, answer.sums).reshape(len(taken), -1)
    if answer is not None:
        totals.spend(answer.counts, len(taken))
    at = 0
    for window, fate in zip(batch, fates):
        number, time = totals.windows, window.row / plan.source.rate
        if fate or answer is None:
            totals.miss(window, fate)
            yield Decision(number=number, time=time, chosen=None, name=fate, truth=window.label, right=None, margin=0.0,
                           spikes=0, synaptic_events=0, held=False)
            continue
        chosen, top = int(scores[at].argmax()), np.sort(scores[at])[::-1]
        spikes, events = int(answer.counts.spikes[at].sum()), int(answer.counts.synaptic_events[at].sum())
        right = totals.book(window, chosen, scores.shape[1], spikes, events)
        at += 1
        yield Decision(
            number=number, time=time, chosen=chosen, name=totals.name(chosen), truth=window.label, right=right,
            margin=float(top[0] - top[1]) if len(top) > 1 else 0.0, spikes=spikes, synaptic_events=events,
            held=window.held > 0,
        )


def frames(taken: list[Window], order: str, program: Program) -> Array:
    """The windows as frames in the network's own shape and type."""
    x = np.stack([window.values for window in taken if window.values is not None])
    shape = program.encoder.shape
    _, length, channels = x.shape
    if length * channels != math.prod(shape):
        raise InputError(f"A window of {length} rows of {channels} readings holds {length * channels} values, and the "
                         f"network takes {math.prod(shape)} (shape {shape}); change [window] rows or [source] columns.")
    flat = (x.transpose(0, 2, 1) if order == "channels" else x).reshape(len(x), *shape)
    own = np.dtype(program.encoder.dtype)
    if own.kind == "f":
        return flat.astype(own)
    low, high = (0, 1) if own.kind == "b" else (np.iinfo(own).min, np.iinfo(own).max)
    whole = (flat == np.rint(flat)) & (flat >= low) & (flat <= high)
    if not whole.all():
        raise InputError(f"The network takes whole numbers from {low} to {high}, and row {taken[0].row} or a later one holds "
                         f"{flat[~whole][0]:g}; set [source] scale, or round the data.")
    return flat.astype(own)
