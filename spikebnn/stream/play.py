"""Runs a stream: windows are encoded, simulated and decided in batches; memory does not grow with the stream."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

import numpy as np

from spikebnn import sbnn
from spikebnn.arrays import F64
from spikebnn.errors import InputError
from spikebnn.faults import Faults
from spikebnn.simulate import Answer
from spikebnn.simulate.kept import Kept, remembers
from spikebnn.stream import checkpoint as checkpoints
from spikebnn.stream.alone import alone
from spikebnn.stream.decide import Chip, Smoother, margins, present
from spikebnn.stream.decisions import Decision, DecisionFile
from spikebnn.stream.parts import coding, mapped, session
from spikebnn.stream.pipeline import Feed, settle
from spikebnn.stream.plan import Scenario
from spikebnn.stream.report import Facts, StreamReport
from spikebnn.stream.samples import Rows
from spikebnn.stream.scenario import load_scenario
from spikebnn.stream.sources import Source, open_source
from spikebnn.stream.sources.arrays import Iterated
from spikebnn.stream.totals import Totals
from spikebnn.stream.watch import Batch, Opened, Watch
from spikebnn.stream.window import Windows

EVERY = 1.0  # seconds of the host between checkpoints


def stream(
    scenario: Scenario | str | os.PathLike[str],
    limit: int | None = None,
    on_decision: Callable[[Decision], object] | None = None,
    *,
    rows: Iterable[Any] | None = None,
    output: Sequence[str | os.PathLike[str]] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    every: float | None = None,
    on_batch: Callable[[Batch], object] | None = None,
    record: bool = False,
    watch: Sequence[Watch] = (),
) -> StreamReport:
    """Run a scenario (a `Scenario`, a path, or the name of one that comes with spikebnn) for `limit` windows at most.

    `rows` takes the place of the scenario's source: an iterable of arrays (channels,) or (rows, channels).
    `on_decision` is called for every window in order, `on_batch` for every batch; with `record` its answer holds each
    neuron's spikes. `watch` holds what looks on, such as a `Recorder`. `output` names files for decisions, .csv or
    .jsonl. With `checkpoint` the stream's state is written there at most every `every` seconds (1; of a live source
    after every batch, since its rows cannot be read again); with `resume` it goes on from there, and the outputs end up
    with the bytes that an uninterrupted stream would have written, wherever it was stopped or killed.

    A window is missed when it holds a bad row, or when it comes while the chip still takes in the one before: a frame
    keeps it busy for period x tick seconds. KeyboardInterrupt ends the stream; the report then covers what was decided.
    """
    plan = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    if resume and checkpoint is None:
        raise InputError("to resume, name the checkpoint to go on from")
    _check_places(plan, output, checkpoint)
    with ExitStack() as held:
        held.enter_context(alone(checkpoint))
        run = _Stream(plan, rows, watch)
        identity = {} if checkpoint is None else run.identity()
        state = checkpoints.load(checkpoint, identity) if resume and checkpoint is not None else None
        if state is not None:
            run.restore(state)
            if len(state["output"]) != len(output):
                raise InputError(
                    f"the checkpoint {checkpoint} belongs to a stream with {len(state['output'])} outputs, "
                    f"and {len(output)} are named"
                )
        at = [None] * len(output) if state is None else state["output"]
        files = [held.enter_context(closing(DecisionFile(path, place))) for path, place in zip(output, at)]
        pause = every if every is not None else 0.0 if run.source.live else EVERY

        def book(batch: Batch) -> None:
            for file in files:
                file.write(batch.decisions)
                if run.source.live:
                    file.flush()
            if on_batch is not None:
                on_batch(batch)
            for decision in batch.decisions if on_decision is not None else ():
                on_decision(decision)  # type: ignore[misc]
            for each in watch:
                each.batch(batch)

        def keep() -> None:
            if checkpoint is not None:
                run.save(checkpoint, identity, files)

        try:
            stopped = run.play(limit, record, book, keep, pause)
        except KeyboardInterrupt:
            stopped = "interrupted"
    report = run.report(stopped)
    for each in watch:
        each.end(report)
    return report


def _check_places(
    plan: Scenario, output: Sequence[str | os.PathLike[str]], checkpoint: str | os.PathLike[str] | None
) -> None:
    """Raise InputError, before any work, where something would be replaced that is no output of a stream."""
    own = {os.path.realpath(file): "source" for file in (plan.source.file, *plan.source.files)}
    own[os.path.realpath(plan.network)] = "network"
    places = [os.path.realpath(path) for path in output]
    for path, place in zip(output, places):
        if places.count(place) > 1:
            raise InputError(f"{path} is named twice; name another file")
        if checkpoint is not None and place == os.path.realpath(checkpoint):
            raise InputError(f"{path} is named as the checkpoint too; name another file")
    for path in (*output, *(() if checkpoint is None else (checkpoint,))):
        what = own.get(os.path.realpath(path))
        if what is not None:
            raise InputError(f"{path} is the stream's own {what}; name another file")
    if checkpoint is not None:
        checkpoints.check_place(checkpoint)


class _Stream:
    """Everything that one stream is made of."""

    def __init__(self, plan: Scenario, rows: Iterable[Any] | None, watch: Sequence[Watch]) -> None:
        self.plan, self.watch = plan, watch
        faults = Faults(rates=plan.faults, seed=plan.seed)
        self.program, target = mapped(plan)
        self.source: Source = (
            Iterated(rows, plan.source.columns) if rows is not None else open_source(plan.source)
        )
        self.encoder, rate = coding(plan, self.source)
        values = int(np.prod(self.program.encoder.shape, dtype=np.int64))
        self.shape = settle(plan, self.source, self.encoder, rate, values)
        keep = plan.state == "keep" or (plan.state == "auto" and remembers(self.program))
        self.session, simulator = session(plan, faults, self.program, target.neuron.v_bits, keep)
        tick = target.timing.get("tick")
        self.facts = Facts(
            scenario=plan.name, title=plan.title, program=sbnn.digest(self.program), target=target.name, simulator=simulator,
            source=self.source.name, channels=self.source.channels, encoder=tuple(str(t["name"]) for t in plan.encoder),
            note=self.shape.note, rate=rate, interval=self.shape.interval, tick=None if tick is None else tick.v,
            period=self.program.period, latency=self.program.latency, state="keep" if keep else "rest", vote=plan.vote,
            average=plan.average, faults=tuple(f"{kind} {rate:g}" for kind, rate in plan.faults.items() if rate),
            seed=plan.seed,
        )  # fmt: skip
        self.feed = Feed(plan, self.source, self.encoder, self.shape, faults, self._see)
        self.chip = Chip(None if tick is None else self.program.period * tick.v)
        self.smoother = Smoother(plan.vote, plan.average)
        self.totals = Totals(plan, self.program, target, self.facts)
        self.before, self.done = 0.0, 0  # seconds of signal and windows that were run before this call
        opened = Opened(plan=plan, program=self.program, target=target, facts=self.facts, shape=self.shape,
                        live=self.source.live, waited=lambda: waited(self.source))  # fmt: skip
        for each in watch:
            each.begin(opened)
        self.began, self.cpu, self.waited = time.perf_counter(), time.process_time(), waited(self.source)

    def play(
        self, limit: int | None, record: bool, book: Callable[[Batch], None], keep: Callable[[], None], pause: float
    ) -> str:
        """Take every window to its decision, `keep` the state every `pause` seconds, and say how it ended."""
        saved = time.monotonic()
        for windows in self.feed.batches() if limit is None or self.totals.windows < limit else ():
            whole = limit is None or self.totals.windows + len(windows) <= limit
            some = windows if limit is None else windows.take(slice(0, limit - self.totals.windows))
            for batch in self.decide(some, record):
                book(batch)
            full = limit is not None and self.totals.windows >= limit
            if whole and (full or time.monotonic() - saved >= pause):
                keep()
                saved = time.monotonic()
            if full:
                break
        else:
            keep()
        if limit is not None and self.totals.windows >= limit:
            return "limit"
        return "broken" if getattr(self.source, "broken", "") else "end"

    def decide(self, windows: Windows, record: bool) -> Iterator[Batch]:
        """The decisions of some windows, in order, booked in the totals; the first of them apart where somebody looks on."""
        first = max((each.wants() for each in self.watch), default=0)
        if record or not first:
            yield self._decide(windows, record)
            return
        yield self._decide(windows.take(slice(0, first)), True)
        if len(windows) > first:
            yield self._decide(windows.take(slice(first, None)), False)

    def _decide(self, windows: Windows, record: bool) -> Batch:
        rate = self.facts.rate
        fates = [self.chip.fate(bool(bad), row / rate) for bad, row in zip(windows.bad, windows.row.tolist())]
        taken = np.array([not fate for fate in fates], bool)
        scores, answer, seen = np.zeros((0, 0)), None, None
        if taken.any():
            bits = self.encoder is not None and self.encoder.bits
            scores, answer, seen = present(
                windows, taken, self.plan, self.program, self.session, bits=bits, record=record
            )
            self.totals.spend(answer.counts, len(scores))
        decisions = self._decisions(windows, fates, scores, answer)
        return Batch(windows=windows, decisions=tuple(decisions), answer=answer, bits=seen if record else None,
                     totals=self.totals, samples=self.samples())  # fmt: skip

    def _see(self, rows: Rows) -> None:
        for each in self.watch:
            each.rows(rows)

    def _decisions(
        self, windows: Windows, fates: list[str], scores: F64, answer: Answer | None
    ) -> list[Decision]:
        totals, rate, at, out = self.totals, self.facts.rate, 0, []
        spikes = [] if answer is None else answer.counts.spikes.sum(axis=1).tolist()
        events = [] if answer is None else answer.counts.synaptic_events.sum(axis=1).tolist()
        raw = scores.argmax(axis=1).tolist() if scores.size else []
        apart = margins(scores).tolist() if self.smoother.plain else []
        facts = zip(
            windows.row.tolist(), windows.labels, windows.mended.tolist(), windows.fresh.tolist(), fates
        )
        for row, label, mended, fresh, fate in facts:
            number, now = totals.windows, round(row / rate, 9)
            if fresh:
                self.smoother.begin()
            if fate:
                totals.miss(row, fate)
                out.append(Decision(number=number, row=row, time=now, chosen=None, name=fate, raw=None, truth=label,
                                    right=None, margin=0.0, spikes=0, synaptic_events=0, held=False))  # fmt: skip
                continue
            chosen, margin = (raw[at], apart[at]) if apart else self.smoother.decide(scores[at])
            right = totals.book(row, label, mended > 0, chosen, scores.shape[1], spikes[at], events[at])
            out.append(Decision(number=number, row=row, time=now, chosen=chosen, name=totals.name(chosen), raw=raw[at],
                                truth=label, right=right, margin=margin, spikes=spikes[at], synaptic_events=events[at],
                                held=mended > 0))  # fmt: skip
            at += 1
        return out

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with the stream that goes on from it."""
        return {"program": self.facts.program, "scenario": self.plan.digest(), "source": self.source.digest(),
                "simulator": self.facts.simulator}  # fmt: skip

    def save(
        self, path: str | os.PathLike[str], identity: Mapping[str, Any], files: list[DecisionFile]
    ) -> None:
        """Bring the outputs to the disk, then the state."""
        state = {
            "feed": self.feed.state(), "free": self.chip.free, "smoother": self.smoother.state(),
            "totals": self.totals.state(),
            "session": self.session.state() if isinstance(self.session, Kept) else None,
            "output": [file.settle() for file in files],
            "watch": [each.state() for each in self.watch],
        }  # fmt: skip
        checkpoints.save(path, identity, state)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.feed.restore(state["feed"])
        self.chip.free = state["free"]
        self.smoother.restore(state["smoother"])
        self.totals.restore(state["totals"])
        if isinstance(self.session, Kept):
            self.session.restore(state["session"])
        self.before, self.done = self.totals.rows / self.facts.rate, self.totals.windows
        for each, kept in zip(self.watch, state.get("watch", ())):
            if kept is not None:
                each.restore(kept)

    def samples(self) -> Mapping[str, int]:
        """Rows read, and what was wrong with them."""
        samples = {**self.feed.samples.counts, "lost": self.source.lost()}
        if self.source.events:
            inner = getattr(self.feed.coder, "inner", {})
            samples |= {
                "rows": self.feed.read,
                "late": int(inner.get("late", 0)),
                "bad": int(inner.get("outside", 0)),
            }
        return samples

    def report(self, stopped: str) -> StreamReport:
        """What the stream came to."""
        wall, cpu = time.perf_counter() - self.began, time.process_time() - self.cpu
        seconds = self.totals.rows / self.facts.rate
        new, windows = seconds - self.before, self.totals.windows - self.done
        own = max(1e-9, wall - (waited(self.source) - self.waited))
        pace = {"samples": self.samples(), "seconds": seconds, "wall": wall, "cpu": cpu,
                "speed": new / own if new > 0 else None, "host": own / windows if new > 0 and windows else None,
                "broken": getattr(self.source, "broken", "")}  # fmt: skip
        return self.totals.report(stopped, pace)


def waited(source: Source) -> float:
    """Seconds that a live source has waited for rows."""
    return float(getattr(source, "waited", 0.0))
