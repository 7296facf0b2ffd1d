"""A Process that fails, hangs or is killed in a given step, or fails when it is made."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class Odd(ValueError):
    """Does not survive pickling."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


class Boom(AbstractProcess):
    def __init__(self, *, shape, how):
        super().__init__(shape=shape, how=how)
        self.s_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)


@implements(proc=Boom, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "floating_pt")
class PyBoom(PyLoihiProcessModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.how = proc_params["how"]
        if self.how == "init":
            raise ValueError("boom when it is made")

    def run_spk(self):
        data = self.s_in.recv()
        if self.time_step == 3:
            if self.how == "raise":
                raise ValueError("boom in step 3")
            if self.how == "raise oddly":
                raise Odd("boom", "in step 3")
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            while self.how == "hang":
                time.sleep(1)
        self.s_out.send(data)
