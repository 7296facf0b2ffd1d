"""The options of a mapping, which `map` and `check` share: one option for every field of FoldOptions and Recipe."""

from __future__ import annotations

import argparse
from typing import Any

SPLITS = ("exact", "radix", "radix3", "window", "graded")  # names of spikebnn.split.KINDS, which a test compares
_INPUTS = ("auto", "signs", "bits", "uint8-planes", "uint8-thermometer", "uint8-burst")


def mapping_options(parser: argparse.ArgumentParser) -> None:
    """Add the network, the target, and all choices of fold and mapper."""
    parser.add_argument(
        "network", metavar="NET", help="net.pt: a torch.export archive (see: spikebnn export)"
    )
    parser.add_argument(
        "--target",
        "-t",
        required=True,
        metavar="NAME",
        help="a name from `spikebnn targets`, or your own .toml file",
    )
    fold = parser.add_argument_group("what the network means (nothing here is guessed)")
    fold.add_argument(
        "--host",
        choices=["auto", "none"],
        default="none",
        help="auto: real-valued first and last layers stay on the host, in NumPy (default: none)",
    )
    fold.add_argument(
        "--input", choices=_INPUTS, default="auto", help="how a frame becomes bits; auto asks the file (default: auto)"
    )
    fold.add_argument(
        "--levels",
        choices=["refuse", "expand"],
        default="refuse",
        help="expand: a k-level activation becomes k - 1 neurons (default: refuse)",
    )
    fold.add_argument(
        "--ternary",
        choices=["refuse", "expand"],
        default="refuse",
        help="expand: a reachable sign(0) = 0 becomes two neurons (default: refuse)",
    )
    fold.add_argument(
        "--sign0",
        choices=["+1", "-1"],
        help="let sign(0) be this number; this changes the network, and the report says so",
    )
    fold.add_argument(
        "--strict", action="store_true", help="refuse where the float network itself is decided by rounding"
    )
    place = parser.add_argument_group("how it lies on the cores")
    place.add_argument(
        "--split",
        choices=["auto", "none", *SPLITS],
        default="auto",
        help="how neurons wider than a core are added up; auto: the cheapest that loses nothing (default: auto)",
    )
    place.add_argument(
        "--window",
        type=int,
        default=32,
        metavar="TICKS",
        help="length of a partial count for --split window, which may change answers (default: 32)",
    )
    place.add_argument(
        "--readout",
        choices=["auto", "membrane", "thermometer", "burst"],
        default="auto",
        help="how the last sums leave the chip (default: auto)",
    )
    place.add_argument(
        "--place",
        choices=["anneal", "hilbert", "raster"],
        default="anneal",
        help="where cores lie on the grid: by the packets between them, or along an order (default: anneal)",
    )
    place.add_argument("--seed", type=int, default=0, help="for placers that draw (default: 0)")


def choices(chosen: argparse.Namespace) -> dict[str, Any]:
    """The keywords of `spikebnn.map` that were chosen on the command line."""
    from spikebnn.fold.options import FoldOptions
    from spikebnn.recipe import Recipe

    options = FoldOptions(
        input=chosen.input,
        host=chosen.host,
        levels=chosen.levels,
        ternary=chosen.ternary,
        sign0=int(chosen.sign0 or 0),
        strict=chosen.strict,
    )
    recipe = Recipe(split=chosen.split, window=chosen.window, readout=chosen.readout, place=chosen.place, seed=chosen.seed)
    return {"options": options, "recipe": recipe}
