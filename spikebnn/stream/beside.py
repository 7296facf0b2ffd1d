"""What stands beside a stream's net: the decisions of a float32 net on the same windows, and int8 on microcontrollers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikebnn.arrays import Array
from spikebnn.baseline import baselines
from spikebnn.data import read_arrays
from spikebnn.errors import InputError
from spikebnn.interval import interval
from spikebnn.program import Program
from spikebnn.score.use import macs

ARRAYS = ("float32", "int8", "y", "macs", "parameters", "about")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beside:
    """The decisions of a float32 net and of its int8 form, as `spikebnn.nn.float32.save` wrote them."""

    path: str
    about: str  # the net, and the script that trained it
    macs: int  # multiply-accumulates per window
    parameters: int
    float32: Array  # (windows,), classes
    int8: Array  # (windows,)
    y: Array  # (windows,), the labels of the stream that they belong to

    def at(self, window: int, truth: int) -> tuple[int, int]:
        """Both decisions on a window of the stream; InputError where its label shows that it is another stream's."""
        if window >= len(self.y):
            raise InputError(
                f"{self.path} holds decisions on {len(self.y)} windows, and the stream has more; train the float32 net anew"
            )
        if int(self.y[window]) != truth:
            raise InputError(
                f"{self.path} belongs to other windows: there window {window} is of class {int(self.y[window])}, and in this "
                f"stream of class {truth}; train the float32 net anew"
            )
        return int(self.float32[window]), int(self.int8[window])


def load_beside(path: str) -> Beside:
    """Read such a file; an InputError where something is missing."""
    held = read_arrays(path)
    missing = [name for name in ARRAYS if name not in held]
    if missing:
        raise InputError(
            f"{path}: wanted the decisions of a float32 net, there is no {missing[0]}; spikebnn.nn.float32.save writes them"
        )
    shapes = {name: held[name].shape for name in ("float32", "int8", "y")}
    if len(set(shapes.values())) != 1 or len(shapes["y"]) != 1:
        raise InputError(f"{path}: wanted one decision and one label for each window, found {shapes}")
    return Beside(
        path=path, about=str(held["about"]), macs=int(held["macs"]), parameters=int(held["parameters"]),
        float32=held["float32"], int8=held["int8"], y=held["y"],
    )  # fmt: skip


def rivals(program: Program, beside: Beside | None, spacing: float) -> tuple[Mapping[str, Any], ...]:
    """What an int8 net costs on each microcontroller of the baselines, one decision every `spacing` seconds.

    The net is the one that stands beside, or one with as many multiply-accumulates as the program's own. Joules are those of
    the whole board while it runs; watts are that energy at the stream's rate, without what sleeping in between takes.
    """
    count = macs(program) if beside is None else beside.macs
    if not count:
        return ()
    net = "a net of its size in int8" if beside is None else "that net in int8"
    out = []
    for baseline in baselines():
        if baseline.kind == "microcontroller":
            joules = interval(baseline.mac) * float(count)
            power = joules * (1 / spacing)
            plain = {
                name: {"lo": i.lo, "v": i.v, "hi": i.hi} for name, i in (("energy", joules), ("power", power))
            }
            out.append(
                {
                    "name": baseline.name,
                    "title": baseline.title.removesuffix(", int8"),
                    "net": net,
                    "macs": count,
                    **plain,
                }
            )
    return tuple(out)
