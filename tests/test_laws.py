"""The one law of the project: what torch answers, the slow twin answers on cores, and the bit-packed engine too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from spikebnn.checks.program import check_emit
from spikebnn.emit import emit
from spikebnn.encode import decode, encode
from spikebnn.errors import FitError
from spikebnn.fold import fold
from spikebnn.importers import on_torch
from spikebnn.partition import split
from spikebnn.place import place
from spikebnn.recipe import Recipe
from spikebnn.simulate import registry
from spikebnn.verify import verify
from tests.strategies_mapper import mapper_targets
from tests.strategies_network import frames_of, networks

SESSIONS = {name: registry.simulator(name) for name in ("bitwise", "reference")}


def mapped(network, options, target, recipe):
    """The program, or None where the target refuses with its reasons."""
    folded = fold(network, options)
    try:
        partition = split(folded, target, recipe)
    except FitError as refusal:
        assert refusal.violations
        assert all(v.text for v in refusal.violations)
        return folded, None
    program = emit(folded, partition, place(partition, target, recipe), target, recipe)
    check_emit(program, folded, target)
    return folded, program


@pytest.mark.parametrize("part", [*range(8), *(pytest.param(k, marks=pytest.mark.more) for k in range(8, 12))])
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    drawn=networks(), target=mapper_targets(), seed=st.integers(0, 2**31), order=st.sampled_from(["raster", "hilbert"]),
    way=st.sampled_from(["auto", "exact", "radix", "radix3", "graded"]),
)
def test_torch_equals_the_slow_twin_equals_the_bit_packed_engine(part, drawn, target, seed, order, way):
    network, options = drawn
    folded, program = mapped(network, options, target, Recipe(place=order, split=way))
    fragile = any(f.kind == "fragile" and f.count for f in folded.findings)
    event("refused by the target" if program is None else f"period {min(program.period, 2)}, fragile {fragile}")
    event("refused" if program is None else f"split {program.header['split']['method']}")
    if program is None:
        return
    x = frames_of(network, 3, seed + part)
    lines = encode(program.encoder, x)
    answers = {name: simulator.load(program).frames(lines, True) for name, simulator in SESSIONS.items()}
    first = answers["reference"]
    for answer in answers.values():
        assert np.array_equal(answer.sums, first.sums)
        assert np.array_equal(answer.raster, first.raster)
        assert np.array_equal(answer.counts.synaptic_events, first.counts.synaptic_events)
    if fragile:  # there the float network is decided by rounding, and bit for bit has no meaning
        return
    want = np.asarray(on_torch.evaluate(network, {"x": x}, network.outputs)[network.outputs[0]], np.float64)
    scores = decode(program.decoder, first.sums)
    if program.decoder.tolerance == 0:
        assert np.array_equal(scores, want)
    else:
        assert np.allclose(scores, want, rtol=1e-5, atol=20 * program.decoder.tolerance)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(drawn=networks(), target=mapper_targets(), seed=st.integers(0, 2**31))
def test_verify_calls_an_honest_program_equal(drawn, target, seed):
    network, options = drawn
    folded, program = mapped(network, options, target, Recipe())
    if program is None or any(f.kind == "fragile" and f.count for f in folded.findings):
        return
    from dataclasses import replace

    program = replace(program, header={"network": network.digest, "options": {k: getattr(options, k) for k in options.__slots__}})
    certificate = verify(program, network, frames_of(network, 4, seed), simulators=("bitwise", "reference"))
    assert certificate.equal, certificate.reason()
    assert {v.simulator for v in certificate.verdicts} >= {"reference", "bitwise"}
