"""A certificate says equal only for the same network, and names the first place where another one leaves it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import spikebnn
from spikebnn.errors import InputError, NotEqualError
from spikebnn.program import Program
from spikebnn.threshold import execute, sums
from tests.strategies_network import frames_of
from tests.test_fold import dense, network_of, writer


def network(seed: int = 0, digest: str = "1" * 64):
    w = writer(12, seed=seed)
    dense(w, 8, "fc1")
    w.norm(ties=False)
    w.activate("detach")
    dense(w, 6, "fc2")
    w.norm(ties=False)
    w.activate("detach")
    dense(w, 3, "out")
    return replace(network_of(w), digest=digest)


def flipped(program: Program, core: int, plane: int, neuron: int, axon: int) -> Program:
    """The program with one synapse bit of one plane inverted."""
    image = program.cores[core]
    old = image.planes[plane]
    bits = old.bits.copy()
    bits[neuron, axon // 8] ^= np.uint8(1 << (axon % 8))
    planes = list(image.planes)
    planes[plane] = replace(old, bits=bits)
    cores = list(program.cores)
    cores[core] = replace(image, planes=tuple(planes))
    return replace(program, cores=tuple(cores))


def layer_core(program: Program, name: str) -> tuple[int, int]:
    """Core and neuron of unit 0 of a layer."""
    index = next(k for k, layer in enumerate(program.layers) if layer.name == name)
    for number, core in enumerate(program.cores):
        hits = np.flatnonzero((core.layer == index) & (core.unit == 0))
        if len(hits):
            return number, int(hits[0])
    raise AssertionError(name)


@pytest.mark.parametrize("target", ["loihi-sim", "truenorth-sim", "tiny-list"])
def test_an_honest_program_gets_a_certificate_that_names_everything(target):
    net = network()
    program = spikebnn.map(net, target)
    x = frames_of(net, 40, 1)
    certificate = spikebnn.verify(program, net, x, np.zeros(40), simulators="all")
    assert certificate.equal
    assert certificate.reason() == ""
    plain = json.loads(json.dumps(certificate.to_json()))
    assert plain["schema"] == "spikebnn.certificate/1"
    assert {v["simulator"] for v in plain["verdicts"]} >= {"bitwise", "reference"}
    alive = plain["fold"]["neurons"] - plain["fold"]["constant"]  # constant neurons need no place on a core
    assert all(v["differing_frames"] == 0 and v["spikes_compared"] >= 40 * alive for v in plain["verdicts"])
    assert (len(plain["data"]), len(plain["program"]), plain["network"]) == (64, 64, "1" * 64)
    assert plain["target_digest"] == spikebnn.load_target(target).digest
    assert len(plain["target_digest"]) == 64
    assert set(plain["machine"]) >= {"spikebnn", "python", "numpy"}
    assert plain["fold"]["pairs_evaluated"] > 0
    assert set(plain["accuracy"]) >= {"original", "reference", "bitwise"}


@pytest.mark.parametrize("target", ["loihi-sim", "truenorth-sim"])
def test_a_planted_bit_error_is_named_with_frame_tick_layer_core_neuron_sum_and_threshold(target):
    net = network()
    program = spikebnn.map(net, target)
    core, neuron = layer_core(program, "fc2")
    broken = flipped(program, core, 0, neuron, 0)
    x = frames_of(net, 200, 2)
    certificate = spikebnn.verify(broken, net, x, simulators="all")
    assert not certificate.equal
    assert certificate.structure != "equal"
    for verdict in certificate.verdicts:
        first = verdict.first
        assert first is not None
        assert (first.layer, first.core, first.neuron, first.unit) == ("fc2", core, neuron, 0)
        assert first.tick == first.frame * program.period + int(program.cores[core].start[neuron])
        image = program.cores[core]
        assert first.threshold == int(image.threshold[neuron]) - int(image.leak[neuron])
        folded = spikebnn.pipeline.thresholds(net)
        bits, _ = execute(folded, (x[first.frame : first.frame + 1] > 0).astype(np.uint8))
        layer = folded.layers[1]
        total = int(layer.sign[0] * sums(layer.synapses, bits)[0, 0])
        assert first.expected_sum - first.threshold == total - int(layer.threshold[0])
        assert abs(first.sum - first.expected_sum) == 1
    with pytest.raises(NotEqualError, match=r"frames differ; first, \w+: frame \d+, tick \d+, layer 'fc2', core \d+, neuron \d+"):
        certificate.require()


def test_a_wrong_synapse_that_no_frame_shows_is_still_found_in_the_structure():
    net = network()
    program = spikebnn.map(net, "loihi-sim")
    core, neuron = layer_core(program, "fc2")
    broken = flipped(program, core, 0, neuron, 0)
    frames = frames_of(net, 200, 2)
    silent = [k for k in range(200) if spikebnn.verify(broken, net, frames[k : k + 1]).verdicts[0].differing_frames == 0]
    certificate = spikebnn.verify(broken, net, frames[silent], simulators="all")
    assert not certificate.equal
    assert all(v.differing_frames == 0 for v in certificate.verdicts)
    for verdict in certificate.verdicts:
        first = verdict.first
        assert (first.what, first.layer, first.core, first.neuron, first.unit) == ("sum", "fc2", core, neuron, 0)
        assert abs(first.sum - first.expected_sum) == 1
        assert (first.sum >= first.threshold) == (first.expected_sum >= first.threshold)
    assert "please report" not in certificate.reason()
    assert "on the same side of its threshold" in certificate.reason()


def test_a_wrong_readout_is_found_in_the_scores():
    net = network()
    program = spikebnn.map(net, "loihi-sim")
    broken = replace(program, base=program.base + np.array([0, 1, 0], np.int32))
    certificate = spikebnn.verify(broken, net, frames_of(net, 5, 4))
    (verdict,) = certificate.verdicts
    assert (verdict.differing_frames, verdict.differing_scores, verdict.differing_spikes) == (5, 5, 0)
    assert verdict.first.what == "score"


def test_the_numpy_oracle_agrees_with_torch():
    net = network()
    program = spikebnn.map(net, "tiny-list")
    assert spikebnn.verify(program, net, frames_of(net, 30, 5), oracle="numpy").equal


def test_a_program_from_another_network_is_refused():
    program = spikebnn.map(network(), "loihi-sim")
    with pytest.raises(InputError, match="^the program was mapped from another network file"):
        spikebnn.verify(program, network(1, "2" * 64), frames_of(network(), 3, 6))


def test_no_frames_and_an_unknown_oracle_are_bad_input():
    net = network()
    program = spikebnn.map(net, "loihi-sim")
    with pytest.raises(InputError, match="^there are no frames"):
        spikebnn.verify(program, net, frames_of(net, 3, 6)[:0])
    with pytest.raises(InputError, match='not "jax"|not \'jax\''):
        spikebnn.verify(program, net, frames_of(net, 3, 6), oracle="jax")


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([1, 2, 3], "labels go from 1 to 3, and the network has 3 classes, 0 to 2"),
        ([0, 1], "labels have shape (2,); there are 3 frames, so (3,) is wanted"),
        (["a", "b", "c"], "labels are of type <U1, the first 'a', and the network has 3 classes, 0 to 2"),
    ],
)
def test_labels_that_cannot_be_right_are_refused(labels, sentence):
    net = network()
    program = spikebnn.map(net, "loihi-sim")
    with pytest.raises(InputError) as caught:
        spikebnn.verify(program, net, frames_of(net, 3, 6), np.array(labels))
    assert str(caught.value) == sentence


def test_a_program_that_was_saved_and_loaded_gets_the_same_certificate(tmp_path):
    net = network()
    program = spikebnn.map(net, "tiny-list")
    program.save(tmp_path / "net.sbnn")
    again = spikebnn.load(tmp_path / "net.sbnn")
    x = frames_of(net, 20, 7)
    assert spikebnn.verify(again, net, x).to_json() == spikebnn.verify(program, net, x).to_json()
