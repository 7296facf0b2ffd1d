"""The program file: the same bytes everywhere, whole or not at all, and every damage found."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from spikebnn import sbnn
from spikebnn.errors import InputError
from spikebnn.network import Network, Node, Ref
from spikebnn.program import Program
from spikebnn.simulate.conformance import vectors
from spikebnn.threshold import Encoder
from tests.strategies_program import program_any, program_layered


def equal(a: Any, b: Any) -> bool:
    """Deep equality of frozen types, arrays by dtype, shape and value."""
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
        )
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, dict | MappingProxyType):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


def graph() -> Network:
    """A network with every kind of argument, tensor and shape."""
    tensors: dict[str, Any] = {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "half": np.array([0.5, np.inf], np.float16),
        "scalar": np.array(7, np.int64),
        "none": np.zeros((0, 4), np.uint8),
        "flags": np.array([True, False]),
    }
    node = Node(
        op="aten.linear.default",
        args=(Ref("x"), Ref("w"), None, (1, 2.5, True), float("-inf"), "mode", -0.0),
        kwargs=MappingProxyType({"alpha": 1, "eps": float("inf"), "name": Ref("half")}),
        outs=("y", "z"),
        where="features.3",
    )
    return Network(
        nodes=(node,),
        tensors=MappingProxyType(tensors),
        inputs=("x",),
        outputs=("y",),
        shapes=MappingProxyType({"x": (None, 3), "w": (2, 3)}),
        digest="abc",
        origin="by hand",
        example=MappingProxyType({"values": (-1.0, 1.0)}),
    )


def rich() -> Program:
    """A program that uses every field, with a graph at either end."""
    program = next(v.program for v in vectors() if v.name == "burst-counting")
    encoder = Encoder(
        kind="host",
        shape=(3,),
        dtype="float32",
        low=-1.0,
        high=float("inf"),
        levels=2,
        graph=graph(),
        cuts=((0.5, float("inf")), ()),
        allowed=((-1.0, 1.0), ()),
    )
    decoder = replace(program.decoder, bias=np.array([0.25], np.float32), tail=graph(), tolerance=1e-6)
    header = MappingProxyType({"recipe": MappingProxyType({"seed": 0}), "costs": (1, 2.5, None), "ü": "µJ"})
    return replace(program, encoder=encoder, decoder=decoder, header=header)


def test_a_program_comes_back_as_it_was_with_its_graphs_and_header(tmp_path: Path) -> None:
    program = rich()
    sbnn.save(program, tmp_path / "net.sbnn")
    assert equal(sbnn.load(tmp_path / "net.sbnn"), program)


@settings(max_examples=60, deadline=None)
@given(program=program_any() | program_layered(max_size=10))
def test_any_program_comes_back_as_it_was(program: Program, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "net.sbnn"
    sbnn.save(program, path)
    again = sbnn.load(path)
    assert equal(replace(again, header={}), replace(program, header={}))
    assert dict(again.header) == dict(program.header)
    assert sbnn.digest(again) == sbnn.digest(program)


def test_loaded_arrays_are_read_only(tmp_path: Path) -> None:
    sbnn.save(rich(), tmp_path / "net.sbnn")
    program = sbnn.load(tmp_path / "net.sbnn")
    for array in (
        program.routes,
        program.cores[0].threshold,
        program.cores[0].planes[0].bits,
        program.decoder.alpha,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


def test_the_bytes_of_a_program_are_pinned(tmp_path: Path) -> None:
    """A change of these digests is a change of the format: raise VERSION, or find out what happened."""
    found = {}
    for name in ("burst-counting", "planes-add"):
        path = tmp_path / f"{name}.sbnn"
        sbnn.save(next(v.program for v in vectors() if v.name == name), path)
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert found == PINNED


PINNED = {"burst-counting": "13ebb697c4b154fb", "planes-add": "6387c11c0cc8708f"}


def test_saving_twice_gives_the_same_bytes_and_the_digest_is_the_comment(tmp_path: Path) -> None:
    program = rich()
    sbnn.save(program, tmp_path / "a.sbnn")
    sbnn.save(sbnn.load(tmp_path / "a.sbnn"), tmp_path / "b.sbnn")
    assert (tmp_path / "a.sbnn").read_bytes() == (tmp_path / "b.sbnn").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.sbnn") as archive:
        assert archive.comment.decode() == sbnn.digest(program)
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_any_change_of_a_program_changes_its_digest() -> None:
    program = rich()
    changed = [
        replace(program, period=7),
        replace(program, target="other"),
        replace(program, header={}),
        replace(program, base=program.base + np.int32(1)),
        replace(program, cores=program.cores[::-1]),
        replace(program, encoder=replace(program.encoder, high=1.0)),
    ]
    assert len({sbnn.digest(one) for one in [program, *changed]}) == 7


def test_equal_planes_are_stored_once(tmp_path: Path) -> None:
    program = next(v.program for v in vectors() if v.name == "planes-add")
    sbnn.save(program, tmp_path / "one.sbnn")
    sbnn.save(replace(program, cores=program.cores * 100), tmp_path / "many.sbnn")
    with zipfile.ZipFile(tmp_path / "one.sbnn") as one, zipfile.ZipFile(tmp_path / "many.sbnn") as many:
        assert one.getinfo("bits.npy").file_size == many.getinfo("bits.npy").file_size
        assert one.getinfo("scale.npy").file_size == many.getinfo("scale.npy").file_size


def test_members_are_plain_npy_files_that_numpy_reads(tmp_path: Path) -> None:
    sbnn.save(rich(), tmp_path / "net.sbnn")
    with np.load(tmp_path / "net.sbnn", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["threshold"], [1, 52])


@pytest.mark.parametrize(
    ("program", "step"), [(vectors()[0].program, 1), (rich(), 13)], ids=["small", "rich"]
)
def test_every_flipped_byte_is_found_or_harmless(tmp_path: Path, program: Program, step: int) -> None:
    path = tmp_path / "net.sbnn"
    sbnn.save(program, path)
    data = path.read_bytes()
    generator = random.Random(7)
    found = 0
    places = range(0, len(data), step)
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            again = sbnn.load(path)
        except InputError as why:
            found += 1
            assert str(path) in str(why)
            assert "\n" not in str(why)
        else:
            assert equal(replace(again, header={}), replace(program, header={})), place
    assert found > 0.85 * len(places)


def test_every_shortened_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "net.sbnn"
    sbnn.save(rich(), path)
    data = path.read_bytes()
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match="is not a spikebnn program, or it is damaged"):
            sbnn.load(path)


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> None:
    """The file again after `change(manifest, members)`, with every checksum made right."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(manifest, members)
    for name, entry in manifest.get("arrays", {}).items():
        entry["sha256"] = hashlib.sha256(members[f"{name}.npy"]).hexdigest()
    text = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", text)
        for name in sorted(members):
            archive.writestr(name, members[name])
        archive.comment = hashlib.sha256(text).hexdigest().encode()


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def test_a_file_that_lies_with_right_checksums_is_found(tmp_path: Path) -> None:
    def routes_of_wrong_shape(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        members["routes.npy"] = npy(np.zeros((2, 4), np.int32))
        manifest["arrays"]["routes"]["shape"] = [2, 4]

    def plane_past_the_end(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        planes = np.load(io.BytesIO(members["planes.npy"])).copy()
        planes[0, 4] = 10**9
        members["planes.npy"] = npy(planes)

    def core_that_is_not_there(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        planes = np.load(io.BytesIO(members["planes.npy"])).copy()
        planes[0, 0] = -1
        members["planes.npy"] = npy(planes)

    def missing_array(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        del manifest["arrays"]["base"], members["base.npy"]

    def missing_field(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        del manifest["program"]["encoder"]

    def route_to_nowhere(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        routes = np.load(io.BytesIO(members["routes.npy"])).copy()
        routes[0, 3] = 99
        members["routes.npy"] = npy(routes)

    for change in (
        routes_of_wrong_shape,
        plane_past_the_end,
        core_that_is_not_there,
        missing_array,
        missing_field,
        route_to_nowhere,
    ):
        path = tmp_path / "net.sbnn"
        sbnn.save(rich(), path)
        rewritten(path, change)
        with pytest.raises(
            InputError, match=r"the program file .*net\.sbnn is damaged: .*; map the network again$"
        ):
            sbnn.load(path)


def test_a_pickle_inside_is_never_opened(tmp_path: Path) -> None:
    def pickled(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        out = io.BytesIO()
        np.save(out, np.array([{"boom": 1}], object), allow_pickle=True)
        members["base.npy"] = out.getvalue()

    path = tmp_path / "net.sbnn"
    sbnn.save(rich(), path)
    rewritten(path, pickled)
    with pytest.raises(InputError, match="is damaged"):
        sbnn.load(path)


def test_a_newer_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "net.sbnn"
    sbnn.save(rich(), path)
    rewritten(path, lambda manifest, members: manifest.update(version=3))
    wanted = r"has program format 3, and this spikebnn reads formats up to 2; install a newer spikebnn"
    with pytest.raises(InputError, match=wanted):
        sbnn.load(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"PK\x05\x06" + bytes(18), struct.pack("<I", 0x04034B50) * 9],
    ids=["empty", "text", "empty-zip", "noise"],
)
def test_a_foreign_file_has_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.sbnn"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"net\.sbnn is not a spikebnn program, or it is damaged"):
        sbnn.load(path)


def test_another_zip_has_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    with pytest.raises(InputError, match="is not a spikebnn program"):
        sbnn.load(path)


def test_a_missing_file_has_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"the program file .*gone\.sbnn cannot be read: No such file or directory$"
    ):
        sbnn.load(tmp_path / "gone.sbnn")


def test_a_directory_is_not_a_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="that is a directory"):
        sbnn.save(rich(), tmp_path)
    with pytest.raises(InputError, match=r"cannot be written: No such file or directory$"):
        sbnn.save(rich(), tmp_path / "no" / "net.sbnn")


@pytest.mark.parametrize(
    "trouble", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"]
)
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
) -> None:
    path = tmp_path / "net.sbnn"
    sbnn.save(rich(), path)
    before = path.read_bytes()

    def fail(handle: int) -> None:
        raise trouble

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((InputError, KeyboardInterrupt)) as caught:
        sbnn.save(replace(rich(), period=9), path)
    if isinstance(trouble, OSError):
        assert str(caught.value) == f"the program file {path} cannot be written: No space left on device"
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.sbnn"]


def test_a_link_keeps_pointing_at_the_file_it_named(tmp_path: Path) -> None:
    goal, link = tmp_path / "goal.sbnn", tmp_path / "link.sbnn"
    goal.write_bytes(b"old")
    link.symlink_to(goal)
    sbnn.save(rich(), link)
    assert link.is_symlink()
    assert equal(sbnn.load(goal), rich())


def test_what_cannot_be_stored_is_our_mistake_and_says_so() -> None:
    with pytest.raises(ValueError, match="a set cannot be stored in a program file"):
        sbnn.digest(replace(rich(), header={"x": {1, 2}}))


def test_a_device_is_never_replaced_by_a_program(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="that is no ordinary file$"):
        sbnn.save(rich(), pipe)
    assert not pipe.is_file()
