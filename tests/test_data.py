"""Data files: frames come back as they went in, and every damaged file has its sentence."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spikebnn import data
from spikebnn.errors import InputError

IDX_CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def idx(array):
    """An array as the bytes of an IDX file."""
    head = bytes([0, 0, IDX_CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def sets(folder, frames=7):
    """The four files of an MNIST-like set."""
    rng = np.random.default_rng(0)
    held = {}
    for prefix, count in (("t10k", frames), ("train", 2 * frames)):
        x, y = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), rng.integers(0, 10, count, dtype=np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(x)))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(y)))
        held[prefix] = x, y
    return held


def test_frames_and_labels_come_back_with_their_types(tmp_path):
    x, y = np.arange(24, dtype=np.int16).reshape(4, 2, 3), np.array([0, 1, 1, 0])
    data.save(tmp_path / "deep" / "a.npz", data.Frames(x=x, y=y))
    back = data.load(tmp_path / "deep" / "a.npz", limit=3)
    assert back.x.dtype == np.int16
    np.testing.assert_array_equal(back.x, x[:3])
    np.testing.assert_array_equal(back.y, y[:3])


def test_the_same_frames_give_the_same_bytes(tmp_path):
    frames = data.Frames(x=np.ones((3, 2)), y=None)
    for name in ("a", "b"):
        data.save(tmp_path / name, frames)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert data.load(tmp_path / "a").y is None


def test_a_bare_npy_file_is_frames_without_labels(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    assert data.load(tmp_path / "a.npy").x.shape == (3, 2)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda p: None, "there is no such file"),
        (lambda p: p.write_bytes(b""), "wanted an .npz file of arrays: No data left in file"),
        (lambda p: p.write_bytes(b"hello"), "it is none, or it holds pickled objects, which are never opened"),
        (lambda p: p.write_bytes(b"PK\x03\x04broken"), "wanted an .npz file of arrays"),
        (lambda p: np.savez(p, x=np.array([{}], dtype=object)), "pickled objects, which are never opened"),
        (lambda p: np.savez(p, frames=np.ones(3), y=np.ones(3)), "wanted an array x .frames first., found frames, y"),
        (lambda p: np.savez(p, x=np.ones((3, 2)), y=np.ones(4)), r"y has shape \(4,\), wanted one label for each of the 3"),
        (lambda p: np.savez(p, x=np.ones((0, 2))), "x holds no frames"),
    ],
)
def test_a_file_that_cannot_be_used_has_its_sentence(tmp_path, write, sentence):
    path = tmp_path / "a.npz"
    write(path)
    with pytest.raises(InputError, match=sentence) as found:
        data.load(path)
    assert "\n" not in str(found.value)


@given(
    hnp.arrays(
        st.sampled_from(sorted(IDX_CODES)).map(np.dtype),
        hnp.array_shapes(max_dims=4, max_side=4),
        elements=st.integers(0, 100),
    )
)
def test_any_array_survives_an_idx_file(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("idx") / "a"
    path.write_bytes(gzip.compress(idx(array)))
    back = data.read_idx(path)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x1f\x8bnot gzip at all", "wanted a gzipped IDX file"),
        (b"\x89PNG", "wanted an IDX file, found one that begins with the bytes 89504e47"),
        (bytes([0, 0, 8, 3]) + b"\0", "the header promises 3 axes but the file ends after 5 bytes"),
        (bytes([0, 0, 8, 1]) + struct.pack(">I", 9) + b"123", r"the header promises shape \(9,\), but 3 bytes follow"),
    ],
)
def test_a_damaged_idx_file_has_its_sentence(tmp_path, content, sentence):
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        data.read_idx(path)


def test_fashion_mnist_is_read_as_frames_of_one_channel(tmp_path):
    held = sets(tmp_path)
    test = data.fashion_mnist("test", tmp_path)
    np.testing.assert_array_equal(test.x[:, 0], held["t10k"][0])
    np.testing.assert_array_equal(test.y, held["t10k"][1])
    assert test.x.dtype == np.uint8
    assert len(data.fashion_mnist("train", tmp_path).x) == 14
    with pytest.raises(InputError, match="has no split 'all'; choose test or train"):
        data.fashion_mnist("all", tmp_path)


def test_the_command_writes_a_set_and_says_where_to_get_one_that_is_missing(tmp_path, capsys):
    sets(tmp_path)
    goal = tmp_path / "out" / "test.npz"
    assert data.main(["fashion-mnist", "-o", str(goal), "--root", str(tmp_path), "--limit", "3"]) == 0
    assert data.load(goal).x.shape == (3, 1, 28, 28)
    assert "x uint8 (3, 1, 28, 28), y 3 labels" in capsys.readouterr().out
    assert data.main(["fashion-mnist", "-o", str(goal), "--root", str(tmp_path / "none")]) == 2
    assert "install it with `apt install dataset-fashion-mnist`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "b"], "a, b"),
        (["f", "e", "d", "c", "b", "a", "g"], "a, b, c, d, e and 2 more"),
        (
            ["net/archive_format", "net/b", "net/c", "net/d", "net/e", "net/f"],
            "net/archive_format, net/b, net/c, net/d, net/e and 1 more: it looks like a network, not like data",
        ),
        (["base.npy", "manifest.json"], "base, manifest.json: it looks like a program, not like data"),
    ],
)
def test_an_archive_without_frames_is_named_and_its_names_are_few(tmp_path, names, said):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            content = io.BytesIO()
            np.save(content, np.zeros(1))
            archive.writestr(name, content.getvalue() if name.endswith(".npy") else b"text")
    with pytest.raises(InputError) as caught:
        data.load(path)
    assert str(caught.value) == (
        f"{path}: wanted an array x (frames first), found {said}; save with numpy.savez(path, x=frames, y=labels)."
    )
