"""What a user runs to make a network file, and every way in which it goes wrong."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spikebnn.errors import ImportRefused, InputError
from spikebnn.evaluate import evaluate
from spikebnn.importers import export_file, from_module, load_network, save
from tests import zoo
from tests.strategies_importers import members, saved

MODEL = '''
import torch
from torch import nn
from torch.nn import functional as F
from helper import sign

class Net(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.fc1, self.bn = nn.Linear(9, hidden, bias=False), nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, 3, bias=False)

    def forward(self, x):
        x = sign(self.bn(F.linear(x.flatten(1), sign(self.fc1.weight))))
        return F.linear(x, sign(self.fc2.weight))

class Wide(Net):
    def __init__(self, hidden, depth):
        super().__init__(hidden)

def small():
    return Net(4)

ready = Net(8)
number = 3

class Breaks(nn.Module):
    def __init__(self):
        raise RuntimeError("no such dataset")

def thing():
    return 7
'''
HELPER = "import torch\n\ndef sign(x):\n    return torch.where(x >= 0, 1.0, -1.0)\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "mod.py").write_text(MODEL)
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


def run(files: Path, spec: str = "Net", weights: str | None = None, **options):
    out = files / "net.pt"
    export_file(f"{files / 'mod.py'}:{spec}", None if weights is None else files / weights, (1, 3, 3), out, **options)
    return load_network(out)


def own_state(files: Path, name: str = "Net") -> dict[str, torch.Tensor]:
    spec = {}
    exec(HELPER, spec)
    exec(MODEL.replace("from helper import sign", ""), spec)
    torch.manual_seed(4)
    return zoo.randomise(spec[name]()).state_dict()


def test_the_same_module_gives_the_same_bytes_in_another_process():
    program = (
        "import sys, hashlib; sys.path.insert(0, '.')\n"
        "from tests.strategies_importers import saved; print(hashlib.sha256(saved('grouped_shuffle')).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parent.parent)  # fmt: skip
    import hashlib

    assert done.stdout.strip() == hashlib.sha256(saved("grouped_shuffle")).hexdigest()


def test_no_source_line_path_or_sample_input_is_in_the_file():
    content = members(saved("negative_gamma"))
    text = b"".join(content.values())
    assert b"zoo.py" not in text
    assert b"return F" not in text
    assert str(Path(__file__).parent).encode() not in text
    assert content["archive/data/sample_inputs/model.pt"] == b""


def test_training_flags_are_put_back_module_by_module():
    model, x = zoo.member("binarynet_mlp")
    model.train()
    model.bn1.eval()
    network = from_module(model, x)
    assert model.training
    assert model.fc1.training
    assert not model.bn1.training
    assert not any("native_dropout" in node.op for node in network.nodes)


def test_exporting_leaves_weights_and_statistics_alone():
    model, x = zoo.member("in_place")
    with torch.no_grad():
        model.conv.weight.mul_(20)  # the forward pass would clamp these
    before = {k: v.clone() for k, v in model.state_dict().items()}
    from_module(model, x)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_nothing_is_printed_or_warned_about(tmp_path, capfd, caplog):
    model, x = zoo.member("zero_one")
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        save(model, x, tmp_path / "net.pt")
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == 0


def test_a_batch_of_one_is_enough(tmp_path):
    model, x = zoo.member("at_sign")
    network = from_module(model, x[:1].numpy())
    out = evaluate(network, {"x": x.numpy()})[network.outputs[0]]
    assert np.array_equal(out, model(x).detach().numpy())


def test_torch_itself_opens_what_we_save(tmp_path):
    model, x = zoo.member("votes")
    save(model, x, tmp_path / "net.pt2")
    again = torch.export.load(tmp_path / "net.pt2").module()
    assert torch.equal(again(x), model(x))


@pytest.mark.parametrize(
    ("model", "example", "sentence"),
    [
        (lambda x: x, torch.zeros(2, 3), "a torch.nn.Module is wanted, not a function"),
        (nn.ReLU(), "x", "the example input is a str; a tensor or NumPy array is wanted"),
        (nn.ReLU(), torch.zeros(3), "the example input has shape (3,); give a batch as the model takes it, frames first"),
        (nn.Linear(3, 2).half(), torch.zeros(2, 3), "is float16, where sums are not exact; export model.float() instead"),
        (nn.Linear(3, 2).bfloat16(), torch.zeros(2, 3), "is bfloat16, where sums are not exact; export model.float()"),
        (nn.Linear(3, 2), torch.zeros(2, 4), "torch.export cannot trace Linear: "),
        (nn.Linear(3, 2, device="meta"), torch.zeros(2, 3), "lies on the device 'meta'; export model.cpu() instead"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(model, example, sentence, tmp_path):
    with pytest.raises(InputError) as caught:
        save(model, example, tmp_path / "net.pt")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_refused_model_leaves_the_old_file_as_it_was(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"precious")
    model, x, _ = zoo.refused()["unknown_operation"]
    with pytest.raises(ImportRefused):
        save(model, x, tmp_path / "net.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["net.pt"]
    assert (tmp_path / "net.pt").read_bytes() == b"precious"


def test_a_directory_that_is_not_there_is_named(tmp_path):
    model, x = zoo.member("at_sign")
    with pytest.raises(InputError, match=r"there is no directory '.*nowhere' to write 'net.pt' into"):
        save(model, x, tmp_path / "nowhere" / "net.pt")


@pytest.mark.parametrize("spec", ["Net", "small", "ready"])
def test_a_class_a_function_or_an_instance_can_be_exported(files, spec):
    network = run(files, spec)
    assert network.shapes["x"] == (None, 1, 3, 3)
    assert dict(network.example) == {"dtype": "float32"}


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3},
                                  lambda s: {f"module.{k}": v for k, v in s.items()}])  # fmt: skip
def test_weights_come_from_a_state_dict_or_a_checkpoint(files, wrap):
    state = own_state(files)
    torch.save(wrap(state), files / "sd.pt")
    network = run(files, "Net", "sd.pt", values=(-1.0, 1.0))
    assert np.array_equal(network.tensors["p_fc1_weight"], state["fc1.weight"].numpy())
    assert network.example["values"] == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("{dir}/nope.py:Net", "there is no file '{dir}/nope.py' to take Net from"),
        ("{dir}/mod.py", "'{dir}/mod.py' does not name a model; write it as file.py:Name"),
        ("{dir}/mod.py:", "'{dir}/mod.py:' does not name a model; write it as file.py:Name"),
        ("{dir}/mod.py:Nett", "'{dir}/mod.py' has no 'Nett'; its models are: Breaks, Net, Wide"),
        ("{dir}/mod.py:number", "'number' in '{dir}/mod.py' is a int, not a model"),
        ("{dir}/mod.py:thing", "thing() in '{dir}/mod.py' gives a int, not a torch.nn.Module"),
        ("{dir}/mod.py:Wide", "Wide needs arguments (hidden, depth); add to '{dir}/mod.py' a function without arguments"),
        ("{dir}/mod.py:Breaks", "'{dir}/mod.py' failed while making Breaks: RuntimeError: no such dataset"),
        ("{dir}/broken.py:Net", "'{dir}/broken.py' failed while making Net: SyntaxError"),
        ("{dir}/sd.txt:Net", "'{dir}/sd.txt' is not a Python file"),
    ],
)
def test_a_model_that_cannot_be_made_is_one_sentence(files, spec, sentence):
    (files / "broken.py").write_text("class Net(:\n")
    (files / "sd.txt").write_text("hello")
    with pytest.raises(InputError) as caught:
        export_file(spec.format(dir=files), None, (1, 3, 3), files / "net.pt")
    assert sentence.format(dir=files) in str(caught.value)
    assert not (files / "net.pt").exists()


def test_weights_that_do_not_fit_are_listed(files):
    state = own_state(files)
    state["fc3.weight"] = state.pop("fc2.weight")
    state["fc1.weight"] = torch.zeros(5, 9)
    torch.save(state, files / "sd.pt")
    with pytest.raises(InputError) as caught:
        run(files, "Net", "sd.pt")
    assert "1 missing (fc2.weight); 1 unknown (fc3.weight); 1 of another shape (fc1.weight is (5, 9), not (16, 9))" in str(
        caught.value
    )


def test_a_pickled_model_is_not_accepted_as_weights(files):
    torch.save(nn.Sequential(nn.Linear(9, 3)), files / "whole.pt")
    with pytest.raises(InputError) as caught:
        run(files, "Net", "whole.pt")
    assert str(caught.value) == (
        f"'{files / 'whole.pt'}' is a pickled model (it would import torch.nn.modules.container.Sequential, "
        "torch.nn.modules.linear.Linear), and opening it would run whatever code it names; " + A_STATE_DICT
    )


A_STATE_DICT = "weights are a state_dict, saved with torch.save(model.state_dict(), 'sd.pt')"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"\x1b[1mhello world\n", "a text file that begins with '\\x1b[1mhello world', not a network"),
        (b"PK\x03\x04 and no more", "a damaged zip archive (File is not a zip file)"),
    ],
)
def test_what_is_no_state_dict_is_named(files, content, what):
    (files / "sd.pt").write_bytes(content)
    with pytest.raises(InputError) as caught:
        run(files, "Net", "sd.pt")
    assert str(caught.value) == f"'{files / 'sd.pt'}' is {what}; {A_STATE_DICT}"
    with pytest.raises(InputError, match="^there is no weights file '"):
        run(files, "Net", "none.pt")


def test_what_the_users_own_code_says_is_put_on_one_line(files):
    (files / "mod.py").write_text('def Net():\n    raise ValueError("\x1b[1mfirst\x1b[0m\\nsecond\\n\\nthird")\n')
    with pytest.raises(InputError) as caught:
        export_file(f"{files / 'mod.py'}:Net", None, (9,), files / "net.pt")
    assert str(caught.value) == f"'{files / 'mod.py'}' failed while making Net: ValueError: first second third"


def test_a_type_that_the_model_cannot_take_is_refused_at_the_export(tmp_path):
    class Counts(nn.Linear):
        def __init__(self):
            super().__init__(3, 2)
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x):
            self.seen += 1
            return super().forward(x)

    model = Counts()
    with pytest.raises(InputError) as caught:
        save(model, torch.zeros(2, 3, dtype=torch.uint8), tmp_path / "net.pt")
    assert str(caught.value).startswith("Counts fails on an example input of uint8 (2, 3): RuntimeError: ")
    assert "\n" not in str(caught.value)
    assert model.seen == 0


def test_a_batch_norm_without_statistics_is_named_as_such(tmp_path):
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, track_running_stats=False)).eval()
    with pytest.raises(InputError) as caught:
        save(model, torch.zeros(2, 3), tmp_path / "net.pt")
    assert str(caught.value) == (
        "'1' has no running statistics (track_running_stats=False), so its answer depends on the batch;"
        " train it with track_running_stats=True"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"values": (1.0,)}, "the input values are [1.0]; give the two values that the input takes"),
        ({"dtype": "complex64"}, "the input type 'complex64' is not known"),
    ],
)
def test_wrong_options_are_one_sentence(files, options, sentence):
    with pytest.raises(InputError) as caught:
        run(files, **options)
    assert sentence in str(caught.value)
