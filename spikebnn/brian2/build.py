"""The parts of a `MappedNet`, made of Brian2's own: inputs, controls, neurons, and the synapses between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brian2 as b2
import numpy as np

from spikebnn.arrays import I64
from spikebnn.brian2 import order
from spikebnn.brian2.links import Links
from spikebnn.brian2.model import SPELLED, SPELLS, THRESHOLD, model
from spikebnn.errors import InputError
from spikebnn.program import Program

# Whatever the user's preferred integer is, ours hold what the tick law needs.
EXACT = dict.fromkeys(
    (
        "v",
        "I",
        "w",
        "heard",
        "theta",
        "leak",
        "lowest",
        "raised",
        "keep",
        "stay",
        "drop",
        "phase",
        "first_tick",
    )
    + ("frame_ticks", "last_row", "line", "total", "rank", "beaten", "least", "done", "number", "lower", "place"),
    np.int64,
)


class Maker:
    """Makes parts that share a name, a clock and a first tick; `made` lists them for the network."""

    def __init__(self, name: str, clock: Any, first_tick: int) -> None:
        self.name, self.clock, self.first_tick = name, clock, first_tick
        self.made: list[Any] = []

    def own(self, name: str) -> dict[str, Any]:
        """Clock and name of a part."""
        return {"clock": self.clock, "name": f"{self.name}_{name}"}

    def add(self, part: Any) -> Any:
        """Keep a part."""
        self.made.append(part)
        return part

    def group(self, name: str, count: int, equations: str, at: int, **more: Any) -> Any:
        """A NeuronGroup that fires in our slot, with this order."""
        return self.add(b2.NeuronGroup(count, equations, order=at, dtype=EXACT, **{**self.own(name), **more}))

    def waits(self, group: Any) -> None:
        """Tell a group whose equations ask for it when the first frame begins."""
        if "first_tick" in group.variables:
            group.first_tick = self.first_tick

    def synapses(
        self,
        name: str,
        source: Any,
        target: Any,
        rows: tuple[I64, I64, I64],
        on_pre: str,
        at: int | None,
        w: I64 | None = None,
    ) -> Any:
        """Synapses (i, j, delay in ticks), sorted; None where there are none. `at` None is Brian2's own slot for them."""
        i, j, late = rows
        if not len(i):
            return None
        sort = np.lexsort((j, i))
        same = bool((late == late[0]).all())
        made = self.add(
            b2.Synapses(
                source, target, "" if w is None else "w : integer (constant)", on_pre=on_pre, dtype=EXACT,
                delay=int(late[0]) * self.clock.dt if same else None, **self.own(name),
            )
        )  # fmt: skip
        made.connect(i=i[sort], j=j[sort])
        if w is not None:
            made.w = w[sort]
        if not same:
            made.delay = late[sort] * self.clock.dt
        if at is not None:
            made.pre.when, made.pre.order = order.SLOT, at
        return made


def played_inputs(maker: Maker, count: int) -> Any:
    """Lines whose spikes are set, for frames that are presented."""
    return maker.add(
        b2.SpikeGeneratorGroup(
            max(1, count), [], [] * b2.ms, when=order.SLOT, order=order.FIRE_INPUTS, **maker.own("inputs")
        )
    )


def timed_inputs(maker: Maker, count: int, source: Any) -> Any:
    """Lines that a TimedArray (ticks, lines) of 0 and 1 drives; after its last row they are silent."""
    rows = f"{maker.name}_frames"
    extra, live = _begins(maker)
    inputs = maker.group(
        "inputs", count, f"line : integer (constant)\nlast_row : integer (shared, constant){extra}",
        order.FIRE_INPUTS, reset="",
        threshold=f"{rows}(t, line) > 0.5 and t_in_timesteps < last_row{live}", namespace={rows: source},
    )  # fmt: skip
    inputs.line, inputs.last_row = np.arange(count), len(source.values)
    maker.waits(inputs)
    return inputs


def heard_inputs(maker: Maker, source: Any, chosen: I64) -> tuple[Any, Any]:
    """Lines that spike in a tick when their source neuron has since the last one, and the link from the source.

    The latches run on the source's clock; a source that spikes twice in a tick is heard once.
    """
    ears = maker.group("ears", len(chosen), "heard : integer", order.HEAR, clock=source.clock)
    link = maker.add(
        b2.Synapses(
            source,
            ears,
            on_pre="heard_post = 1",
            delay=0 * b2.ms,
            clock=source.clock,
            name=f"{maker.name}_link",
        )
    )
    link.connect(i=chosen, j=np.arange(len(chosen)))
    link.pre.when, link.pre.order = order.SLOT, order.HEAR
    ears.run_regularly(
        "heard = 0", clock=maker.clock, when=order.SLOT, order=order.FORGET, name=f"{maker.name}_ears_forget"
    )
    extra, live = _begins(maker)
    inputs = maker.group(
        "inputs",
        len(chosen),
        f"heard : integer (linked){extra}",
        order.FIRE_INPUTS,
        threshold=f"heard > 0{live}",
        reset="",
    )
    inputs.heard = b2.linked_var(ears, "heard")
    maker.waits(inputs)
    return inputs, link


def _pulses(program: Program) -> I64:
    """The pulses (line, tick of the period), each once, however often the program names it."""
    rows = program.controls.astype(np.int64)
    return np.unique(np.stack([rows[:, 0], rows[:, 1] % program.period], axis=1), axis=0)


def controls(maker: Maker, program: Program) -> Any:
    """Lines that pulse by themselves, one neuron for each pulse of a period; None where there are none."""
    rows = _pulses(program)
    if not len(rows):
        return None
    group = maker.group(
        "controls", len(rows),
        "phase : integer (constant)\nfirst_tick : integer (shared, constant)\nframe_ticks : integer (shared, constant)",
        order.FIRE_INPUTS, reset="",
        threshold="t_in_timesteps >= first_tick and (t_in_timesteps - first_tick) % frame_ticks == phase",
    )  # fmt: skip
    group.phase, group.frame_ticks = rows[:, 1], program.period
    maker.waits(group)
    return group


def neurons(maker: Maker, program: Program, place: I64) -> Any:
    """The program's neurons, in the order `place`; before the first frame begins they are at rest."""
    if not len(place):
        raise InputError("the program has no neurons, so there is nothing to put into a Brian2 network")
    law, (extra, live) = model(program, "I"), _begins(maker)
    rest = "\nv = v*int(t_in_timesteps >= first_tick)" if live else ""
    group = maker.group(
        "neurons", len(place), f"{law.equations}\nI : integer{extra}", order.FIRE,
        threshold=f"{THRESHOLD}{live}", reset=law.reset,
    )  # fmt: skip
    for name, value in law.values.items():
        setattr(group, name, value[np.argsort(place)])
    maker.waits(group)
    group.run_regularly(
        f"{law.integrate}{rest}\nI = 0",
        when=order.SLOT,
        order=order.INTEGRATE,
        name=f"{maker.name}_integrate",
    )
    return group


def wire(maker: Maker, program: Program, of: Links, place: I64, sources: Mapping[str, Any]) -> dict[str, Any]:
    """Synapses from "input", "control" and "neuron" spikes to neurons, by name; None where there are none.

    An axon with one source is that source's synapses. An axon with several is a neuron of the group "axons",
    which spikes once, however many of its sources arrive in a tick. Spikes that carry numbers are spelled in bits by
    the neurons "spelling", whose "number_synapses" weigh the bits.
    """
    neuron = sources["neuron"]
    out: dict[str, Any] = {}
    shared = np.flatnonzero(~of.single)
    relay = np.full(of.axons, -1, np.int64)
    relay[shared] = np.arange(len(shared))
    out["axons"] = None
    if len(shared):
        axons = maker.group(
            "axons", len(shared), "heard : integer", order.FIRE_AXONS, threshold="heard > 0", reset=""
        )
        axons.run_regularly(
            "heard = 0", when=order.SLOT, order=order.FORGET, name=f"{maker.name}_axons_forget"
        )
        some = np.flatnonzero(~of.single[of.axon])
        ends = (relay[of.axon[some]], place[of.neuron[some]], np.zeros(len(some), np.int64))
        out["axons"] = axons
        out["axon_synapses"] = maker.synapses(
            "axon_synapses", axons, neuron, ends, "I_post += w", order.TO_NEURONS, of.weight[some]
        )
    first = np.searchsorted(of.axon, np.arange(of.axons + 1))
    for kind, rows in _arrivals(program, of, place).items():
        prefix, at = ("", None) if kind == "neuron" else (f"{kind}_", order.TO_AXONS)
        some = rows[~of.single[rows[:, 1]]]
        out[f"{prefix}arrivals"] = maker.synapses(
            f"{prefix}arrivals",
            sources[kind],
            out["axons"],
            (some[:, 0], relay[some[:, 1]], some[:, 2]),
            "heard_post = 1",
            at,
        )
        some = rows[of.single[rows[:, 1]]]
        count = first[some[:, 1] + 1] - first[some[:, 1]]
        which = np.repeat(first[some[:, 1]], count) + _within(count)
        ends = (np.repeat(some[:, 0], count), place[of.neuron[which]], np.repeat(some[:, 2], count))
        out[f"{prefix}synapses"] = maker.synapses(
            f"{prefix}synapses", sources[kind], neuron, ends, "I_post += w",
            None if at is None else order.TO_NEURONS, of.weight[which],
        )  # fmt: skip
    digits, rows = of.spelled
    out["spelling"] = out["number_synapses"] = None
    if len(digits):
        spelling = out["spelling"] = maker.group(
            "spelling", len(digits), SPELLED, order.SPELL, threshold=SPELLS, reset=""
        )
        spelling.v_sender = b2.linked_var(neuron, "v", index=place[digits[:, 0]])
        theta = np.concatenate([core.threshold for core in program.cores])
        spelling.least, spelling.place = theta[digits[:, 0]], digits[:, 1]
        count = first[rows[:, 1] + 1] - first[rows[:, 1]]
        which = np.repeat(first[rows[:, 1]], count) + _within(count)
        ends = (np.repeat(rows[:, 0], count), place[of.neuron[which]], np.repeat(rows[:, 2] - 1, count))
        weight = of.weight[which] * np.repeat(digits[rows[:, 0], 1], count)
        out["number_synapses"] = maker.synapses(
            "number_synapses", spelling, neuron, ends, "I_post += w", None, weight
        )
    return out


def _arrivals(program: Program, of: Links, place: I64) -> dict[str, I64]:
    """(source neuron in its group, axon, ticks from its spike to when it is added) by kind of source."""
    inputs = of.feeds[of.feeds[:, 0] < program.inputs]
    feeds = of.feeds[of.feeds[:, 0] >= program.inputs]
    pulses = [
        (pulse, axon, late)
        for line, axon, late in feeds.tolist()
        for pulse in np.flatnonzero(_pulses(program)[:, 0] == line).tolist()
    ]
    routes = np.stack([place[of.plain[:, 0]], of.plain[:, 1], of.plain[:, 2] - 1], axis=1)
    return {"input": inputs, "control": np.array(pulses, np.int64).reshape(-1, 3), "neuron": routes}


def _begins(maker: Maker) -> tuple[str, str]:
    """What equations and a threshold say where frames begin later than tick 0."""
    if not maker.first_tick:
        return "", ""
    return "\nfirst_tick : integer (shared, constant)", " and t_in_timesteps >= first_tick"


def _within(count: I64) -> I64:
    """0, 1, ... for each entry of count, one after the other."""
    ends = np.cumsum(count)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - count, count)
