"""The fold keeps every bit and every score of random networks, against torch's own kernels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from spikebnn.encode import decode, encode
from spikebnn.fold import fold
from spikebnn.importers import on_torch
from spikebnn.threshold import execute
from tests.strategies_network import frames_of, networks


@pytest.mark.parametrize("part", range(4))
@settings(max_examples=500, deadline=None)
@given(drawn=networks(), seed=st.integers(0, 2**31))
def test_every_bit_and_score_of_a_random_network_survives_the_fold(part, drawn, seed):
    network, options = drawn
    folded = fold(network, options)
    x = frames_of(network, 6, seed + part)
    names = sorted({layer.witness.value for layer in folded.layers if layer.witness} | {network.outputs[0]})
    seen = on_torch.evaluate(network, {"x": x}, names)
    bits, sums = execute(folded, encode(folded.encoder, x).sum(axis=1))
    fragile = any(f.kind == "fragile" and f.count for f in folded.findings)
    event(f"fragile {fragile}, layers {len(folded.layers)}")
    if fragile:  # there the float network is decided by rounding, and bit for bit has no meaning
        return
    for layer in folded.layers:
        if layer.witness is not None:
            value = np.asarray(seen[layer.witness.value]).reshape(len(x), -1)[:, layer.witness.element]
            got = bits[:, layer.first : layer.first + layer.neurons]
            assert np.array_equal(got, value >= layer.witness.at_least), layer.name
    scores = decode(folded.readout, sums)
    want = np.asarray(seen[network.outputs[0]], np.float64)
    if folded.readout.tolerance == 0:
        assert np.array_equal(scores, want)
    else:
        assert np.allclose(scores, want, rtol=1e-5, atol=20 * folded.readout.tolerance)
