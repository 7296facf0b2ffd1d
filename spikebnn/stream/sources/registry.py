"""The registry of sources: by the ending of a file's name, or by name."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from pathlib import PurePath

from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan
from spikebnn.stream.sources.block import Source
from spikebnn.stream.sources.many import FOLDER, Labelled, Many

GROUP = "spikebnn.sources"  # entry points: name = "package.module:maker", the maker takes a SourcePlan

# name -> "package.module:maker", as in an entry point
SOURCES = {
    "npz": "spikebnn.stream.sources.arrays:Arrays",
    "synthetic": "spikebnn.stream.sources.arrays:Endless",
    "csv": "spikebnn.stream.sources.csvfile:CsvFile",
    "lines": "spikebnn.stream.sources.live:Lines",
    "wav": "spikebnn.stream.sources.wav:Wav",
    "edf": "spikebnn.stream.sources.edf:Edf",
    "aedat": "spikebnn.stream.sources.camera:Camera",
    "es": "spikebnn.stream.sources.camera:Camera",
    "saccade": "spikebnn.stream.sources.saccade:Saccade",
}
ENDINGS = {
    ".npz": "npz", ".npy": "npz", ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".wav": "wav", ".flac": "wav", ".ogg": "wav",
    ".aiff": "wav", ".aif": "wav", ".edf": "edf", ".bdf": "edf", ".aedat4": "aedat", ".es": "es",
}  # fmt: skip
OWN_LABELS = ("csv", "npz", "lines", "synthetic")  # kinds whose labels are columns


def known() -> dict[str, str]:
    """Every name with its "package.module:maker": ours, and those that other packages offer."""
    offered = importlib.metadata.entry_points(group=GROUP)
    return {**{entry.name: entry.value for entry in offered}, **SOURCES}


def kind_of(file: str) -> str | None:
    """The kind of source that a file's name tells; None where it tells none."""
    if file == "-" or file.startswith(("tcp://", "listen://")):
        return "lines"
    return ENDINGS.get(PurePath(file).suffix.lower())


def open_source(plan: SourcePlan) -> Source:
    """Open a source; raises InputError where it is missing, damaged or lacks what is named."""
    if plan.files:
        return Many(plan, open_source)
    kind = plan.kind or kind_of(plan.file) or ""
    if plan.duration is not None and kind == "npz":
        kind = "synthetic"
    makers = known()
    if kind not in makers:
        raise InputError(f"there is no kind of source {kind!r}; known are {', '.join(sorted(makers))}")
    module, _, maker = makers[kind].partition(":")
    try:
        build: Callable[[SourcePlan], Source] = getattr(importlib.import_module(module), maker)
    except (ImportError, AttributeError) as why:
        raise InputError(f"the source {kind} cannot be loaded: {why}; install what it needs") from why
    from dataclasses import replace

    beside = plan.labels if plan.labels == FOLDER or (plan.labels or "").endswith(".csv") else None
    own = replace(plan, kind=kind, labels=None if beside else plan.labels)
    if kind == "wav" and own.labels is not None:
        raise InputError(
            f'{plan.file}: audio has labels from its folder\'s name ("folder") or a .csv of marks, found {own.labels!r}'
        )
    source = build(own)
    return source if beside is None else Labelled(source, plan, beside)
