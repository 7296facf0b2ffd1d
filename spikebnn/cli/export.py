"""Write net.pt, a torch.export archive, from a torch module in a Python file of yours.

  spikebnn export model.py:Net --weights weights.pt --input 1,28,28 -o net.pt

The Python file is executed, as `python model.py` would; the weights file is not. --input is the shape of one
frame, without the batch. In Python: spikebnn.save(model, example_input, "net.pt").
"""

from __future__ import annotations

import argparse
import contextlib
import sys

import spikebnn
from spikebnn.cli.screen import answer, busy, check_output

_DTYPES = ("float32", "float64", "uint8", "int8", "int64", "bool")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        "source", metavar="FILE.py:NAME", help="a torch module, its class, or a function that makes one"
    )
    parser.add_argument(
        "--input", required=True, type=_shape, metavar="SHAPE", help="shape of one frame: 1,28,28"
    )
    parser.add_argument(
        "-o", "--output", default="net.pt", metavar="FILE", help="archive to write (default: net.pt)"
    )
    parser.add_argument("--weights", metavar="FILE", help="a state_dict saved by torch.save")
    parser.add_argument("--dtype", default="float32", choices=_DTYPES, help="type of the input")
    parser.add_argument(
        "--values",
        type=_values,
        metavar="A,B",
        help="the two values that the input holds, such as -1,1 or 0,1",
    )


def execute(chosen: argparse.Namespace) -> int:
    """Export, and say what was written."""
    check_output(chosen.output, chosen.weights, chosen.source.rpartition(":")[0])
    note = None
    if chosen.weights is None:
        name = chosen.source.rpartition(":")[2]
        note = f"no --weights given; these are the weights that {name}() makes"
    with busy(chosen, f"exporting {chosen.source}"), contextlib.redirect_stdout(sys.stderr):  # what that file prints
        spikebnn.export(
            chosen.source,
            chosen.weights,
            chosen.input,
            chosen.output,
            values=chosen.values,
            dtype=chosen.dtype,
        )
    network = spikebnn.load_network(chosen.output)
    if note is not None and not chosen.quiet:
        print(f"spikebnn: note: {note}", file=sys.stderr)
    facts = {
        "file": chosen.output,
        "digest": network.digest,
        "nodes": len(network.nodes),
        "origin": network.origin,
        "note": note,
    }
    answer(
        chosen,
        f"{chosen.output}: {len(network.nodes)} operations, {network.origin}, sha256 {network.digest[:16]}",
        facts,
    )
    return 0


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a shape such as 1,28,28")
    return shape


def _values(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as -1,1") from None
