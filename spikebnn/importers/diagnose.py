"""Says in one sentence what a file is that we do not read, and how to make one that we do.

A pickle is looked at, never loaded: its opcodes are listed (pickletools), nothing is built.
"""

from __future__ import annotations

import io
import os
import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path

from spikebnn.importers.archive import DAMAGE, is_export

HOW = (
    "write one with `spikebnn export mod.py:Net --weights sd.pt --input 1,28,28 -o net.pt`"
    " or spikebnn.save(model, example_input, 'net.pt')"
)
_MOST_PICKLE = 16 << 20  # bytes
_MOST_OPS = 2_000_000
_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch's magic number, pickled
_HARMLESS = ("collections", "torch._utils", "torch.storage", "torch.serialization", "numpy", "_codecs", "builtins",
             "torch.nn.parameter", "__builtin__")  # fmt: skip
_CHECKPOINT = {"state_dict", "model_state_dict", "optimizer", "optimizer_state_dict", "epoch", "param_groups"}


@dataclass(frozen=True, slots=True)
class Pickle:
    """What a pickle mentions."""

    classes: tuple[str, ...]  # every class or function it would import
    weights: tuple[str, ...]  # texts that look like a tensor's name: "fc1.weight"
    texts: frozenset[str]


def look(data: bytes) -> Pickle:
    """List the classes and names a pickle mentions, without building anything; many in a row are fine."""
    stream = io.BytesIO(data[:_MOST_PICKLE])
    classes: dict[str, None] = {}
    names: dict[str, None] = {}
    texts: list[str] = []
    count = 0
    try:
        while stream.tell() < len(data) and count < _MOST_OPS:
            for op, arg, _ in pickletools.genops(stream):
                count += 1
                if count >= _MOST_OPS:
                    break
                if op.name in ("GLOBAL", "INST"):
                    classes[str(arg).replace(" ", ".")] = None
                elif op.name == "STACK_GLOBAL" and len(texts) > 1:
                    classes[f"{texts[-2]}.{texts[-1]}"] = None
                elif isinstance(arg, str) and len(arg) < 200:
                    texts.append(arg)
                    if arg.endswith((".weight", ".bias", ".running_mean")) or arg in ("weight", "bias"):
                        names[arg] = None
    except DAMAGE:  # the end of a legacy file is raw tensor bytes, not a pickle
        pass
    return Pickle(tuple(classes), tuple(names), frozenset(texts))


def _says(found: Pickle) -> str:
    """The middle of the sentence for a torch.save file."""
    own = [c for c in found.classes if not c.startswith(_HARMLESS) and not c.endswith("Storage") and c not in (
        "torch.device", "torch.Size", "torch.float32", "torch.dtype")]  # fmt: skip
    modules = [c for c in own if ".nn." in c or c.rsplit(".", 1)[-1][:1].isupper()] or own
    if modules:
        return (
            f"a pickled model (it would import {', '.join(modules[:3])}{' ...' if len(modules) > 3 else ''}),"
            " and opening it would run whatever code it names"
        )
    if found.texts & _CHECKPOINT:
        return f"a training checkpoint with {len(found.weights)} weights, which does not say how the network computes"
    some = f" such as '{found.weights[0]}'" if found.weights else ""
    return f"a state_dict with {len(found.weights)} weights{some}, which does not say how the network computes"


def _zip_kind(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        ends = {"/" + n for n in names}
        pickles = [n for n in names if ("/" + n).endswith("/data.pkl")]
        if any("/code/" in n for n in ends) and (pickles or any(n.endswith("/constants.pkl") for n in ends)):
            return "a TorchScript file, a format that PyTorch has retired"
        if pickles:
            info = archive.getinfo(pickles[0])
            with archive.open(info) as member:
                return _says(look(member.read(_MOST_PICKLE)))
        if {"/config.json", "/model.weights.h5"} <= ends:
            return "a Keras model, which is not read yet (rebuild it as a torch module)"
        if any(n.endswith(".npy") for n in names):
            return "a NumPy archive of arrays, data rather than a network"
        if any(n.endswith("serialized_exported_program.json") for n in names):
            return "an archive of torch.export older than 2.9 (export it again with a newer PyTorch)"
        if is_export(names):
            return "a torch.export archive"
        return f"a zip archive of {len(names)} members, none of which is an exported graph"


def _other_kind(file: Path, head: bytes) -> str:
    if head.startswith(_LEGACY) or (head[:1] == b"\x80" and len(head) > 1 and 2 <= head[1] <= 5):
        with file.open("rb") as stream:
            return _says(look(stream.read(_MOST_PICKLE)))
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "an HDF5 file (Keras weights, or a NIR graph), which is not read"
    if head.startswith(b"\x93NUMPY"):
        return "a NumPy array, data rather than a network"
    if head[:4] == b"GGUF" or (len(head) > 9 and head[8:9] == b"{" and b'"dtype"' in head):
        return "a file of weights alone (GGUF or safetensors), which does not say how the network computes"
    if len(head) > 2 and head[0] == 0x08 and head[1] < 0x20 and head[2] in (0x12, 0x1A, 0x3A, 0x42):
        return "an ONNX model, which is not read yet (take the torch module it came from)"
    try:
        text = head.decode("utf-8")
        if text.isprintable() or set(text) & set("\n\r\t"):
            first = (text.strip().splitlines() or [""])[0][:40]
            return f"a text file that begins with {first!r}, not a network"
    except UnicodeDecodeError:
        pass
    return f"a file of {os.path.getsize(file)} bytes in a format that is not known (it begins with {head[:8].hex()})"


def diagnose(file: Path) -> str:
    """One sentence: what `file` is, and what to do."""
    if not file.exists():
        return f"there is no file '{file}'; {HOW}"
    if file.is_dir():
        return f"'{file}' is a directory; a torch.export archive is wanted: {HOW}"
    if not file.is_file():
        return f"'{file}' is not a regular file; a torch.export archive is wanted: {HOW}"
    try:
        return f"'{file}' is {kind(file)}; spikebnn reads torch.export archives: {HOW}"
    except PermissionError:
        return f"'{file}' cannot be read: permission denied"


def kind(file: Path) -> str:
    """What a regular file is, in words that follow "is"; nothing in it is executed."""
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
        if not head:
            return "empty"
        elif head[:4] == b"PK\x03\x04" or zipfile.is_zipfile(file):
            return _zip_kind(file)
        return _other_kind(file, head)
    except PermissionError:
        raise
    except DAMAGE as error:
        return f"a damaged zip archive ({' '.join(str(error).split())[:100]})"
