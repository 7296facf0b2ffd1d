"""Sources and sinks of the simulator's runs: packed bits and integers in files, and a counter that shows progress."""

# mypy: disable-error-code="misc,no-any-return,untyped-decorator,no-untyped-call"
from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from spikebnn.lava.guard import quiet_root


class BitsFrom(AbstractProcess):
    """Sends row t of an .npy file of packed bits (ticks, batch, bytes) in step t, and nothing after its end."""

    def __init__(self, *, path: str, batch: int, many: int, shape: tuple[int, ...]) -> None:
        with quiet_root():
            super().__init__(path=path, batch=batch, many=many)
        self.s_out = OutPort(shape=shape)


@implements(proc=BitsFrom, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "floating_pt", "bit_accurate_loihi")
class PyBitsFrom(PyLoihiProcessModel):
    """Maps the file into memory."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.many = proc_params["many"]
        self.rows = np.load(proc_params["path"], mmap_mode="r")

    def run_spk(self) -> None:
        """One step."""
        step, out = self.time_step - 1, np.zeros(self.s_out._shape, np.uint8)  # noqa: SLF001
        if step < len(self.rows) and self.many:
            bits = np.unpackbits(self.rows[step], axis=-1, count=self.many, bitorder="little")
            out.reshape(len(bits), -1)[:] = bits
        self.s_out.send(out)


class RowsTo(AbstractProcess):
    """Writes what arrives in step t + 1 into row t of an .npy file: packed bits where it is of bytes, else the values."""

    def __init__(self, *, path: str, shape: tuple[int, ...], progress: str = "") -> None:
        with quiet_root():
            super().__init__(path=path, progress=progress)
        self.a_in = InPort(shape=shape)


@implements(proc=RowsTo, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "floating_pt", "bit_accurate_loihi")
class PyRowsTo(PyLoihiProcessModel):
    """Maps the files into memory; the progress file counts steps."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows = np.load(proc_params["path"], mmap_mode="r+")
        self.progress = proc_params["progress"]

    def run_spk(self) -> None:
        """One step."""
        data, row = self.a_in.recv(), self.time_step - 2
        if 0 <= row < len(self.rows):
            goal = self.rows[row]
            flat = data.reshape(len(goal), -1)
            if goal.dtype == np.uint8:
                packed = np.packbits(flat != 0, axis=-1, bitorder="little")
                goal[:] = packed[:, : goal.shape[1]]
            else:
                goal[:] = flat[:, : goal.shape[1]]
        if self.progress:
            with open(self.progress, "w", encoding="ascii") as out:
                out.write(str(self.time_step))
