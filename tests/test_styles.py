"""Differently written networks go through the whole corridor and come out as the same network, against torch itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import spikebnn
from spikebnn.errors import ImportRefused
from spikebnn.fold import FoldOptions, fold
from spikebnn.importers import load_network, save
from tests import zoo

OPTIONS = FoldOptions(host="auto", ternary="expand", levels="expand")
FRAMES = 40


@pytest.mark.parametrize("target", ["loihi-sim", "truenorth-sim"])
@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_style_is_the_same_network_on_both_chips(name, target, tmp_path):
    model, example = zoo.member(name)
    save(model, example, tmp_path / "net.pt")
    program = spikebnn.map(tmp_path / "net.pt", target, options=OPTIONS)
    x = zoo.more_input(example, FRAMES)
    certificate = spikebnn.verify(program, tmp_path / "net.pt", x.numpy(), simulators=("bitwise", "reference"))
    assert certificate.equal, certificate.reason()
    assert certificate.structure == "equal"
    assert certificate.oracle.startswith("torch")
    assert [v.differing_spikes for v in certificate.verdicts] == [0] * len(certificate.verdicts)
    with torch.no_grad():
        want = model(x).numpy().reshape(FRAMES, -1)  # the module itself, before any export
    got = spikebnn.run(program, x.numpy()).scores.reshape(FRAMES, -1)
    exact = certificate.score_tolerance == 0 and "softmax" not in str(program.decoder.tail)
    assert np.array_equal(got, want) if exact else np.allclose(got, want, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", [n for n in zoo.REFUSED if n not in zoo.REFUSED_AT_IMPORT])
def test_what_cannot_be_the_same_network_is_refused_in_one_sentence(name, tmp_path):
    model, example, fragment = zoo.refused()[name]
    save(model, example, tmp_path / "net.pt")
    with pytest.raises(ImportRefused) as refusal:
        fold(load_network(tmp_path / "net.pt"), OPTIONS)
    assert fragment in str(refusal.value)
    assert "\n" not in str(refusal.value)
