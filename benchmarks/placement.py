"""How far the packets of a frame travel when cores lie in raster order, along a Hilbert curve, or where annealing puts them.

    python benchmarks/placement.py [--net lfc|cnv] [--target NAME] [--frames N] [--split WAY] [--json]

The nets are 784-1024-1024-1024-10, all dense, and a convolutional one of 64-64-128-128-256-256 channels (3x3, two
poolings) and 512-512-10 on 32x32x3, with random weights of ±1 and batch norms that have seen random frames. Packets
are counted on as many frames as asked for (`measured`), and once more reckoned without data (`assumed`): the last
row says what a placement by assumed packets saves on the measured ones. Times are CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import spikebnn.nn as bnn  # noqa: E402
from spikebnn import simulate  # noqa: E402
from spikebnn.emit import emit  # noqa: E402
from spikebnn.fold import fold  # noqa: E402
from spikebnn.importers import from_module  # noqa: E402
from spikebnn.partition import split  # noqa: E402
from spikebnn.place import PLACERS, assumed, check_placement, measured, place  # noqa: E402
from spikebnn.recipe import Recipe  # noqa: E402
from spikebnn.targets import load_target  # noqa: E402

TARGETS = ("loihi-sim", "truenorth-sim")


def lfc() -> tuple[nn.Sequential, tuple[int, ...]]:
    """The dense net."""
    layers: list[nn.Module] = [bnn.Sign()]
    for inputs, outputs in ((784, 1024), (1024, 1024), (1024, 1024)):
        layers += [bnn.BinLinear(inputs, outputs), nn.BatchNorm1d(outputs), bnn.Sign()]
    return nn.Sequential(*layers, bnn.BinLinear(1024, 10)), (784,)


def cnv() -> tuple[nn.Sequential, tuple[int, ...]]:
    """The convolutional net; without padding its planes are 30, 28, 14, 12, 10, 5, 3 and 1 pixels wide."""
    layers: list[nn.Module] = [bnn.Sign()]
    inputs = 3
    for number, outputs in enumerate((64, 64, 128, 128, 256, 256)):
        layers.append(bnn.BinConv2d(inputs, outputs, 3))
        if number in (1, 3):
            layers.append(nn.MaxPool2d(2))
        layers += [nn.BatchNorm2d(outputs), bnn.Sign()]
        inputs = outputs
    layers.append(nn.Flatten())
    for inputs, outputs in ((256, 512), (512, 512)):
        layers += [bnn.BinLinear(inputs, outputs), nn.BatchNorm1d(outputs), bnn.Sign()]
    return nn.Sequential(*layers, bnn.BinLinear(512, 10)), (3, 32, 32)


NETS = {"lfc": lfc, "cnv": cnv}


def measure(net: str, target_name: str, frames: int, way: str) -> dict[str, Any]:
    """Hops, crossings and times of every placer for one net on one target."""
    torch.manual_seed(0)
    model, shape = NETS[net]()
    x = torch.randn(64, *shape)
    model.train()(x)
    bnn.freeze(model.eval())
    folded, target = fold(from_module(model, x[:2])), load_target(target_name)
    began = time.process_time()
    partition = split(folded, target, Recipe(split=way))
    row: dict[str, Any] = {"net": net, "target": target_name, "cores": len(partition.shards),
                           "split": dict(partition.price).get("method"), "partition_s": time.process_time() - began,
                           "frames": frames, "placers": {}}  # fmt: skip
    anywhere = place(partition, target, Recipe(place="hilbert"))
    run = simulate.run(emit(folded, partition, anywhere, target, Recipe()), x[:frames].numpy())
    load = measured(run.counts.neuron_spikes, frames)
    for method in PLACERS:
        began = time.process_time()
        placement = place(partition, target, Recipe(place=method), load)
        took = time.process_time() - began
        check_placement(placement, partition, target)
        row["placers"][method] = {**placement.price, "cpu_s": took}
    blind = place(partition, target, Recipe(place="anneal"), assumed(partition))
    row["placers"]["anneal, assumed"] = {**_priced(blind.place, partition, load, target), "cpu_s": None}
    return row


def _priced(spots: Any, partition: Any, load: Any, target: Any) -> dict[str, Any]:
    """Hops, crossings and their weighed sum of the measured packets on a placement that was made for others."""
    from spikebnn.place.flow import packets_of
    from spikebnn.place.mesh import UNIT, weights_of
    from spikebnn.place.walk import walked

    source, goal = (partition.routes[:, k].astype(np.int64) for k in (0, 2))
    x, y, crossings = walked(target.topology, spots, source, goal, packets_of(partition, load))
    w = weights_of(target)
    return {"hops": x + y, "crossings": crossings, "weighed": (w.x * x + w.y * y + w.crossing * crossings) / UNIT}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=[*NETS], action="append")
    parser.add_argument("--target", action="append")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--split", default="auto", help="as in `spikebnn map` (default: auto)")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    for net in chosen.net or NETS:
        for target in chosen.target or TARGETS:
            row = measure(net, target, chosen.frames, chosen.split)
            if chosen.json:
                print(json.dumps(row), flush=True)
                continue
            print(f"\n{net} on {target}: {row['cores']} cores, split {row['split']}, packets of {row['frames']} frames")
            print(f"  {'placer':16s}{'hops/frame':>16s}{'crossings':>12s}{'weighed':>16s}{'below raster':>14s}{'CPU s':>8s}")
            base = row["placers"]["raster"]
            for method, p in row["placers"].items():
                saved = 1 - p["weighed"] / base["weighed"] if base["weighed"] else 0.0
                took = f"{p['cpu_s']:8.2f}" if p["cpu_s"] is not None else ""
                traffic = f"{p['hops']:16,.0f}{p['crossings']:12,.0f}{p['weighed']:16,.0f}"
                print(f"  {method:16s}{traffic}{saved:13.1%} {took}", flush=True)


if __name__ == "__main__":
    main()
