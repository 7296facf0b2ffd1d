"""The simulator `brian2`: any program, with many streams side by side in one run of Brian2.

Calls start at rest: Brian2's network is made once for a number of streams, stored at rest, and restored.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import brian2 as b2
import numpy as np
from brian2.devices.device import reset_device

from spikebnn.arrays import I64, U8, Array
from spikebnn.brian2.batch import Batch, lanes
from spikebnn.brian2.links import links
from spikebnn.brian2.vendor import VERSION
from spikebnn.program import Program
from spikebnn.simulate import layout
from spikebnn.simulate.protocol import Answer, Session, Trace
from spikebnn.simulate.wiring import wire

ROOM = 4_000_000  # synapses, axons and neurons in one run; more streams than this has room for take several


class Brian2:
    """The registry's entry."""

    name = "brian2"
    version = VERSION

    def load(self, program: Program) -> Session:
        """Number the program through; Brian2's objects are made when the first streams come."""
        return Brian2Session(program)


class Brian2Session:
    """One program, and the Brian2 network of its last call, which the next call uses again if it can."""

    def __init__(self, program: Program) -> None:
        self.program, self.wiring, self.links = program, wire(program), links(program)
        self.lanes = lanes(self.links)
        self._batch: tuple[tuple[int, bytes], Batch] | None = None

    def ticks(self, drive: U8, watch: Array | None = None) -> Trace:
        """Run streams side by side from rest; see `spikebnn.simulate.protocol.Session`."""
        drive = layout.check_drive(self.program, drive)
        streams, ticks, _ = drive.shape
        watch = np.zeros(0, np.int64) if watch is None else np.asarray(watch, np.int64)
        spikes = np.zeros((streams, ticks, self.wiring.neurons), np.uint8)
        membranes = np.zeros((streams, ticks, len(watch)), np.int64)
        if not spikes.size:
            return Trace(spikes=spikes, membranes=membranes)
        wanted, place = np.unique(watch, return_inverse=True)
        with _at_run_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what Brian2 itself calls
            batch = self._for(streams, wanted)
            for first in range(0, streams, batch.streams):
                some = slice(first, min(first + batch.streams, streams))
                fired, seen = batch.run(drive[some])
                spikes[some], membranes[some] = fired, seen[:, :, place.ravel()]
        return Trace(spikes=spikes, membranes=membranes)

    def frames(self, bits: U8, record: bool = False) -> Answer:
        """Present frames in streams and count in windows; see `spikebnn.simulate.layout`."""
        return layout.frames_by_ticks(self.program, self.wiring, self.ticks, bits, record)

    def _for(self, streams: int, watch: I64) -> Batch:
        """Brian2's network for so many streams, or for as many as one run has room for."""
        size = len(self.links.weight) + self.lanes.count * (self.links.axons + self.links.neurons)
        words = min(-(-streams // self.lanes.count), max(1, ROOM // size))
        key = (words, watch.tobytes())
        if self._batch is None or self._batch[0] != key:
            self._batch = None  # gives back its memory before the next one takes its own
            self._batch = (key, Batch(self.program, self.links, self.lanes, words, watch))
        return self._batch[1]


@contextlib.contextmanager
def _at_run_time() -> Iterator[None]:
    """Brian2's runtime device, for a while, where the user has chosen one that compiles whole programs."""
    if b2.get_device() is b2.all_devices["runtime"]:
        yield
        return
    b2.set_device("runtime")
    try:
        yield
    finally:
        reset_device()
