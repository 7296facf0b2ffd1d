"""Sensor streams: rows are cut into windows, decided one by one on a mapped network, and added up."""

from __future__ import annotations

from spikebnn.stream.decisions import Decision
from spikebnn.stream.plan import Scenario, SourcePlan
from spikebnn.stream.play import stream
from spikebnn.stream.record import Recorder
from spikebnn.stream.report import StreamReport
from spikebnn.stream.scenario import load_scenario, scenario_names, scenario_of
from spikebnn.stream.sweep import sweep
from spikebnn.stream.training import training_frames
from spikebnn.stream.watch import Batch, Watch

__all__ = ["Batch", "Decision", "Recorder", "Scenario", "SourcePlan", "StreamReport", "Watch", "load_scenario",
           "scenario_names", "scenario_of", "stream", "sweep", "training_frames"]  # fmt: skip
