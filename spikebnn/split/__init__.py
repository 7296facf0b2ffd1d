"""Splits: ways to add up more inputs than a core has axons, each as small neurons whose spikes are digits of a sum.

A wide neuron's synapses are cut into slices that fit a core. Neurons of a slice say its sum in spikes: one number
after the other (`burst`), or as digits (`radix`). `Sums` is what they say; an aggregator (`gather`) weighs the
digits, adds them up, and compares.
"""

from __future__ import annotations

import spikebnn.partition  # noqa: F401  (the rooms here and there use each other; that door is opened first)
from spikebnn.split.axons import cannot_split, cut_taps
from spikebnn.split.kinds import KINDS, Kind, lossless

__all__ = ["KINDS", "Kind", "cannot_split", "cut_taps", "lossless"]
