"""The scale benchmark's networks fill cores as they say, on one chip and on several, and its table can be read."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import spikebnn
from spikebnn.energy.traffic import traffic
from spikebnn.fold import fold
from spikebnn.simulate import registry
from spikebnn.threshold import execute
from tests.strategies_mapper import mapper_target

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "scale.py"


@pytest.fixture(scope="module")
def scale():
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("scale", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["scale"]


def test_a_grouped_network_fills_whole_cores_and_takes_no_more_than_the_bound(scale):
    program = spikebnn.map(scale.grouped(2, layers=3, side=2), "truenorth-sim")
    assert len(program.cores) == program.header["lower_bound_cores"] == 2 * 4 * 3
    assert [core.neurons for core in program.cores].count(256) == 2 * 4 * 2


def test_a_network_larger_than_a_chip_goes_on_on_the_next_and_its_crossings_are_counted(scale):
    network, target = scale.convolutional(6), mapper_target(
        neurons=64, axons=600, format="list", axon_types=None, membrane_readout=True, width=3, height=2, chips=8,
    )
    program = spikebnn.map(network, target)
    assert len({core.chip for core in program.cores}) > 1
    folded = fold(network)
    bits = np.random.default_rng(0).integers(0, 2, (6, folded.inputs)).astype(np.uint8)
    answer = registry.simulator("bitwise").load(program).frames(bits[:, None], False)
    np.testing.assert_array_equal(answer.sums, execute(folded, bits)[1])
    spikes = iter(answer.counts.neuron_spikes.tolist())
    said = {(c, n): next(spikes) for c, core in enumerate(program.cores) for n in range(core.neurons)}
    chip = [core.chip for core in program.cores]
    crossed = sum(said[a, n] * abs(chip[a] - chip[b]) for a, n, b, _, _ in program.routes.tolist())
    assert traffic(answer.counts, program, target).crossings == crossed > 0


def test_the_table_says_how_seconds_grow(scale):
    rows = [
        {"target": "toy", "cores": n, "bound": n, "neurons": 100 * n, "routes": n, "seconds": 0.5 * n, "wall_seconds": n,
         "peak_bytes": 2**30}
        for n in (1, 2, 4)
    ]
    assert scale.table(rows).splitlines()[-1] == "toy: seconds grow as neurons to the power 1.00"
