"""A group that decides: one neuron per score, and the one with the highest score spikes once per frame.

Scores are compared exactly, without floats: every sum that the readout can reach is ranked beforehand by the
network's own score for it, rounded as the network rounds; only a softmax at the very end, which keeps their order,
is left out. Equal scores go to the first class, as argmax does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import brian2 as b2
import numpy as np

from spikebnn import ops
from spikebnn.arrays import F64, I64
from spikebnn.brian2 import order
from spikebnn.brian2.build import EXACT, Maker
from spikebnn.brian2.links import Links
from spikebnn.encode import decode
from spikebnn.errors import InputError
from spikebnn.network import Network
from spikebnn.program import FORGETS, Program
from spikebnn.simulate.wiring import last_tick

RESHAPE = frozenset(
    {"aten.view.default", "aten.reshape.default", "aten.flatten.using_ints", "aten._unsafe_view.default"}
)
LARGEST = 4_000_000  # entries of the table of ranks


def decision(maker: Maker, program: Program, of: Links, neurons: Any, outputs: I64) -> Any:
    """The group; its neuron c spikes in the tick in which a frame's sums are complete and class c has won."""
    least, ranks = _ranks(program, of)
    rows, first = program.outputs.astype(np.int64), np.array(program.first, np.int64)
    start = np.concatenate([core.start for core in program.cores]).astype(np.int64)
    starts = start[first[rows[:, 1]] + rows[:, 2]]
    latest = int(starts.max())
    membrane = program.readout == "membrane"
    if membrane and (starts != latest).any():
        raise InputError(
            f"membranes are read in {len(np.unique(starts))} different ticks of a frame, and decide=True takes one; "
            "use classes() after the run"
        )
    table = f"{maker.name}_ranks"
    ends = "(t_in_timesteps - done) % frame_ticks == 0"  # also of the window before the first frame's
    due = f"t_in_timesteps >= done and {ends}"
    group = maker.group(
        "decision", len(least),
        "total : integer\nrank : integer\nbeaten : integer\nleast : integer (constant)\nnumber : integer (constant)\n"
        "done : integer (shared, constant)\nframe_ticks : integer (shared, constant)",
        order.DECIDE, threshold=f"beaten == 0 and {due}", reset="",
        namespace={table: b2.TimedArray(ranks, dt=1 * b2.second, name=f"{table}_array*")},
    )  # fmt: skip
    done = last_tick(program, 1) - 1 if not membrane else latest
    group.least, group.frame_ticks, group.done = least - program.base, program.period, maker.first_tick + done
    group.number = np.arange(len(least))
    if membrane:
        reads = b2.Synapses(neurons, group, "total_post = v_pre : integer (summed)", **maker.own("reads"))
        maker.add(reads).connect(i=outputs, j=rows[:, 0])
        reads.summed_updaters["total_post"].when, reads.summed_updaters["total_post"].order = (
            order.SLOT,
            order.COUNT,
        )
    else:
        late = (done - program.period + 1) - starts
        maker.synapses("reads", neurons, group, (outputs, rows[:, 0], late), "total_post += 1", order.COUNT)
        group.run_regularly(
            f"total = total*int(not ({ends}))",
            when=order.SLOT,
            order=order.CLEAR,
            name=f"{maker.name}_recount",
        )
    group.run_regularly(
        f"rank = {table}((total - least)*second, number)",
        when=order.SLOT,
        order=order.RANK,
        name=f"{maker.name}_ranking",
    )
    i, j = np.nonzero(~np.eye(len(least), dtype=bool))
    if len(i):
        wins = "int(rank_pre > rank_post) + lower*int(rank_pre == rank_post)"
        rivals = b2.Synapses(
            group, group, f"beaten_post = {wins} : integer (summed)\nlower : integer (constant)",
            dtype=EXACT, **maker.own("rivals"),
        )  # fmt: skip
        maker.add(rivals).connect(i=i, j=j)
        rivals.lower = (i < j).astype(np.int64)
        rivals.summed_updaters["beaten_post"].when, rivals.summed_updaters["beaten_post"].order = (
            order.SLOT,
            order.JUDGE,
        )
    return group


def _ranks(program: Program, of: Links) -> tuple[I64, F64]:
    """Least sum of each class (sums,), and the rank of the score of least + k in column c (values, sums)."""
    rows = program.outputs
    if not len(rows):
        raise InputError("the program has no outputs, so there is nothing to decide")
    low, high = program.base.astype(np.int64), program.base.astype(np.int64)
    if program.readout == "spikes":
        high = high + np.bincount(rows[:, 0], minlength=len(high)) * program.period
    else:
        number = np.array(program.first, np.int64)[rows[:, 1]] + rows[:, 2]
        reset = np.concatenate([core.reset for core in program.cores])
        if not np.isin(reset[number], FORGETS).all():
            raise InputError(
                "the sums of this program are membranes that keep their value from tick to tick, so no table can hold "
                "all of them, and decide=True needs one; use classes() after the run"
            )
        leak = np.concatenate([core.leak for core in program.cores]).astype(np.int64)
        below, above = of.reach
        low, high = low.copy(), high.copy()
        np.add.at(low, rows[:, 0], (below + leak)[number])
        np.add.at(high, rows[:, 0], (above + leak)[number])
    values = int((high - low).max()) + 1
    if values * len(low) > LARGEST:
        raise InputError(
            f"the {len(low)} sums reach up to {values} values each, more than a table of {LARGEST} entries holds, "
            "and decide=True needs one; use classes() after the run"
        )
    scores = decode(replace(program.decoder, tail=_one_by_one(program)), low + np.arange(values)[:, None])
    _, ranks = np.unique(scores.reshape(values, len(low)), return_inverse=True)
    return low, ranks.reshape(values, len(low)).astype(np.float64)


def _one_by_one(program: Program) -> Network | None:
    """The readout's tail without a softmax at its end; each score must come from its own sum alone."""
    tail = program.decoder.tail
    if tail is None:
        return None
    nodes, outputs = tail.nodes, tail.outputs
    while nodes and nodes[-1].op in ops.TAIL and nodes[-1].outs == outputs:
        outputs, nodes = (nodes[-1].args[0].name,), nodes[:-1]
    mixing = [node.op for node in nodes if node.op not in ops.POINTWISE | ops.COPY | RESHAPE]
    if mixing:
        raise InputError(
            f"the network's scores are made of several sums each ({mixing[0]} comes after the sums), "
            "and decide=True compares sums one by one; use classes() after the run"
        )
    return replace(tail, nodes=nodes, outputs=outputs) if nodes else None
