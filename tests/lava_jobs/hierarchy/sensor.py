"""A hierarchical Process of a user's with a MappedNet inside."""

from __future__ import annotations

from lava.magma.core.decorator import implements
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess

from spikebnn.lava import MappedNet


class Sensor(AbstractProcess):
    def __init__(self, *, program, inputs, outputs):
        super().__init__(program=program)
        self.s_in = InPort(shape=(inputs,))
        self.s_out = OutPort(shape=(outputs,))


@implements(proc=Sensor)
class SubSensorModel(AbstractSubProcessModel):
    def __init__(self, proc):
        self.net = MappedNet(proc.proc_params["program"])
        proc.s_in.connect(self.net.s_in)
        self.net.s_out.connect(proc.s_out)
