"""A memoryless mapped network as a sub-process model of Lava's own Dense, Sparse and LIFReset."""

# mypy: disable-error-code="misc,no-any-return,untyped-decorator,no-untyped-call,import-untyped"
from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, tag
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.process import Sparse

from spikebnn.arrays import Array
from spikebnn.errors import InputError
from spikebnn.lava.guard import quiet_root
from spikebnn.lava.ordinary import GRADED, WHOLE, Link, ordinary
from spikebnn.lava.ports import Ports
from spikebnn.lava.processes.net import MappedNet

SMALL, DENSE = (
    1 << 16,
    0.1,
)  # entries below which a matrix is stored whole, and the share of synapses from which on it is


@implements(proc=MappedNet)
@tag("fixed_pt", "floating_pt", "bit_accurate_loihi")
class SubMappedNetModel(AbstractSubProcessModel):
    """One LIFReset for each layer, and one Dense or Sparse for each pair of layers that are joined."""

    def __init__(self, proc: Any) -> None:
        ports: Ports = proc.proc_params["plan"]
        plan = ordinary(ports)
        for name in ("class_out", "v_out", "all_out", *(() if plan.read else ("sums_out",))):
            if getattr(proc, name).out_connections:
                raise InputError(
                    f"{name} is connected, and Dense, Sparse and LIFReset cannot provide it{WHOLE}"
                )
        with quiet_root():
            self._make(proc, ports, plan)

    def _make(self, proc: Any, ports: Ports, plan: Any) -> None:
        groups = []
        for number, group in enumerate(plan.groups):
            made = LIFReset(
                shape=(len(group.neurons),),
                du=4095,
                dv=4095,
                vth=0,
                bias_mant=group.bias.astype(np.int32),
                bias_exp=5,
                reset_interval=1,
                reset_offset=0,
                name=f"{proc.name}_{group.name}",
            )
            setattr(self, f"neurons_{number}", made)
            groups.append(made)
        opened = set()
        for number, link in enumerate(plan.links):
            made = self._synapses(f"synapses_{number}", proc, ports, plan, link)
            made.a_out.connect(groups[link.goal].a_in)
            if link.goal not in opened:
                self._hold(made, plan.groups[link.goal].bias)
                opened.add(link.goal)
        for goal in set(range(len(groups))) - opened:  # neurons that hear nothing
            made = Dense(weights=np.zeros((len(plan.groups[goal].neurons), 1), np.int32))
            setattr(self, f"silence_{goal}", made)
            made.a_out.connect(groups[goal].a_in)
            self._hold(made, plan.groups[goal].bias)
        groups[-1].s_out.connect(proc.s_out)
        if proc.sums_out.out_connections:
            self._sums(proc, ports, plan)

    @staticmethod
    def _hold(made: Any, bias: Array) -> None:
        """Keep still in the first step, which is before tick 0: what a Dense sends there is what its buffer begins with."""
        made.a_buff.init = -np.maximum(bias, 0).astype(np.int32)

    def _sums(self, proc: Any, ports: Ports, plan: Any) -> None:
        """Graded sums: weights of either sign apart, which neither loses a bit nor needs an exponent."""
        worst = max((int(np.abs(link.weight).max()) for link in plan.read), default=0)
        if worst > GRADED:
            raise InputError(f"sums_out needs a weight of {worst}, and a Dense holds {GRADED}{WHOLE}")
        for number, link in enumerate(plan.read):
            for sign in (1, -1):
                some = link.weight * sign > 0
                if some.any():
                    part = Link(source=link.source, goal=-1, rows=link.rows[some], columns=link.columns[some],
                                weight=link.weight[some])  # fmt: skip
                    made = self._synapses(
                        f"read_{number}_{'plus' if sign > 0 else 'minus'}", proc, ports, plan, part
                    )
                    made.a_out.connect(proc.sums_out)
        self.constant = RingBuffer(data=plan.constant[:, None].astype(np.int32))
        self.constant.s_out.connect(proc.sums_out)

    def _synapses(self, name: str, proc: Any, ports: Ports, plan: Any, link: Link) -> Any:
        """A Dense or Sparse for a link, fed by its source."""
        graded = link.goal < 0
        rows = proc.sums_out.shape[0] if graded else len(plan.groups[link.goal].neurons)
        columns = proc.s_in.shape[0] if link.source < 0 else len(plan.groups[link.source].neurons)
        value = (link.weight if graded else 2 * link.weight).astype(np.int32)
        options = {} if graded else {"weight_exp": -1}
        if rows * columns <= SMALL or len(value) >= DENSE * rows * columns:
            whole = np.zeros((rows, columns), np.int32)
            whole[link.rows, link.columns] = value
            made = Dense(weights=whole, name=f"{proc.name}_{name}", **options)
        else:
            from scipy.sparse import csr_matrix

            matrix = csr_matrix((value, (link.rows, link.columns)), shape=(rows, columns))
            made = Sparse(weights=matrix, name=f"{proc.name}_{name}", **options)
        setattr(self, name, made)
        if link.source < 0:
            proc.s_in.connect(made.s_in)
        else:
            getattr(self, f"neurons_{link.source}").s_out.connect(made.s_in)
        return made
