"""Sensor streams: rows are cut into windows, decided one by one on a mapped network, and added up."""

from __future__ import annotations

from spikebnn.stream.play import Decision, stream
from spikebnn.stream.report import StreamReport
from spikebnn.stream.scenario import Scenario, load_scenario, scenario_names

__all__ = ["Decision", "Scenario", "StreamReport", "load_scenario", "scenario_names", "stream"]
