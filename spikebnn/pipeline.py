"""The corridor on one screen: a trained network goes in, a program for one target comes out."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from spikebnn import simulate
from spikebnn.arrays import U8
from spikebnn.checks.program import check_emit
from spikebnn.emit import emit
from spikebnn.encode import encode
from spikebnn.errors import FitError, InputError
from spikebnn.fit import find_violations
from spikebnn.fold import FoldOptions, check_fold, fold
from spikebnn.importers import from_module, load_network
from spikebnn.network import Network
from spikebnn.partition import check_partition, split
from spikebnn.partition.types import Partition, Violation
from spikebnn.place import Load, check_placement, measured, place
from spikebnn.program import Program
from spikebnn.recipe import Recipe
from spikebnn.targets import load_target
from spikebnn.targets.target import Target
from spikebnn.threshold import Finding, ThresholdNetwork, execute

Source = str | Path | Network | Any
CALIBRATION_FRAMES = 100  # most frames that packets are counted on


def read(source: Source, example_input: Any = None) -> Network:
    """A network from a file, from a torch module with an example input (batch axis first), or as it is."""
    if isinstance(source, Network):
        return source
    if isinstance(source, (str, Path)):
        return load_network(source)
    if example_input is None:
        raise InputError("a torch module needs an example input: spikebnn.map(model, target, example_input=x[:2])")
    return from_module(source, example_input)


def thresholds(source: Source, options: FoldOptions | None = None, example_input: Any = None) -> ThresholdNetwork:
    """Import and fold: the integer thresholds of a network, checked against the network on random frames."""
    network = read(source, example_input)
    folded = fold(network, options)
    check_fold(network, folded)
    return folded


def check(
    source: Source,
    target: str | Path | Target,
    *,
    options: FoldOptions | None = None,
    recipe: Recipe | None = None,
    example_input: Any = None,
) -> tuple[Violation, ...]:
    """The fit check alone: every reason why the network does not fit the target, or an empty tuple."""
    chip = target if isinstance(target, Target) else load_target(target)
    return find_violations(thresholds(source, options, example_input), chip, recipe or Recipe())


def map(  # noqa: A001
    source: Source,
    target: str | Path | Target = "loihi-sim",
    *,
    options: FoldOptions | None = None,
    recipe: Recipe | None = None,
    example_input: Any = None,
    calibrate: np.ndarray[Any, Any] | None = None,
) -> Program:
    """Map a trained network onto a target; the program computes the same bits and the same scores.

    `source` is a path to an exported network, a `Network`, or a torch module with `example_input`; `target` is
    a name, a path to a TOML file, or a `Target`. `calibrate` are frames (frames, *input shape) on which the
    packets are counted that the placement shortens the ways of, and partial sums for the split "window", the only one
    that may change an answer; without them packets are assumed, and that split is refused. Raises
    ImportRefused where the network cannot be the same network, and FitError with every violation where it does not fit.
    """
    chip = target if isinstance(target, Target) else load_target(target)
    recipe = recipe or Recipe()
    folded = thresholds(source, options, example_input)
    seen = bits_seen(folded, np.asarray(calibrate)) if calibrate is not None and recipe.split == "window" else None
    try:
        partition = split(folded, chip, recipe, seen)
    except FitError as error:
        raise FitError(refusal(error.violations, chip), error.violations) from None
    check_partition(partition, folded, chip)
    load = None if calibrate is None else _calibration(folded, partition, chip, recipe, np.asarray(calibrate))
    placement = place(partition, chip, recipe, load)
    check_placement(placement, partition, chip)
    program = emit(folded, partition, placement, chip, recipe)
    check_emit(program, folded, chip, approximate=recipe.split == "window")
    return replace(program, header=MappingProxyType({**program.header, **_record(folded, chip, recipe)}))


def bits_seen(folded: ThresholdNetwork, x: np.ndarray[Any, Any]) -> U8:
    """All bits (frames, bits) of the network on the first frames of `x`; counts where inputs come in bursts."""
    if not x.ndim or not len(x):
        raise InputError(f"calibration needs frames on the first axis; an array of shape {x.shape} has none")
    lines = encode(folded.encoder, x[:CALIBRATION_FRAMES])
    bits: U8 = execute(folded, lines.sum(axis=1, dtype=np.uint8))[0]
    return bits


def _calibration(
    folded: ThresholdNetwork, partition: Partition, chip: Target, recipe: Recipe, x: np.ndarray[Any, Any]
) -> Load:
    """How often every neuron fires on the first frames of `x`, wherever it sits; its place changes no spike."""
    if not x.ndim or not len(x):
        raise InputError(f"calibration needs frames on the first axis; an array of shape {x.shape} has none")
    some = x[:CALIBRATION_FRAMES]
    anywhere = place(partition, chip, replace(recipe, place="hilbert"))
    run = simulate.run(emit(folded, partition, anywhere, chip, recipe), some)
    return measured(run.counts.neuron_spikes, len(some))


def refusal(violations: tuple[object, ...], chip: Target) -> str:
    """All violations in one message, one line each."""
    count = len(violations)
    head = f"the network does not fit {chip.name}: {count} violation{'s' if count > 1 else ''}"
    return "\n".join([head, *(f"  {getattr(violation, 'text', violation)}" for violation in violations)])


def _record(folded: ThresholdNetwork, chip: Target, recipe: Recipe) -> dict[str, Any]:
    """What the program's header says of its making: digests, choices, findings, versions."""
    from spikebnn import __version__

    return {
        "spikebnn": __version__,
        "network": folded.digest,
        "target": {"name": chip.name, "family": chip.family, "digest": chip.digest},
        "recipe": {name: getattr(recipe, name) for name in Recipe.__slots__},
        "options": dict(folded.meta.get("options", {})),
        "origin": str(folded.meta.get("origin", "")),
        "findings": [{name: getattr(f, name) for name in Finding.__slots__} for f in folded.findings],
    }


def data_digest(x: np.ndarray[Any, Any]) -> str:
    """sha256 over shape, type and bytes of an array."""
    head = f"{x.dtype.str}{x.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(x).tobytes()).hexdigest()


def machine() -> dict[str, str]:
    """Versions that stand in a certificate."""
    from spikebnn import __version__

    return {
        "spikebnn": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.machine(),
    }
