"""What the fold finds, names, expands and refuses, one claim at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikebnn.encode import decode, encode
from spikebnn.errors import ImportRefused
from spikebnn.evaluate import evaluate
from spikebnn.fold import FoldOptions, check_fold, fold
from spikebnn.network import Network, Ref
from spikebnn.threshold import execute
from tests.strategies_network import Writer, frames_of


def writer(*shape: int, seed: int = 0) -> Writer:
    w = Writer(np.random.default_rng(seed))
    w.shape = shape
    w.shapes["x"] = (None, *shape)
    return w


def network_of(w: Writer, values=(-1.0, 1.0), dtype="float32") -> Network:
    example = {"dtype": dtype} | ({"values": list(values)} if values else {})
    return Network(nodes=tuple(w.nodes), tensors=w.tensors, inputs=("x",), outputs=(w.at,), shapes=w.shapes, example=example)


def dense(w: Writer, out: int, where: str, kind: str = "stored") -> None:
    w.where = where
    weight = w.weight(kind, (out, w.shape[0]))
    w.node("linear.default", Ref(w.at), weight, None, shape=(out,))


def differing(network: Network, options: FoldOptions, x: np.ndarray) -> int:
    """Scores that differ between the network and its fold."""
    folded = fold(network, options)
    lines = encode(folded.encoder, x)
    _, sums = execute(folded, lines.sum(axis=1) if lines.shape[1] > 1 else lines[:, 0])
    want = evaluate(network, {"x": x}, network.outputs)[network.outputs[0]]
    return int((decode(folded.readout, sums.astype(np.int64)) != want).sum())


def test_a_reachable_sign_of_zero_is_refused_with_both_ways_out():
    w = writer(4)
    dense(w, 3, "fc1")
    w.activate("sign")
    dense(w, 2, "fc2")
    with pytest.raises(ImportRefused) as refusal:
        fold(network_of(w))
    assert str(refusal.value) == (
        "layer 'fc1': sign(0) = 0 is reachable in 3 of 3 neurons, so its activation has three values; "
        "--ternary expand keeps that exactly with two neurons each, --sign0 +1 or -1 changes the network"
    )


def test_a_reachable_sign_of_zero_becomes_two_neurons_when_expanded():
    w = writer(4)
    dense(w, 3, "fc1")
    w.activate("sign")
    dense(w, 2, "fc2")
    network = network_of(w)
    folded = fold(network, FoldOptions(ternary="expand"))
    assert [layer.name for layer in folded.layers] == ["fc1@1", "fc1@2"]
    assert differing(network, FoldOptions(ternary="expand"), frames_of(network, 50, 1)) == 0


def test_sign0_changes_the_network_and_says_so():
    w = writer(4)
    dense(w, 3, "fc1")
    w.activate("sign")
    dense(w, 2, "fc2")
    folded = fold(network_of(w), FoldOptions(sign0=1))
    assert any("the network is changed" in f.text for f in folded.findings)


def test_a_sign_that_never_sees_zero_needs_no_flag():
    w = writer(3)
    dense(w, 3, "fc1")
    w.activate("sign")
    dense(w, 2, "fc2")
    assert differing(network_of(w), FoldOptions(), frames_of(network_of(w), 50, 1)) == 0


def test_k_levels_are_refused_without_the_flag_and_exact_with_it():
    w = writer(9)
    dense(w, 5, "fc1")
    w.activate("levels")
    dense(w, 2, "fc2")
    network = network_of(w, values=(0.0, 1.0))
    with pytest.raises(ImportRefused, match=r"^layer 'fc1': its activation takes 4 values \(0, 1, 2, 3\), not 2; --levels expand"):
        fold(network)
    assert differing(network, FoldOptions(levels="expand"), frames_of(network, 50, 2)) == 0


def test_an_activation_that_is_not_monotone_is_refused_by_name():
    w = writer(9)
    dense(w, 5, "fc1")
    w.node("abs.default", Ref(w.at))
    w.node("sub.Tensor", Ref(w.at), w.const(np.float32(4)))
    w.activate("detach")
    dense(w, 2, "fc2")
    with pytest.raises(ImportRefused, match=r"^layer 'fc1': the activation of 5 of 5 neurons \(the first is 0\) is not monotone"):
        fold(network_of(w))


def test_gamma_of_zero_makes_constant_neurons_and_negative_gamma_falling_ones():
    w = writer(9)
    dense(w, 4, "fc1")
    gamma = np.array([1.0, -1.0, 0.0, 2.0], np.float32)
    arrays = [w.const(a) for a in (gamma, np.zeros(4, np.float32), np.zeros(4, np.float32), np.ones(4, np.float32))]
    w.node("_native_batch_norm_legit_no_training.default", Ref(w.at), *arrays, 0.1, 1e-5)
    w.activate("detach")
    dense(w, 2, "fc2")
    network = network_of(w)
    kinds = {f.kind: f.count for f in fold(network).findings}
    assert (kinds["constant"], kinds["falling"], kinds["fragile"]) == (1, 1, 0)
    assert differing(network, FoldOptions(), frames_of(network, 50, 3)) == 0


def test_a_scale_without_norm_or_bias_is_counted_as_fragile_and_strict_refuses_it():
    w = writer(8)
    w.where = "fc1"
    sign = np.where(w.rng.random((6, 8)) < 0.5, -1, 1)
    w.node("linear.default", Ref("x"), w.const((sign * 0.1).astype(np.float32)), None, shape=(6,))
    w.activate("detach")
    dense(w, 2, "fc2")
    network = network_of(w)
    (fragile,) = [f for f in fold(network).findings if f.kind == "fragile"]
    assert fragile.count == 6  # v = 0, once per neuron
    with pytest.raises(ImportRefused, match=r"^layer 'fc1': 6 \(neuron, sum\) pairs are decided by float rounding"):
        fold(network, FoldOptions(strict=True))


def test_a_float_network_is_refused_with_the_number_of_values():
    w = writer(9)
    w.where = "fc1"
    w.node("linear.default", Ref("x"), w.const(w.rng.normal(size=(5, 9)).astype(np.float32)), None, shape=(5,))
    w.node("relu.default", Ref(w.at))
    with pytest.raises(ImportRefused, match=r"^this is not a binary network: layer 'fc1' \(45 MACs a frame\): its weights are not binary \(45 distinct"):  # noqa: E501
        fold(network_of(w))


def test_real_first_and_last_layers_need_host_auto_and_are_named():
    w = writer(9)
    w.where = "stem"
    w.node("linear.default", Ref("x"), w.const(w.rng.normal(size=(12, 9)).astype(np.float32)), None, shape=(12,))
    w.activate("sign")
    dense(w, 6, "fc1")
    w.activate("ge")
    w.where = "head"
    w.node("linear.default", Ref(w.at), w.const(w.rng.normal(size=(3, 6)).astype(np.float32)), None, shape=(3,))
    network = network_of(w, values=None)
    with pytest.raises(ImportRefused) as refusal:
        fold(network)
    assert "2 of the layers cannot run on spiking cores: layer 'stem' (108 MACs a frame)" in str(refusal.value)
    assert str(refusal.value).endswith("; --host auto keeps such layers on the host")
    folded = fold(network, FoldOptions(host="auto"))
    assert [f.layer for f in folded.findings if f.kind == "host"] == ["stem", "head"]
    assert folded.encoder.kind == "host"
    check_fold(network, folded, frames=64)


def test_an_input_of_unknown_values_is_asked_for():
    w = writer(9)
    dense(w, 5, "fc1")
    w.activate("detach")
    dense(w, 2, "fc2")
    with pytest.raises(ImportRefused, match="say --input signs"):
        fold(network_of(w, values=None))
    assert fold(network_of(w, values=None), FoldOptions(input="signs")).encoder.low == -1


@pytest.mark.parametrize("code", ["uint8-planes", "uint8-thermometer", "uint8-burst"])
def test_an_8_bit_input_is_encoded_exactly(code):
    w = writer(2, 4, 4)
    w.where = "scale"
    w.node("to.dtype", Ref("x"), 7)
    w.where = "conv1"
    weight = w.weight("stored", (3, 2, 3, 3))
    w.node("conv2d.default", Ref(w.at), weight, None, (1, 1), (1, 1), (1, 1), 1, shape=(3, 4, 4))
    w.norm(ties=False)
    w.activate("detach")
    w.node("reshape.default", Ref(w.at), (-1, 48), shape=(48,))
    dense(w, 3, "fc")
    network = network_of(w, values=None, dtype="uint8")
    x = np.random.default_rng(5).integers(0, 256, (20, 2, 4, 4)).astype(np.uint8)
    assert differing(network, FoldOptions(input=code), x) == 0


def test_an_integer_skip_of_two_contractions_is_one_neuron():
    w = writer(9)
    w.where = "a"
    a = w.node("linear.default", Ref("x"), w.weight("stored", (5, 9)), None, shape=(5,))
    w.where = "b"
    b = w.node("linear.default", Ref("x"), w.weight("stored", (5, 9)), None, shape=(5,))
    w.where = "add"
    w.node("add.Tensor", Ref(a), Ref(b))
    w.activate("detach")
    dense(w, 2, "fc")
    network = network_of(w)
    assert fold(network).layers[0].neurons == 5
    assert differing(network, FoldOptions(), frames_of(network, 50, 6)) == 0


def test_a_real_skip_is_refused_by_name():
    w = writer(5)
    w.where = "stem"
    stem = w.node("linear.default", Ref("x"), w.const(w.rng.normal(size=(5, 5)).astype(np.float32)), None, shape=(5,))
    w.activate("sign")
    dense(w, 5, "fc1")
    w.where = "skip"
    w.node("add.Tensor", Ref(w.at), Ref(stem))
    with pytest.raises(ImportRefused, match=r"^at 'skip' a real-valued branch meets one computed from bits"):
        fold(network_of(w, values=None), FoldOptions(host="auto"))


def test_a_binary_skip_doubles_the_fan_in_and_stays_exact():
    w = writer(9)
    dense(w, 6, "fc1")
    w.activate("detach")
    first = w.at
    dense(w, 6, "fc2")
    w.norm(ties=False)
    w.activate("detach")
    w.where = "skip"
    w.node("add.Tensor", Ref(w.at), Ref(first))
    dense(w, 3, "fc3")
    network = network_of(w)
    assert fold(network).readout.synapses.taps.shape == (1, 12)
    assert differing(network, FoldOptions(), frames_of(network, 50, 8)) == 0


@pytest.mark.parametrize("op", ["amax.default", "max.dim", "adaptive_max_pool2d.default"])
@pytest.mark.parametrize("place", ["bits", "sums"])
def test_a_global_maximum_is_an_or_of_bits(op, place):
    w = writer(2, 4, 4)
    w.where = "conv"
    w.node("conv2d.default", Ref("x"), w.weight("stored", (5, 2, 3, 3)), None, (1, 1), (1, 1), (1, 1), 1, shape=(5, 4, 4))
    w.norm(ties=False)
    if place == "bits":
        w.activate("detach")
    w.where = "top"
    if op == "adaptive_max_pool2d.default":
        w.node(op, Ref(w.at), (1, 1), shape=(5, 1, 1))
        w.node("reshape.default", Ref(w.at), (-1, 5), shape=(5,))
    elif op == "amax.default":
        w.node(op, Ref(w.at), (2, 3), shape=(5,))
    else:
        w.node("reshape.default", Ref(w.at), (-1, 5, 16), shape=(5, 16))
        w.node(op, Ref(w.at), 2, shape=(5,))
    if place == "sums":
        w.activate("detach")
    dense(w, 3, "fc")
    network = network_of(w)
    assert differing(network, FoldOptions(), frames_of(network, 60, 9)) == 0


def test_an_einsum_that_is_a_dense_layer_is_one():
    w = writer(9)
    w.where = "mix"
    w.node("einsum.default", "bi,io->bo", (Ref("x"), w.weight("stored", (9, 5))), shape=(5,))
    w.activate("detach")
    dense(w, 3, "fc")
    network = network_of(w)
    assert differing(network, FoldOptions(), frames_of(network, 50, 8)) == 0


@pytest.mark.parametrize("mix", ["softmax", "flip", "mean"])
def test_an_answer_that_depends_on_other_frames_is_refused(mix):
    w = writer(9)
    dense(w, 5, "fc1")
    w.activate("detach")
    dense(w, 3, "fc2")
    w.where = "end"
    if mix == "softmax":
        w.node("softmax.int", Ref(w.at), 0)
    elif mix == "flip":
        w.node("flip.default", Ref(w.at), (0,))
    else:
        w.node("sub.Tensor", Ref(w.at), Ref(w.node("mean.dim", Ref(w.at), (0,), True)))
    with pytest.raises(ImportRefused, match=r"^at 'end' the answer for one frame depends on the other frames of the batch"):
        fold(network_of(w))


def test_an_activation_that_is_nan_at_a_sum_is_refused():
    w = writer(4)
    dense(w, 3, "fc1")
    w.node("div.Tensor", Ref(w.at), Ref(w.node("abs.default", Ref(w.at))))
    w.nodes[-1] = replace(w.nodes[-1], args=(Ref(w.nodes[0].outs[0]), Ref(w.nodes[-2].outs[0])))
    dense(w, 2, "fc2")
    with pytest.raises(ImportRefused, match=r"^layer 'fc1': its activation is not a number \(NaN\) where a neuron's sum is"):
        fold(network_of(w), FoldOptions(levels="expand"))


def test_a_layer_that_picks_its_inputs_by_a_constant_index_is_wiring():
    w = writer(9)
    dense(w, 6, "fc1")
    w.activate("detach")
    w.where = "pick"
    w.node("index_select.default", Ref(w.at), 1, w.const(np.array([5, 0, 0, 3])), shape=(4,))
    dense(w, 3, "fc2")
    network = network_of(w)
    assert fold(network).readout.synapses.taps.shape == (1, 4)
    assert differing(network, FoldOptions(), frames_of(network, 50, 8)) == 0


def test_zero_padding_is_the_absence_of_a_spike_and_of_its_offset():
    w = writer(1, 4, 4)
    w.where = "conv"
    w.node("conv2d.default", Ref("x"), w.const(np.ones((1, 1, 3, 3), np.float32)), None, (1, 1), (1, 1), (1, 1), 1, shape=(1, 4, 4))
    w.activate("ge")
    w.node("reshape.default", Ref(w.at), (-1, 16), shape=(16,))
    dense(w, 2, "fc")
    layer = fold(network_of(w)).layers[0]
    # n = 2 v - taps >= 0: four taps at a corner, six at an edge, nine inside
    assert layer.threshold.reshape(4, 4)[:2, :2].tolist() == [[2, 3], [3, 5]]


def test_a_wrong_threshold_is_caught_behind_an_expanded_tie_too():
    w = writer(8)
    dense(w, 5, "fc1")
    w.activate("sign")
    dense(w, 4, "fc2")
    w.norm(ties=False)
    w.activate("detach")
    dense(w, 2, "fc3")
    network = network_of(w)
    folded = fold(network, FoldOptions(ternary="expand"))
    check_fold(network, folded, frames=64)
    layer = folded.layers[-1]
    broken = replace(folded, layers=(*folded.layers[:-1], replace(layer, threshold=layer.threshold + 1)))
    with pytest.raises(AssertionError, match=r"^layer 'fc2': bit of neuron \d+ differs"):
        check_fold(network, broken, frames=64)


def test_a_wrong_threshold_is_caught_by_the_checker():
    w = writer(9)
    dense(w, 5, "fc1")
    w.activate("detach")
    dense(w, 2, "fc2")
    network = network_of(w)
    folded = fold(network)
    layer = folded.layers[0]
    broken = replace(folded, layers=(replace(layer, threshold=layer.threshold + 1),))
    with pytest.raises(AssertionError, match=r"^layer 'fc1': bit of neuron \d+ differs"):
        check_fold(network, broken, frames=64)
