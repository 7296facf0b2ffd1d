"""Frames for training, cut and encoded by the very code that the stream runs, so that both see the same bits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.data import Frames
from spikebnn.errors import InputError
from spikebnn.faults import Faults
from spikebnn.stream.parts import coding
from spikebnn.stream.pipeline import Feed, settle
from spikebnn.stream.plan import Scenario
from spikebnn.stream.scenario import load_scenario, scenario_of
from spikebnn.stream.sources import open_source


def training_frames(scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any]) -> Frames:
    """Every good window of a scenario's source: x (windows, rows, width), encoded, and y where all of them are labelled.

    A scenario may also be a table of the form of its file, with paths from here: {"source": {"file": "rec.csv", "labels":
    "activity"}, "window": {"rows": "2s"}}. The network need not be named, nor be there yet. Windows with a bad row are left
    out, as the stream would miss them. Labels become numbers: their place among the scenario's classes, or else the number
    that they are written as.
    """
    if isinstance(scenario, Mapping):
        plan = scenario_of(scenario, where="the training data", network=False)
    else:
        plan = scenario if isinstance(scenario, Scenario) else load_scenario(scenario, network=False)
    source = open_source(plan.source)
    if plan.rows is None:
        raise InputError("say how long a window is; without a network nothing tells")
    encoder, rate = coding(plan, source)
    feed = Feed(
        plan,
        source,
        encoder,
        settle(plan, source, encoder, rate, 0),
        Faults(rates=plan.faults, seed=plan.seed),
    )
    x, y = [], []
    for windows in feed.batches():
        x.append(windows.values[~windows.bad])
        y += [label for label, bad in zip(windows.labels, windows.bad.tolist()) if not bad]
    if not x:
        raise InputError(f"{source.name}: there is no whole window in it")
    return Frames(x=np.concatenate(x), y=None if None in y else _numbers(y, plan.classes))


def _numbers(labels: list[str | None], classes: tuple[str, ...]) -> Array:
    """The labels as class numbers."""
    told = [str(label) for label in labels]
    places = {name: k for k, name in enumerate(classes)}
    try:
        return np.array([places[text] if text in places else int(float(text)) for text in told], np.int64)
    except ValueError:
        stranger = next(text for text in told if text not in places and not text.replace(".", "").isdigit())
        raise InputError(
            f"a row is labelled {stranger!r}, which is none of the classes; name the classes in order"
        ) from None
