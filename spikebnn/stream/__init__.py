"""Sensor streams: rows are cut into windows, decided one by one on a mapped network, and added up."""

from __future__ import annotations

from spikebnn.stream.decisions import Decision
from spikebnn.stream.plan import Scenario, SourcePlan
from spikebnn.stream.play import Batch, stream
from spikebnn.stream.report import StreamReport
from spikebnn.stream.scenario import load_scenario, scenario_names, scenario_of
from spikebnn.stream.training import training_frames

__all__ = ["Batch", "Decision", "Scenario", "SourcePlan", "StreamReport", "load_scenario", "scenario_names", "scenario_of",
           "stream", "training_frames"]  # fmt: skip
