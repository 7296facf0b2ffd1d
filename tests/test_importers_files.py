"""Files that are not network files, damaged ones, and ones made to do harm: one sentence each, and no code runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from spikebnn.errors import ImportRefused
from spikebnn.evaluate import evaluate
from spikebnn.importers import load_network, on_torch, pt2
from spikebnn.importers.diagnose import look
from tests import zoo
from tests.strategies_importers import edited, members, packed, raw_of, saved

EXPORT = "write one with `spikebnn export mod.py:Net --weights sd.pt --input 1,28,28 -o net.pt`"
GRAPH = "models/model.json"
WEIGHTS = "model_weights_config.json"


def small() -> bytes:
    return saved("stored_signs")


def refusal(data: bytes) -> str:
    with pytest.raises(ImportRefused) as caught:
        pt2.read_bytes(data, "net.pt")
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Harm:
    """Unpickling this writes a file; nothing worse."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


# ------------------------------------------------------------------ other files
class Little(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(x)


def _torch_file(what, path, **options):
    torch.save(what, path, **options)


def _keras(path):
    path.write_bytes(packed({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b"\x89HDF"}))


OTHERS = {
    "a pickled model": (
        lambda p: _torch_file(Little(), p),
        "a pickled model (it would import tests.test_importers_files.Little, torch.nn.modules.linear.Linear)",
    ),
    "a state_dict": (
        lambda p: _torch_file(Little().state_dict(), p),
        "is a state_dict with 2 weights such as 'fc.weight', which does not say how the network computes",
    ),
    "a checkpoint": (
        lambda p: _torch_file({"epoch": 1, "state_dict": Little().state_dict(), "optimizer": {}}, p),
        "is a training checkpoint with 2 weights, which does not say how the network computes",
    ),
    "an old state_dict": (
        lambda p: _torch_file(Little().state_dict(), p, _use_new_zipfile_serialization=False),
        "is a state_dict with 2 weights such as 'fc.weight'",
    ),
    "an old pickled model": (
        lambda p: _torch_file(Little(), p, _use_new_zipfile_serialization=False),
        "a pickled model (it would import tests.test_importers_files.Little",
    ),
    "torchscript": (lambda p: torch.jit.script(Little()).save(str(p)), "is a TorchScript file, a format that PyTorch has retired"),
    "text": (lambda p: p.write_text("import torch\nprint(1)\n"), "is a text file that begins with 'import torch', not a network"),
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "keras": (_keras, "is a Keras model, which is not read yet"),
    "hdf5": (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 50), "is an HDF5 file"),
    "onnx": (lambda p: p.write_bytes(b"\x08\x0a\x12\x07pytorch\x1a\x062.13.0"), "is an ONNX model, which is not read yet"),
    "npz": (lambda p: np.savez(p.open("wb"), x=np.zeros(3)), "is a NumPy archive of arrays, data rather than a network"),
    "npy": (lambda p: np.save(p.open("wb"), np.zeros(3)), "is a NumPy array, data rather than a network"),
    "safetensors": (
        lambda p: p.write_bytes(b'\x40\0\0\0\0\0\0\0{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' + b"\0" * 4),
        "is a file of weights alone",
    ),
    "an old export": (
        lambda p: p.write_bytes(packed({"serialized_exported_program.json": b"{}", "version": b"5.1"})),
        "is an archive of torch.export older than 2.9 (export it again with a newer PyTorch)",
    ),
    "a zip of something": (lambda p: p.write_bytes(packed({"a.txt": b"x"})), "is a zip archive of 1 members, none of which"),
    "a cut zip": (lambda p: p.write_bytes(small()[:-30]), "is a damaged zip archive"),
    "noise": (lambda p: p.write_bytes(bytes(range(200, 256))), "in a format that is not known (it begins with c8c9cacb"),
    "a directory": (lambda p: p.mkdir(), "is a directory; a torch.export archive is wanted"),
    "nothing": (lambda p: None, "there is no file '"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OTHERS)
def test_a_file_that_is_no_network_is_told_what_it_is(name, tmp_path):
    make, sentence = OTHERS[name]
    path = tmp_path / "net.pt"
    make(path)
    with pytest.raises(ImportRefused) as caught:
        load_network(path)
    assert sentence in str(caught.value)
    assert EXPORT in str(caught.value)
    assert "\n" not in str(caught.value)


def test_telling_what_a_pickle_is_runs_nothing_in_it(tmp_path):
    marker = tmp_path / "ran"
    torch.save({"fc.weight": torch.zeros(2), "x": Harm(marker)}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Harm(marker)))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(ImportRefused, match="a pickled model"):
            load_network(tmp_path / name)
    assert not marker.exists()


@given(st.binary(max_size=200))
def test_any_bytes_can_be_looked_at_as_a_pickle(data):
    look(b"\x80\x02" + data)


def test_a_pickle_bomb_is_looked_at_quickly():
    started = time.monotonic()
    look(b"\x80\x04" + b"(" * (32 << 20))
    assert time.monotonic() - started < 60  # a guard against hanging, not a measurement


def test_an_importer_from_another_package_is_asked(tmp_path, monkeypatch):
    import spikebnn.importers as door

    class Text:
        @staticmethod
        def recognises(path):
            return path.read_bytes()[:4] == b"MINE"

        @staticmethod
        def read(path):
            return pt2.read_bytes(small())

    monkeypatch.setitem(door.IMPORTERS, "mine", lambda: Text)
    (tmp_path / "net.mine").write_bytes(b"MINE ...")
    assert load_network(tmp_path / "net.mine").inputs == ("x",)


# ------------------------------------------------------------------ files made to do harm
def test_a_pickle_among_the_sample_inputs_is_never_opened(tmp_path):
    marker = tmp_path / "ran"
    content = members(small())
    out = io.BytesIO()
    torch.save(((Harm(marker),), {}), out)
    content["archive/data/sample_inputs/model.pt"] = out.getvalue()
    pt2.read_bytes(packed(content))
    assert not marker.exists()


def test_a_weight_flagged_as_a_pickle_is_refused(tmp_path):
    marker = tmp_path / "ran"
    content = members(small())
    content["archive/data/weights/weight_0"] = pickle.dumps(Harm(marker))

    def flag(document):
        next(iter(document["config"].values()))["use_pickle"] = True

    message = refusal(edited(packed(content), WEIGHTS, flag))
    assert "'w1' is a weight stored as a pickle or custom object, which would run code when opened" in message
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["opaque_obj_0", "custom_obj_0"])
def test_an_object_constant_is_refused(tmp_path, kind):
    marker = tmp_path / "ran"
    content = members(small())
    content[f"archive/data/constants/{kind}"] = pickle.dumps(Harm(marker))
    meta = next(iter(json.loads(content["archive/data/weights/model_weights_config.json"])["config"].values()))
    config = {"config": {"thing": {**meta, "path_name": kind, "is_param": False, "use_pickle": False}}}
    content["archive/data/constants/model_constants_config.json"] = json.dumps(config).encode()
    assert "'thing' is a constant stored as a pickle or custom object" in refusal(packed(content))
    assert not marker.exists()


def test_a_shape_expression_is_never_evaluated(tmp_path):
    marker = tmp_path / "ran"
    harm = f"__import__('pathlib').Path({str(marker)!r}).touch()"

    def poison(document):
        graph = document["graph_module"]["graph"]
        for meta in graph["tensor_values"].values():
            for size in [*meta["sizes"], *meta["strides"]]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = harm
        for value in graph["sym_int_values"].values():
            value["as_expr"]["expr_str"] = harm
        document["guards_code"] = [harm]
        document["range_constraints"] = {harm: {"min_val": 2, "max_val": None}}

    network = pt2.read_bytes(edited(saved("zero_one"), GRAPH, poison))
    evaluate(network, {"x": np.zeros((2, 1, 8, 8), np.float32)})
    assert not marker.exists()


@pytest.mark.parametrize("op", ["os.system", "torch.ops.aten.__getattribute__.default", "torch.ops.builtins.exec.default",
                                "aten..default", "torch.ops.prim.Print.default", "_operator.getitem"])  # fmt: skip
def test_an_operation_outside_the_list_is_refused(op):
    def change(document):
        document["graph_module"]["graph"]["nodes"][-1]["target"] = op

    assert "is not known" in refusal(edited(small(), GRAPH, change))


# ------------------------------------------------------------------ archives that do not add up
def node_of(document, text):
    return next(n for n in document["graph_module"]["graph"]["nodes"] if text in n["target"])


def first(document):
    return next(iter(document["config"].values()))


BROKEN = {
    "another schema": (GRAPH, lambda d: d["schema_version"].update(major=9), "has export schema 9; schema 8 is read"),
    "stride outside": (WEIGHTS, lambda d: first(d)["tensor_meta"]["strides"][0].update(as_int=10**6), "reaches element"),
    "offset outside": (WEIGHTS, lambda d: first(d)["tensor_meta"]["storage_offset"].update(as_int=10**9), "reaches element"),
    "negative size": (WEIGHTS, lambda d: first(d)["tensor_meta"]["sizes"][0].update(as_int=-1), "size -1"),
    "negative shape": (
        GRAPH,
        lambda d: d["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][1].update(as_int=-8),
        "'x' has the shape (None, -8, 8, 8)",
    ),
    "huge by stride 0": (
        WEIGHTS,
        lambda d: first(d)["tensor_meta"].update(sizes=[{"as_int": 10**9}] * 2, strides=[{"as_int": 0}] * 2),
        "need more than",
    ),
    "sparse": (WEIGHTS, lambda d: first(d)["tensor_meta"].update(layout=1), "is sparse or packed (layout 1)"),
    "half weight": (WEIGHTS, lambda d: first(d)["tensor_meta"].update(dtype=6), "uses float16, where sums are not exact"),
    "complex weight": (WEIGHTS, lambda d: first(d)["tensor_meta"].update(dtype=10), "complex64, which is not supported"),
    "unknown type": (WEIGHTS, lambda d: first(d)["tensor_meta"].update(dtype=99), "number 99, which is not supported"),
    "weight missing": (WEIGHTS, lambda d: d["config"].pop("w1"), "is damaged"),
    "path elsewhere": (WEIGHTS, lambda d: first(d).update(path_name="../../../etc/passwd"), "stored as a pickle or custom object"),
    "path to nothing": (WEIGHTS, lambda d: first(d).update(path_name="weight_77"), "is damaged"),
    "no nodes": (GRAPH, lambda d: d["graph_module"]["graph"].pop("nodes"), "is damaged"),
    "a list": (GRAPH, lambda d: [d], "holds a list"),
    "unknown argument": (
        GRAPH,
        lambda d: node_of(d, "sub")["inputs"][0].update(arg={"as_custom_obj": {"name": "x", "class_fqn": "y"}}),
        "argument of kind 'as_custom_obj' is not supported",
    ),
    "two kinds at once": (GRAPH, lambda d: node_of(d, "sub")["inputs"][0]["arg"].update(as_int=3), "is damaged"),
    "made twice": (
        GRAPH,
        lambda d: d["graph_module"]["graph"]["nodes"].append(d["graph_module"]["graph"]["nodes"][0]),
        "is made twice",
    ),
    "read before made": (GRAPH, lambda d: d["graph_module"]["graph"]["nodes"].reverse(), "is read before it is made"),
    "output never made": (
        GRAPH,
        lambda d: d["graph_module"]["signature"]["output_specs"][0]["user_output"]["arg"]["as_tensor"].update(name="no"),
        "the output 'no' is never made",
    ),
    "custom input": (
        GRAPH,
        lambda d: d["graph_module"]["signature"]["input_specs"].append({"custom_obj": {"arg": {}, "custom_obj_name": ""}}),
        "takes a 'custom_obj', a custom object, which is not opened",
    ),
    "two inputs of equal name": (
        GRAPH,
        lambda d: d["graph_module"]["signature"]["output_specs"].append({"gradient_to_parameter": {}}),
        "output of kind 'gradient_to_parameter' is not supported",
    ),
    "no outputs": (GRAPH, lambda d: d["graph_module"]["signature"].update(output_specs=[]), "has 1 inputs and 0 outputs"),
    "text as a number": (
        GRAPH,
        lambda d: node_of(d, "view")["inputs"][1].update(arg={"as_ints": ["__import__('os')"]}),
        "is damaged",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_archive_that_does_not_add_up_is_one_sentence(name):
    ending, change, sentence = BROKEN[name]

    def apply(document):
        changed = change(document)
        return changed if isinstance(changed, list) else None

    assert sentence in refusal(edited(small(), ending, apply))


def test_zip_tricks_are_refused(monkeypatch):
    content = members(small())
    pairs = list(content.items())
    assert "two members called 'archive/models/model.json'" in refusal(packed([*pairs, ("archive/models/model.json", b"{}")]))
    assert "holds 2 exported models" in refusal(packed({**content, "archive/models/other.json": b"{}"}))
    assert "big-endian" in refusal(packed({**content, "archive/byteorder": b"big"}))
    old = {k: v for k, v in content.items() if not k.endswith("weights_config.json")}
    assert "written by a torch older than 2.9" in refusal(packed(old))
    nested = {**content, "archive/models/model.json": b'{"schema_version":' + b"[" * 200_000}
    assert "is damaged" in refusal(packed(nested))
    monkeypatch.setattr("spikebnn.importers.archive.MOST_MEMBERS", 5)
    assert f"has {len(content)} members; at most 5 are read" in refusal(packed(content))


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    bomb = {**members(small()), "archive/models/model.json": b" " * (65 << 20)}
    assert f"has {65 << 20} bytes; at most {64 << 20} are read" in refusal(packed(bomb, zipfile.ZIP_DEFLATED))


def test_a_compressed_archive_is_fine():
    assert pt2.read_bytes(packed(members(small()), zipfile.ZIP_DEFLATED)).inputs == ("x",)


@pytest.mark.parametrize("size", [[1 << 20, 1 << 20], [1 << 60], [(1 << 63) - 1, 2]])
def test_a_graph_that_asks_for_too_much_memory_is_refused(size):
    class Ones(nn.Module):
        def forward(self, x):
            return x + torch.ones(4)

    def change(document):
        node_of(document, "ones")["inputs"][0]["arg"] = {"as_ints": size}

    network = pt2.read_bytes(edited(raw_of(Ones(), torch.zeros(2, 4)), GRAPH, change))
    for run in (evaluate, on_torch.evaluate):
        with pytest.raises(ImportRefused, match="has [0-9]+ elements; at most"):
            run(network, {"x": np.zeros((2, 4), np.float32)})


# ------------------------------------------------------------------ random damage
def survives(data: bytes) -> bool:
    """Read, and where that succeeds, run: True if it loaded, False if refused; anything else is an error."""
    try:
        network = pt2.read_bytes(data, "net.pt")
        shape = network.shapes[network.inputs[0]]
        if all(isinstance(n, int) and n < 100 for n in shape[1:]):
            evaluate(network, {network.inputs[0]: np.ones((2, *shape[1:]), np.float32)})
    except ImportRefused as refused:
        assert "\n" not in str(refused)
        return False
    return True


def test_hundreds_of_flipped_bytes_are_read_or_refused():
    good, rng = bytearray(small()), random.Random(1)
    loaded = 0
    for _ in range(250):
        bad = bytearray(good)
        for _ in range(rng.choice((1, 1, 2, 8))):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        loaded += survives(bytes(bad))
    assert loaded < 250


def test_every_cut_is_refused():
    good = small()
    for end in range(0, len(good) - 1, max(1, len(good) // 60)):
        assert not survives(good[:end])


def _places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


_STRANGE = (None, True, -1, 0, 1, 7, 2**63, 10**30, 1.5, "", "x", "p_fc_weight", "../..", "Infinity", [], [[]], {}, {"as_int": 3},
            {"as_tensor": {"name": "x"}}, {"as_ints": [-1, -1]}, [{"as_int": 1}], {"as_sym_int": {"as_name": "x"}})  # fmt: skip


@pytest.mark.parametrize("name", ["stored_signs", "overlapping_pool", "sliced", "in_place"])
def test_hundreds_of_changed_json_values_are_read_or_refused(name):
    """A wrong value at any place of the documents: never another exception, never a hang."""
    content = members(saved(name))
    rng = random.Random(2)
    for ending, many in ((GRAPH, 220), (WEIGHTS, 60), ("extra/spikebnn.json", 30)):
        key = next(k for k in content if k.endswith(ending))
        places = list(_places(json.loads(content[key])))
        relevant = [p for p in places if "metadata" not in p and "module_call_graph" not in p]
        for _ in range(many):
            document = {"root": json.loads(content[key])}
            path = ("root", *rng.choice(relevant))
            inner = document
            for step in path[:-1]:
                inner = inner[step]
            if rng.random() < 0.25 and isinstance(inner, dict):
                del inner[path[-1]]
            else:
                inner[path[-1]] = rng.choice(_STRANGE)
            survives(packed({**content, key: json.dumps(document.get("root")).encode()}))


def test_nothing_of_the_above_left_a_file_behind():
    assert not [n for n in os.listdir() if n.startswith("ran")]


def test_the_zoo_itself_is_untouched():
    assert survives(small())
    assert zoo.member("stored_signs")[0].threshold.shape == (32,)
