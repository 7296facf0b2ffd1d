"""A Brian2 network of three mapped ones, compiled as a standalone C++ program: `python -m tests.brian2_standalone FOLDER`."""

from __future__ import annotations

import json
import sys

import brian2 as b2
import numpy as np
from brian2 import Network, SpikeMonitor, TimedArray, ms

import spikebnn
from spikebnn.brian2 import MappedNet
from spikebnn.simulate.reference import Reference
from tests.strategies_program import program_bits
from tests.strategies_union import union
from tests.test_brian2_plugin import drive_of, random_programs, raster, slow_twin, vowels

folder = sys.argv[1]
b2.prefs.codegen.cpp.extra_compile_args_gcc = ["-O0", "-w"]
b2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
b2.set_device("cpp_standalone", build_on_run=False, directory=folder)

program, x = vowels("truenorth-sim")
decides = MappedNet(program, x, decide=True, name="decides")
won = SpikeMonitor(decides.decision)

together = union(random_programs(30))
drive = drive_of(together, program_bits(together, 1, 25, 0.4))
many = MappedNet(together, TimedArray(drive.astype(float), dt=1 * ms), name="many")
many_spikes = SpikeMonitor(many.neurons)

pulsed = next(p for p in random_programs(40) if len(p.controls) and p.period > 1)
bits = program_bits(pulsed, 2, 4, 0.4)
pulses = drive_of(pulsed, bits)
tick, line = np.nonzero(pulses[:, : pulsed.inputs])
at = np.concatenate([tick * 1.0, tick - 0.3]) + 2
fine = b2.SpikeGeneratorGroup(pulsed.inputs, np.concatenate([line, line]), at * ms, dt=0.1 * ms)
later = MappedNet(pulsed, fine, start=2 * ms, name="later")
later_spikes = SpikeMonitor(later.neurons)

network = Network(decides, won, many, many_spikes, fine, later, later_spikes)
network.run(max(len(drive), len(pulses) + 2, len(x) + 5) * ms)
want = spikebnn.run(program, x, simulator="brian2")  # at run time, in the middle of this
b2.device.build(directory=folder, compile=True, run=True)

same = spikebnn.run(program, x, simulator="reference")
twin = slow_twin(pulsed, pulses)
sums = Reference().load(pulsed).frames(bits).sums
found = {
    "simulator": np.array_equal(want.sums, same.sums),
    "classes": np.array_equal(decides.classes(), want.classes),
    "sums": np.array_equal(decides.sums(), want.sums),
    "decisions": np.array_equal(np.asarray(won.i)[: len(x)], want.classes),
    "programs": np.array_equal(raster(many, many_spikes, len(drive)), slow_twin(together, drive)),
    "later": np.array_equal(raster(later, later_spikes, len(pulses), 2), twin)
    and np.array_equal(later.sums(0, 4), sums),
}
print()
print(json.dumps({name: bool(value) for name, value in found.items()}))
