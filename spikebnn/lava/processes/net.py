"""`MappedNet`: a mapped network as one Lava Process, with ports for spikes, sums, decisions and membranes."""

# mypy: disable-error-code="misc,no-any-return,untyped-decorator,no-untyped-call"
from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from spikebnn.arrays import Array
from spikebnn.errors import InputError
from spikebnn.lava.guard import clean_exit, quiet_root, stop
from spikebnn.lava.ports import described
from spikebnn.program import Program


class MappedNet(AbstractProcess):
    """A program as one Process: spikes of the lines in, spikes of the output neurons out, one Lava step to a tick.

    With `batch` copies side by side every port gets a first axis of that length. What arrives at `s_in` in a step
    is the drive of the tick of that number (steps counted from 0), and anything but 0 is a spike; what the network
    does in that tick leaves in the next step, so a wire into a MappedNet is worth a delay of one tick, as a wire
    into Lava's own Dense is, and loops of Processes cannot deadlock.

    Ports (unconnected ones cost nothing; n is what `s_in.shape` says):
        s_in       (n,)         the program's inputs; all its lines with `controls="outside"`
        s_out      (outputs,)   spikes of the output neurons, in the order of `outputs`
        sums_out   (sums,)      integer sums (logits) of the newest frame that is complete, 0 before the first
        class_out  (1,)         index of its largest score; with a batch (batch,)
        v_out      (watched,)   V after step 2 of the law, of the neurons `watch` (of all cores in order), else the outputs
        all_out    (neurons,)   spikes of every neuron of every core
    Vars: v (watched,) and sums (sums,), the same values, for Monitors and `.get()`.

    Two models implement it. `PyMappedNetModel` (the one that Lava takes by itself, tags "fixed_pt", "floating_pt" and
    "bit_accurate_loihi") is the whole network in one vectorised process. `SubMappedNetModel` is made of Lava's
    Dense, Sparse and LIFReset; it takes memoryless programs within their limits, without a batch, and has
    s_in and s_out. Ask for it as for any sub-process model: `select_sub_proc_model=True`, or
    `exception_proc_model_map={MappedNet: SubMappedNetModel}`.
    """

    def __init__(
        self,
        program: Program | str | os.PathLike[str],
        batch: int = 1,
        *,
        watch: Array | None = None,
        controls: str = "inside",
        name: str | None = None,
    ) -> None:
        if isinstance(program, (str, os.PathLike)):
            from spikebnn.sbnn import load

            program = load(Path(program))
        if not isinstance(program, Program):
            raise InputError(
                f"MappedNet takes a program or the path of its file, and got {type(program).__name__}"
            )
        plan = described(program, batch, watch, controls)
        with quiet_root():
            super().__init__(name=name, program=program, plan=plan)
        self.program, self.batch, self.outputs = program, batch, plan.outputs
        self.s_in = InPort(shape=plan.shape(plan.inputs))
        self.s_out = OutPort(shape=plan.shape(len(plan.outputs)))
        self.sums_out = OutPort(shape=plan.shape(len(program.base)))
        self.class_out = OutPort(shape=(batch,))
        self.v_out = OutPort(shape=plan.shape(len(plan.watch)))
        self.all_out = OutPort(shape=plan.shape(program.first[-1]))
        self.v = Var(shape=self.v_out.shape, init=np.zeros(self.v_out.shape, np.int64))
        self.sums = Var(shape=self.sums_out.shape, init=np.zeros(self.sums_out.shape, np.int64))
        clean_exit()

    def stop(self) -> None:
        """Stop the graph, also where an Injector has nothing more to send; a second call does nothing."""
        stop(getattr(self, "_runtime", None))  # none where its making was refused
