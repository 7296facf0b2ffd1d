"""Training layers: what they compute, how gradients pass, and that freezing and exporting change nothing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import spikebnn
import spikebnn.nn as bnn
from spikebnn import data
from spikebnn.evaluate import evaluate
from spikebnn.importers import from_module, save

ROOT = Path(__file__).resolve().parent.parent


def blobs(seed=0, frames=512):
    """Two classes of rows that a small net can tell apart."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 2, (frames,), generator=draw)
    return torch.randn(frames, 6, generator=draw) + 2.0 * y[:, None] - 1.0, y


def small(fan_in=8):
    return nn.Sequential(
        bnn.Thermometer([-1.0, 0.0, 1.0, 2.0]),
        bnn.BinLinear(24, 30, fan_in=fan_in), nn.BatchNorm1d(30), bnn.Sign(),
        bnn.Votes(2), bnn.Scale(15),
    )  # fmt: skip


def test_sign_of_zero_is_plus_one():
    assert bnn.sign(torch.tensor([-2.0, -0.0, 0.0, 3.0])).tolist() == [-1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("ste", "slope"), [("poly", [0.0, 1.0, 2.0, 0.0]), ("hardtanh", [0.0, 1.0, 1.0, 0.0]), ("identity", [1.0, 1.0, 1.0, 1.0])]
)
def test_a_gradient_passes_by_the_slope_of_the_ste(ste, slope):
    x = torch.tensor([-1.5, -0.5, 0.0, 1.5], requires_grad=True)
    bnn.sign(x, ste).sum().backward()
    assert x.grad.tolist() == slope


def test_an_unknown_ste_lists_the_known_ones():
    with pytest.raises(ValueError, match="ste 'tanh' is none of poly, hardtanh, identity"):
        bnn.Sign("tanh")


@given(inputs=st.integers(2, 40), fan_in=st.integers(1, 40), per=st.integers(1, 3), seed=st.integers(0, 9))
def test_a_limited_layer_sees_at_most_fan_in_different_inputs_and_every_input_is_seen(inputs, fan_in, per, seed):
    blocks = -(-inputs // fan_in)
    layer = bnn.BinLinear(inputs, blocks * per, fan_in=fan_in, seed=seed)
    reach = layer(torch.eye(inputs)) - layer(torch.zeros(1, inputs))  # (inputs, outputs): not 0 where connected
    assert int((reach != 0).sum(0).max()) <= fan_in
    assert bool((reach != 0).any(1).all())
    assert set(reach.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert bnn.widest(layer) == layer.fan_in <= fan_in


@given(inputs=st.integers(1, 12), per=st.integers(1, 30), outputs=st.integers(1, 24), kernel=st.integers(1, 3),
       seed=st.integers(0, 9))  # fmt: skip
def test_a_limited_convolution_sees_at_most_fan_in_inputs_or_says_what_would_do(inputs, per, outputs, kernel, seed):
    try:
        layer = bnn.BinConv2d(inputs, outputs, kernel, padding=kernel // 2, fan_in=per, seed=seed)
    except ValueError as error:
        divisors = [n for n in range(1, inputs + 1) if outputs % n == 0]
        assert all(-(-inputs // n) * kernel**2 > per for n in divisors), error
        assert re.search(r"take a fan_in of \d+ or more|take \d+ outputs or a multiple", str(error))
        return
    one = torch.eye(inputs * kernel**2).view(-1, inputs, kernel, kernel)  # one pixel of one channel at a time
    middle = kernel // 2 if kernel % 2 else kernel - 1
    reach = layer(one)[:, :, middle, middle]
    assert int((reach != 0).sum(0).max()) <= layer.fan_in <= per
    assert bool((reach != 0).any(1).all()), "every input is seen"


def test_groups_are_the_fewest_that_divide_the_outputs():
    assert bnn.BinConv2d(64, 64, 3, fan_in=128).groups == 8  # 14 channels of 9 pixels fit, so 5 groups or more
    assert bnn.BinLinear(784, 1024, fan_in=128).blocks == 8
    assert bnn.BinLinear(24, 10, fan_in=8).blocks == 5
    assert bnn.BinConv2d(8, 12, 3).groups == bnn.BinLinear(8, 12, fan_in=8).blocks == 1


def test_a_fan_in_that_cannot_be_kept_is_refused_with_what_would_do():
    few = "3 outputs can be shared by at most 3 groups, which read 8 each, and fan_in=6 needs 4 groups of the 24 inputs; "
    with pytest.raises(ValueError, match=few + "take 4 outputs or a multiple"):
        bnn.BinLinear(24, 3, fan_in=6)
    with pytest.raises(ValueError, match="which read 36 inputs each, and fan_in=18 needs 4 groups of the 8 channels"):
        bnn.BinConv2d(8, 2, 3, fan_in=18)
    with pytest.raises(ValueError, match="fan_in=20 is less than the 25 pixels that a neuron reads of one channel; take a"):
        bnn.BinConv2d(8, 16, 5, fan_in=20)
    with pytest.raises(ValueError, match="groups=2 and fan_in=20 both say how channels are grouped; give one of them"):
        bnn.BinConv2d(8, 16, 3, groups=2, fan_in=20)


@given(seed=st.integers(0, 99))
def test_limited_layers_in_a_row_mix_what_they_read(seed):
    one, two, three = (layer(torch.eye(64)) != 0 for layer in (bnn.BinLinear(64, 64, fan_in=16, seed=seed),) * 3)
    reached = one.float() @ two.float()  # (inputs, outputs); how many ways lead from an input to an output
    assert float((reached > 0).float().mean()) > 0.8, "nearly everything after two layers"
    assert bool((reached @ three.float() > 0).all()), "everything after three"


def test_a_convolution_of_channels_that_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="6 inputs and 9 outputs cannot be split into 4 groups"):
        bnn.BinConv2d(6, 9, 3, groups=4)


def test_a_thermometer_numbers_bits_level_by_level():
    row = bnn.Thermometer([1.0, 5.0])(torch.tensor([[0.0, 1.0, 7.0]]))
    assert row.tolist() == [[-1, 1, 1, -1, -1, 1]]
    image = bnn.Thermometer([10, 100])(torch.tensor([[[[5, 50], [100, 255]]]], dtype=torch.uint8))
    assert image.shape == (1, 2, 2, 2)
    assert image[0].tolist() == [[[-1, 1], [1, 1]], [[-1, -1], [1, 1]]]


def test_levels_may_differ_from_feature_to_feature():
    row = bnn.Thermometer(torch.tensor([[1.0, 10.0], [2.0, 20.0]]))(torch.tensor([[1.5, 15.0]]))
    assert row.tolist() == [[1, 1, -1, -1]]


def test_votes_go_round_the_classes():
    assert bnn.Votes(3)(torch.tensor([[1.0, 1, -1, 1, -1, -1]])).tolist() == [[2.0, 0.0, -2.0]]


def test_a_shuffle_deals_channels_out_of_all_groups():
    assert bnn.Shuffle(2)(torch.arange(6.0)[None]).tolist() == [[0, 3, 1, 4, 2, 5]]


def test_a_small_net_learns_the_same_way_twice():
    x, y = blobs()
    models = []
    for _ in range(2):
        torch.manual_seed(3)
        models.append(small())
        bnn.fit(models[-1], x, y, epochs=4, batch=64, seed=1)
    assert bnn.accuracy(models[0], *blobs(seed=7)) > 0.9
    for a, b in zip(models[0].state_dict().values(), models[1].state_dict().values()):
        assert torch.equal(a, b)


def test_clipping_keeps_latent_weights_inside_one():
    model = small()
    with torch.no_grad():
        model[1].weight.mul_(10)
    bnn.clip_(model)
    assert float(model[1].weight.detach().abs().max()) <= 1.0


def test_too_few_frames_for_a_batch_are_refused():
    x, y = blobs(frames=5)
    with pytest.raises(ValueError, match="5 frames do not fill one batch of 128; choose a smaller batch"):
        bnn.fit(small(), x, y, epochs=1)


def test_freezing_changes_no_score_and_a_quarter_of_the_bytes_remain():
    model = small().eval()
    x, _ = blobs(seed=2)
    before = model(x)
    assert model[1].weight.element_size() == 4
    bnn.freeze(model)
    assert model[1].weight.element_size() == 1
    assert torch.equal(model(x), before)
    assert torch.equal(bnn.freeze(model)(x), before)  # again, to no effect


@pytest.mark.parametrize("frozen", [False, True])
def test_an_exported_net_scores_without_torch_as_with_it(frozen):
    torch.manual_seed(0)
    model = nn.Sequential(
        bnn.Thermometer([64, 192]),
        bnn.BinConv2d(2, 8, 3, stride=2), nn.BatchNorm2d(8), bnn.Sign(),
        bnn.Shuffle(2),
        bnn.BinConv2d(8, 12, 2, padding=1, groups=2), nn.BatchNorm2d(12), bnn.Sign(),
        nn.Flatten(), bnn.BinLinear(12 * 16, 20, fan_in=50), nn.BatchNorm1d(20), bnn.Sign(),
        bnn.Votes(4), bnn.Scale(5),
    )  # fmt: skip
    x = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8)
    model(x)  # batch norms take statistics
    model.eval()
    if frozen:
        bnn.freeze(model)
    network = from_module(model, x[:2])
    (name,) = network.outputs
    found = evaluate(network, {network.inputs[0]: x.numpy()}, [name])[name]
    with torch.no_grad():
        np.testing.assert_array_equal(found, model(x).numpy())


def test_a_net_trained_with_a_fan_in_lies_on_cores_of_128_inputs_with_no_split(tmp_path):
    """Fashion-MNIST, briefly: 500 shipped images, convolutions and dense layers, exported and mapped from the file."""
    frames = data.load(ROOT / "examples/fashion_mnist/test_500.npz")
    torch.manual_seed(0)
    model = nn.Sequential(
        bnn.Thermometer([64, 128, 192]), nn.MaxPool2d(2),
        bnn.BinConv2d(3, 16, 3, stride=2, fan_in=128), nn.BatchNorm2d(16), bnn.Sign(),  # 6x6
        bnn.BinConv2d(16, 32, 3, stride=2, padding=1, fan_in=128), nn.BatchNorm2d(32), bnn.Sign(),  # 3x3
        nn.Flatten(), bnn.BinLinear(288, 120, fan_in=128), nn.BatchNorm1d(120), bnn.Sign(),
        bnn.Votes(10), bnn.Scale(12),
    )  # fmt: skip
    assert [m.groups for m in model if isinstance(m, bnn.BinConv2d)] == [1, 2]
    assert bnn.widest(model) <= 128
    x, y = torch.from_numpy(frames.x), torch.from_numpy(frames.y)
    bnn.fit(model, x, y, epochs=6, batch=50)
    assert bnn.accuracy(model, x, y) > 0.6, "it learns"
    save(bnn.freeze(model.eval()), x[:2], tmp_path / "net.pt")
    program = spikebnn.map(tmp_path / "net.pt", "truenorth-sim")
    assert program.header["split"]["method"] == "none"
    assert {layer.role for layer in program.layers} <= {"whole", "readout"}
    assert program.period == 1
    some = frames.x[:100]
    run = spikebnn.run(program, some)
    np.testing.assert_array_equal(run.scores, spikebnn.original(tmp_path / "net.pt", some))


@pytest.mark.parametrize("epochs", [1, 2, 9, 10, 11])
def test_few_frames_and_few_epochs_train_too(epochs: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(bnn.BinLinear(4, 8), nn.BatchNorm1d(8), bnn.Sign(), bnn.BinLinear(8, 2), bnn.Scale(4))
    before = [p.detach().clone() for p in net.parameters()]
    bnn.fit(net, torch.rand(16, 4), torch.arange(16) % 2, epochs=epochs, batch=16)
    assert all(torch.isfinite(p).all() for p in net.parameters())
    assert any((a != b).any() for a, b in zip(before, net.parameters()))
