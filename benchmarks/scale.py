"""How long `spikebnn.map` takes, with all its checks, as networks grow until they fill a chip, and how much memory.

    python benchmarks/scale.py [--plot scale.html] [--json] [--only truenorth-sim]

Two kinds of network grow over four sizes each: grouped layers for crossbars, whose 128 inputs per neuron need no split, up
to 4,096 cores with a million neurons; and a plain convolutional network for synapse lists, up to 128 cores. Every size is
mapped in a process of its own, on one thread; seconds are CPU time, memory is the largest that the process had, imports
and the making of the network included. The exponent is the slope of log(seconds) over log(neurons on cores); what grows
as n log n has about 1.1 here. The plot needs plotly.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402

import spikebnn  # noqa: E402
from spikebnn.network import Network, Node, Ref  # noqa: E402

SIZES = {"truenorth-sim": (1, 2, 4, 8), "loihi-sim": (16, 22, 31, 44)}


@dataclass
class Writer:
    """A network written node by node, as an export would be, with random weights of -1 and +1."""

    shape: tuple[int, ...]
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    shapes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    at: str = "x"

    def __post_init__(self) -> None:
        self.shapes["x"] = (None, *self.shape)

    def const(self, array: Any) -> Ref:
        """A constant of the network."""
        name = f"c{len(self.tensors)}"
        self.tensors[name] = np.asarray(array)
        return Ref(name)

    def node(self, op: str, *args: Any, shape: tuple[int, ...] | None = None) -> Ref:
        """One more operation, which becomes the current value."""
        self.at = f"v{len(self.nodes)}"
        self.shape = shape or self.shape
        self.nodes.append(Node(op=f"aten.{op}", args=args, outs=(self.at,), where=self.at))
        self.shapes[self.at] = (None, *self.shape)
        return Ref(self.at)

    def weight(self, *shape: int) -> Ref:
        """Weights of -1 and +1."""
        return self.const(np.where(self.rng.random(shape) < 0.5, -1, 1).astype(np.float32))

    def conv(self, out: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1) -> None:
        """A convolution, a bias per channel and a sign."""
        channels, *size = self.shape
        grown = tuple((n + 2 * padding - kernel) // stride + 1 for n in size)
        weight = self.weight(out, channels // groups, kernel, kernel)
        self.node("conv2d.default", Ref(self.at), weight, None, (stride,) * 2, (padding,) * 2, (1, 1), groups,
                  shape=(out, *grown))  # fmt: skip
        shift = self.const((self.rng.integers(-3, 4, (out, 1, 1)) + 0.5).astype(np.float32))
        fires = self.node("ge.Scalar", self.node("add.Tensor", Ref(self.at), shift), 0.0)
        self.node("where.self", fires, self.const(np.float32(1)), self.const(np.float32(-1)))

    def shuffle(self, groups: int) -> None:
        """Deal the channels of every group to all groups."""
        channels, high, wide = self.shape
        self.node("view.default", Ref(self.at), (-1, groups, channels // groups, high, wide),
                  shape=(groups, channels // groups, high, wide))  # fmt: skip
        self.node("permute.default", Ref(self.at), (0, 2, 1, 3, 4), shape=(channels // groups, groups, high, wide))
        self.node("view.default", Ref(self.at), (-1, channels, high, wide), shape=(channels, high, wide))

    def done(self) -> Network:
        """The network whose output is the current value."""
        return Network(nodes=tuple(self.nodes), tensors=self.tensors, inputs=("x",), outputs=(self.at,), shapes=self.shapes,
                       example={"values": [-1.0, 1.0]})  # fmt: skip


def grouped(groups: int, layers: int = 8, side: int = 8, classes: int = 16) -> Network:
    """Layers of 1 x 1 convolutions from 128 to 128 channels a group, channels shuffled between them; voters at the end."""
    w = Writer((128 * groups, side, side))
    for k in range(layers):
        if k and groups > 1:
            w.shuffle(groups)
        w.conv(128 * groups, 1, groups=groups)
    each = math.prod(w.shape) // classes
    w.node("view.default", Ref(w.at), (-1, classes, each), shape=(classes, each))
    w.node("sum.dim_IntList", Ref(w.at), (2,), shape=(classes,))
    return w.done()


def convolutional(side: int) -> Network:
    """3 x 3 convolutions with 16, 32 and, at half the resolution, 64 channels, and a dense readout of ten sums."""
    w = Writer((3, side, side))
    w.conv(16, 3, padding=1)
    w.conv(32, 3, padding=1)
    w.conv(64, 3, stride=2, padding=1)
    wide = math.prod(w.shape)
    w.node("view.default", Ref(w.at), (-1, wide), shape=(wide,))
    w.node("linear.default", Ref(w.at), w.weight(10, wide), None, shape=(10,))
    return w.done()


def measure(target: str, size: int) -> dict[str, Any]:
    """One row of the table, measured in this process."""
    network = grouped(size) if target == "truenorth-sim" else convolutional(size)
    wall, cpu = time.perf_counter(), time.process_time()
    program = spikebnn.map(network, target)
    seconds, waited = time.process_time() - cpu, time.perf_counter() - wall
    least = program.header["lower_bound_cores"]
    return {
        "target": target, "size": size, "cores": len(program.cores), "neurons": program.first[-1],
        "routes": len(program.routes), "bound": least, "seconds": seconds, "wall_seconds": waited,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }  # fmt: skip


def exponent(rows: list[dict[str, Any]]) -> float:
    """The slope of log(seconds) over log(neurons)."""
    x, y = (np.log([row[name] for row in rows]) for name in ("neurons", "seconds"))
    return float(np.polyfit(x, y, 1)[0])


def plot(rows: list[dict[str, Any]], path: str) -> None:
    """Seconds over neurons, both logarithmic, with n log n through the smallest size; one HTML page."""
    import plotly.graph_objects as go  # type: ignore[import-untyped]

    figure = go.Figure()
    for target in dict.fromkeys(row["target"] for row in rows):
        mine = [row for row in rows if row["target"] == target]
        x = [row["neurons"] for row in mine]
        name = f"{target}: exponent {exponent(mine):.2f}"
        figure.add_scatter(x=x, y=[row["seconds"] for row in mine], name=name, mode="lines+markers")
        first = mine[0]["seconds"] / (x[0] * math.log(x[0]))
        figure.add_scatter(x=x, y=[first * n * math.log(n) for n in x], name=f"{target}: n log n", line={"dash": "dot"})
    figure.update_xaxes(type="log", title="neurons on cores")
    figure.update_yaxes(type="log", title="CPU seconds of spikebnn.map, all checks included")
    figure.write_html(path, include_plotlyjs=True)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for reading."""
    head = f"{'target':15}{'cores':>7}{'bound':>7}{'neurons':>11}{'routes':>11}{'CPU s':>8}{'wall s':>8}{'peak GiB':>10}"
    lines = [
        f"{row['target']:15}{row['cores']:7,}{row['bound']:7,}{row['neurons']:11,}{row['routes']:11,}"
        f"{row['seconds']:8.1f}{row['wall_seconds']:8.1f}{row['peak_bytes'] / 2**30:10.2f}"
        for row in rows
    ]
    lines.insert(0, head)
    for target in dict.fromkeys(row["target"] for row in rows):
        slope = exponent([row for row in rows if row["target"] == target])
        lines.append(f"{target}: seconds grow as neurons to the power {slope:.2f}")
    return "\n".join(lines)


def main() -> None:
    """Measure every size in a process of its own, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(SIZES), help="one target")
    parser.add_argument("--one", nargs=2, metavar=("TARGET", "SIZE"), help=argparse.SUPPRESS)
    parser.add_argument("--plot", metavar="FILE", help="write a plot as an HTML page (needs plotly)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    if chosen.one:
        json.dump(measure(chosen.one[0], int(chosen.one[1])), sys.stdout)
        return
    rows = []
    for target, sizes in SIZES.items():
        for size in sizes if chosen.only in (None, target) else ():
            command = [sys.executable, str(Path(__file__)), "--one", target, str(size)]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    if chosen.plot:
        plot(rows, chosen.plot)
    sys.stdout.write((json.dumps(rows, indent=1) if chosen.json else table(rows)) + "\n")


if __name__ == "__main__":
    main()
