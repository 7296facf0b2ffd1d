"""The whole mapped network as one vectorised ProcessModel: all cores, routes and copies inside, on the CPU."""

# mypy: disable-error-code="misc,no-any-return,untyped-decorator,no-untyped-call"
from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from spikebnn.arrays import Array
from spikebnn.lava.ports import Ports, Pulses, Sums
from spikebnn.lava.processes.net import MappedNet
from spikebnn.simulate.stepper import stepper


@implements(proc=MappedNet, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "floating_pt", "bit_accurate_loihi")
class PyMappedNetModel(PyLoihiProcessModel):
    """Each step sends what the last tick did, then receives, then does the next tick: a loop cannot deadlock."""

    s_in: PyInPort = LavaPyType(
        PyInPort.VEC_DENSE, np.int32
    )  # several senders are added up, which must not wrap
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    sums_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    class_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    v_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    all_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)
    v: np.ndarray = LavaPyType(np.ndarray, np.int64)
    sums: np.ndarray = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        ports: Ports = proc_params["plan"]
        self.plan, self.pulses, self.tally = ports, Pulses(ports), Sums(ports)
        watch = np.concatenate([ports.outputs, ports.watch])
        self.engine = stepper(ports.program, ports.batch, watch)
        self.every = np.arange(ports.program.first[-1])
        self.seen = np.zeros((ports.batch, 0), np.uint8)

    def run_spk(self) -> None:
        """One step."""
        ports = self.plan
        spikes = self.engine.spikes(ports.outputs)
        self._send(self.s_out, spikes.astype(np.int32))
        self._send(self.sums_out, self.tally.newest)
        self._send(self.class_out, self.tally.classes)
        self._send(self.v_out, self.v)
        if self.all_out.csp_ports:
            self._send(self.all_out, self.engine.spikes(self.every))
        tick = self.engine.tick
        self.engine.step(self.pulses.at(tick, self.s_in.recv()))
        membranes = self.engine.membranes()
        many = len(ports.outputs)
        self.tally.tick(tick, self.engine.spikes(ports.outputs), membranes[:, :many])
        if len(ports.watch):
            self.v[...] = membranes[:, many:].reshape(self.v.shape)
        self.sums[...] = self.tally.newest.reshape(self.sums.shape)

    @staticmethod
    def _send(port: PyOutPort, values: Array) -> None:
        """Send in the port's own shape; an empty row becomes the one value that is always 0."""
        if port.csp_ports:
            values = values if values.size else np.zeros((*values.shape[:-1], 1), values.dtype)
            port.send(values.reshape(port._shape))  # noqa: SLF001 (Lava keeps it there)
