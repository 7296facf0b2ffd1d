"""The reader gives back the network that was exported, however it was written and exported."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from spikebnn.errors import ImportRefused, InputError
from spikebnn.evaluate import evaluate
from spikebnn.importers import from_module, load_network, on_torch, pt2, save
from spikebnn.network import Network, Node, Ref
from spikebnn.ops import OPS
from tests import zoo
from tests.strategies_importers import raw, raw_of, saved

FRAMES = 40
EXACT = set(zoo.ZOO) - {"binarynet_mlp", "xnor_alpha", "thermometer"}  # no real sum, logarithm or sigmoid in them


def both(network: Network, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outputs of the model itself, of NumPy and of torch's kernels run on the file."""
    model, example = zoo.member(name)
    x = zoo.more_input(example, FRAMES)
    with torch.no_grad():
        own = model(x).numpy()
    feeds = {network.inputs[0]: x.numpy()}
    (out,) = network.outputs
    return own, evaluate(network, feeds)[out], on_torch.evaluate(network, feeds)[out]


@pytest.mark.parametrize("name", zoo.ZOO)
def test_a_saved_network_answers_as_the_model_does(name):
    network = pt2.read_bytes(saved(name))
    own, ours, kernels = both(network, name)
    assert np.array_equal(kernels, own)
    assert np.allclose(ours, own, rtol=1e-5, atol=1e-5)
    if name in EXACT:
        assert np.array_equal(ours, own)
    assert (ours.argmax(-1) == own.argmax(-1)).all()


RAW = [(name, batch) for name in zoo.ZOO for batch in (None, 1)]
RAW += [(name, 3) for name in ("binarynet_mlp", "brevitas_conv", "in_place", "grouped_shuffle", "thermometer")]


@pytest.mark.parametrize(("name", "batch"), RAW)
def test_a_graph_exported_without_our_help_is_read_just_as_well(name, batch):
    network = pt2.read_bytes(raw(name, batch))
    own, ours, kernels = both(network, name)
    assert np.array_equal(kernels, own)
    assert np.allclose(ours, own, rtol=1e-5, atol=1e-5)
    assert all(network.shapes[n][0] is None for n in (*network.inputs, *network.outputs))


@pytest.mark.parametrize("name", ["binarynet_mlp", "overlapping_pool", "irnet_power_of_two", "sliced", "average_of_bits"])
def test_a_graph_in_core_aten_is_read_just_as_well(name):
    """`run_decompositions()` writes addmm, permutes and pools with indices instead."""
    own, ours, kernels = both(pt2.read_bytes(raw_of(*zoo.member(name), core=True)), name)
    assert np.allclose(kernels, own, rtol=1e-5, atol=1e-5)
    assert np.allclose(ours, own, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_bit_of_every_inner_value_equals_torch(name):
    """All data that hold two numbers only are bits or signs; NumPy and torch agree on each."""
    network = pt2.read_bytes(saved(name))
    x = zoo.more_input(zoo.member(name)[1], FRAMES).numpy()
    names = [out for node in network.nodes for out in node.outs if out and "_unused_" not in out]
    feeds = {network.inputs[0]: x}
    ours, kernels = evaluate(network, feeds, names), on_torch.evaluate(network, feeds, names)
    found = 0
    for value in names:
        a, b = ours[value], kernels[value]
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        if network.shapes[value][:1] == (None,) and len(np.unique(b)) <= 2:
            found += 1
            assert np.array_equal(a, b), value
    assert found


def test_module_paths_are_kept():
    network = pt2.read_bytes(saved("concat_branches"))
    convolutions = [node.where for node in network.nodes if node.op == "aten.conv2d.default"]
    assert convolutions == ["a.0", "b.0", "mix.0"]


def test_digest_origin_and_input_note_are_recorded():
    data = saved("zero_one")
    network = pt2.read_bytes(data)
    assert network.digest == hashlib.sha256(data).hexdigest()
    assert network.origin == f"torch.export {torch.__version__.split('+')[0]}"
    assert dict(network.example) == {"dtype": "float32", "values": (0.0, 1.0)}
    assert dict(pt2.read_bytes(saved("xnor_alpha")).example) == {"dtype": "float32"}
    assert dict(pt2.read_bytes(raw("zero_one", None)).example) == {"dtype": "float32"}


def test_an_unsigned_byte_input_is_noted():
    class Grey(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = zoo.BLinear(16, 4, bias=False)

        def forward(self, x):
            return self.fc(x.float())

    x = torch.arange(32, dtype=torch.uint8).view(2, 16)
    network = from_module(Grey(), x)
    assert dict(network.example) == {"dtype": "uint8"}
    feeds = {"x": x.numpy()}
    assert np.array_equal(evaluate(network, feeds)[network.outputs[0]], on_torch.evaluate(network, feeds)[network.outputs[0]])


def test_tensors_and_nodes_cannot_be_changed():
    network = pt2.read_bytes(saved("zero_one"))
    tensor = next(iter(network.tensors.values()))
    with pytest.raises(ValueError, match="read-only"):
        tensor[...] = 0
    with pytest.raises(TypeError):
        network.tensors["new"] = tensor
    with pytest.raises(TypeError):
        network.nodes[0].kwargs["new"] = 1


@pytest.mark.parametrize("name", ["in_place", "brevitas_mlp", "brevitas_conv"])
def test_no_in_place_operation_and_no_batch_size_remains(name):
    for data in (saved(name), raw(name, None), raw(name, 1)):
        network = pt2.read_bytes(data)
        for node in network.nodes:
            assert node.op in OPS
            assert not node.op.split(".")[1].endswith("_")
            assert "out" not in node.kwargs
        made = [out for node in network.nodes for out in node.outs if out]
        assert len(made) == len(set(made))


class Aliases(nn.Module):
    """Writes through views of views, then reads both the view and what it looks into."""

    def forward(self, x):
        y = x * 2
        flat = y.view(x.size(0), -1)
        row = flat[:, 1:5]
        row.clamp_(-1, 1)
        row[:, 0] = 3.0
        y.add_(0.5)
        turned = y.transpose(1, 2)
        turned.mul_(2)
        return torch.cat([flat, row, turned.reshape(x.size(0), -1)], 1)


@pytest.mark.parametrize("batch", [None, 1, 4])
def test_changes_through_views_reach_the_tensor_and_its_other_views(batch):
    x = torch.randn(4 if batch is None else batch, 3, 4, generator=torch.Generator().manual_seed(3))
    network = pt2.read_bytes(raw_of(Aliases(), x, batch is None))
    probe = torch.randn(7, 3, 4, generator=torch.Generator().manual_seed(4))
    want = Aliases()(probe.clone()).numpy()
    feeds = {network.inputs[0]: probe.numpy()}
    assert np.array_equal(evaluate(network, feeds)[network.outputs[0]], want)
    assert np.array_equal(on_torch.evaluate(network, feeds)[network.outputs[0]], want)


class Comparing(nn.Module):
    def forward(self, x):
        y = x.clone()
        y.gt_(0.25)
        return y.sub_(0.5).sign_()


def test_a_comparison_in_place_keeps_the_number_type():
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(5))
    network = pt2.read_bytes(raw_of(Comparing(), x))
    out = evaluate(network, {"x": x.numpy()})[network.outputs[0]]
    assert out.dtype == np.float32
    assert np.array_equal(out, Comparing()(x).numpy())


class Filled(nn.Module):
    """Constants as long as the batch, made on the way."""

    def __init__(self):
        super().__init__()
        self.b = nn.Parameter(torch.randn(1, 6))

    def forward(self, x):
        y = torch.zeros(x.size(0), 6)
        y += x[: x.size(0)]
        y = y + self.b.expand(x.size(0), 6) + x.new_full((x.size(0), 6), 2.0)
        return torch.where(y >= 0, torch.full((x.size(0), 6), 1.0), -torch.ones(x.size(0), 6)).squeeze()


@pytest.mark.parametrize("batch", [None, 1])
def test_constants_as_long_as_the_batch_stay_constants(batch):
    model, x = Filled(), torch.randn(batch or 3, 6)
    network = pt2.read_bytes(raw_of(model, x, batch is None))
    for frames in (1, 9):
        probe = torch.randn(frames, 6)
        want = model(probe).detach().numpy().reshape(frames, 6)
        assert np.array_equal(evaluate(network, {"x": probe.numpy()})[network.outputs[0]], want)
    free = {"x", *(out for node in network.nodes for out in node.outs if network.shapes[out][:1] == (None,))}
    for node in network.nodes:
        if node.op in ("aten.expand.default", "aten.full.default", "aten.zeros.default", "aten.ones.default"):
            assert not free.intersection(node.outs)


def test_a_network_that_mixes_its_frames_is_not_freed_of_its_batch():
    class Mixes(nn.Module):
        def forward(self, x):
            return x - x.mean(0, keepdim=True)

    with pytest.raises(ImportRefused, match="exported for a batch of 3 and does not treat its frames one by one"):
        pt2.read_bytes(raw_of(Mixes(), torch.randn(3, 4), False))


def test_an_input_without_batch_axis_is_refused():
    with pytest.raises(ImportRefused, match="axis 0 must be the batch"):
        pt2.read_bytes(raw_of(nn.ReLU(), torch.randn(4), False))


def test_training_mode_is_refused_by_module_path():
    model, x = zoo.member("negative_gamma")
    with pytest.raises(ImportRefused, match=r"'n1' was exported in training mode .* call model.eval\(\)"):
        pt2.read_bytes(raw_of(model.train(), x))
    model = nn.Sequential(zoo.BLinear(8, 8), nn.Dropout(0.5)).train()
    with pytest.raises(ImportRefused, match=r"'1' was exported in training mode .* call model.eval\(\)"):
        pt2.read_bytes(raw_of(model, torch.randn(2, 8)))


def test_half_precision_is_refused():
    for dtype, name in ((torch.float16, "float16"), (torch.bfloat16, "bfloat16")):
        model = zoo.BLinear(8, 4).to(dtype)
        with pytest.raises(ImportRefused, match=rf"{name}, where sums are not exact; export model.float\(\)"):
            pt2.read_bytes(raw_of(model, torch.zeros(2, 8, dtype=dtype)))


@pytest.mark.parametrize("name", zoo.REFUSED_AT_IMPORT)
def test_what_cannot_be_imported_is_refused_in_one_sentence(name):
    model, x, fragment = zoo.refused()[name]
    with pytest.raises(ImportRefused, match=fragment.replace("(", r"\(").replace(")", r"\)")) as caught:
        from_module(model, x)
    assert "\n" not in str(caught.value)


class Late(nn.Module):
    """The state is written after it was read, so nothing in this call shows it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("trace", torch.zeros(4))

    def forward(self, x):
        y = x + self.trace
        self.trace.copy_(y.mean(0))
        return y


class Counting(Late):
    def forward(self, x):
        y = x * self.trace
        self.trace.add_(1)
        return y


@pytest.mark.parametrize("model", [Late(), Counting(), zoo.Stateful()], ids=lambda m: type(m).__name__)
def test_state_kept_between_calls_is_refused_however_it_was_exported(model):
    name = "membrane" if isinstance(model, zoo.Stateful) else "trace"
    x = torch.zeros(2, 64 if isinstance(model, zoo.Stateful) else 4)
    with pytest.raises(ImportRefused, match=rf"the buffer '{name}' is changed by every call and read by the next"):
        from_module(model, x)
    with pytest.raises(ImportRefused, match=rf"the buffer '{name}' is changed by every call and read by the next"):
        pt2.read_bytes(raw_of(model, x))


def test_a_buffer_that_is_only_counted_does_no_harm():
    class Counter(Late):
        def forward(self, x):
            self.trace.add_(1)
            return x * 2

    for network in (from_module(Counter(), torch.zeros(2, 4)), pt2.read_bytes(raw_of(Counter(), torch.zeros(2, 4)))):
        assert [node.op for node in network.nodes] == ["aten.mul.Tensor"]


def test_a_branch_on_data_is_refused():
    class Branch(nn.Module):
        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda v: v + 1, lambda v: v - 1, (x,))

    with pytest.raises(ImportRefused, match="branches on data"):
        pt2.read_bytes(raw_of(Branch(), torch.randn(2, 4)))


def test_pieces_of_a_network_can_be_run():
    network = pt2.read_bytes(saved("votes"))
    x = zoo.signs(6, 64).numpy()
    names = [node.outs[0] for node in network.nodes if node.op == "aten.linear.default"]
    middle = evaluate(network, {"x": x}, names)
    end = evaluate(network, {names[1]: middle[names[1]]})  # nothing before it is needed
    whole = evaluate(network, {"x": x})
    assert np.array_equal(end[network.outputs[0]], whole[network.outputs[0]])
    constants = evaluate(network, {}, [n for n in network.nodes[0].outs if n])  # constants need no input
    assert constants


def test_a_missing_input_is_named():
    network = pt2.read_bytes(saved("votes"))
    for run in (evaluate, on_torch.evaluate):
        with pytest.raises(InputError, match=r"needs a value for x; given are \['y'\]"):
            run(network, {"y": np.zeros((1, 64), np.float32)})


def test_wide_evaluation_stays_in_float64():
    network = pt2.read_bytes(saved("binarynet_mlp"))
    x = zoo.signs(6, 1, 8, 8).numpy()
    wide = evaluate(network, {"x": x}, wide=True)[network.outputs[0]]
    assert wide.dtype == np.float64
    assert np.allclose(wide, evaluate(network, {"x": x})[network.outputs[0]], atol=1e-4)


def test_an_unknown_operation_is_named_with_its_module_path():
    node = Node(op="aten.fft_rfft.default", args=(Ref("x"),), outs=("y",), where="features.3")
    network = Network(nodes=(node,), tensors={}, inputs=("x",), outputs=("y",), shapes={})
    for run in (evaluate, on_torch.evaluate):
        with pytest.raises(ImportRefused, match=r"aten.fft_rfft.default at 'features.3' is not known"):
            run(network, {"x": np.zeros((2, 2), np.float32)})


def test_reading_needs_no_torch(tmp_path):
    path = tmp_path / "anything.bin"
    path.write_bytes(saved("depthwise_channels_last"))
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np; from spikebnn.importers import load_network; from spikebnn.evaluate import evaluate\n"
        f"n = load_network({str(path)!r}); print(evaluate(n, {{'x': np.ones((2, 4, 6, 6), 'f4')}})[n.outputs[0]].shape)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(2, 10)"


def test_any_suffix_will_do(tmp_path):
    model, x = zoo.member("zero_one")
    for name in ("net.pt", "net.pt2", "net"):
        save(model, x, tmp_path / name)
        assert load_network(tmp_path / name).outputs
