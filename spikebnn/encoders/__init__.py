"""Encoders: rows of a signal become rows of bits, alike in training and in a stream.

    from spikebnn.encoders import Delta, chain, make, parse
    bits = Delta(step=0.1)(recording)                 # (rows, channels) -> (rows, 2 * channels), from rest
    bits, state = Delta(step=0.1).push(chunk, state)  # the same bits, however the recording is cut into chunks

An encoder is frozen: what it remembers is `state`, which starts as {} and holds numbers and arrays only.
"""

from __future__ import annotations

from spikebnn.encoders.affine import Affine
from spikebnn.encoders.change import Delta
from spikebnn.encoders.event_frames import EventFrames
from spikebnn.encoders.filterbank import FilterBank
from spikebnn.encoders.levels import Planes, Thermometer, Threshold
from spikebnn.encoders.protocol import Chain, Encoder, State, chain
from spikebnn.encoders.rate import Rate
from spikebnn.encoders.registry import ENCODERS, known, make, parse, spec

__all__ = [
    "ENCODERS", "Affine", "Chain", "Delta", "Encoder", "EventFrames", "FilterBank", "Planes", "Rate", "State", "Thermometer",
    "Threshold", "chain", "known", "make", "parse", "spec",
]  # fmt: skip
