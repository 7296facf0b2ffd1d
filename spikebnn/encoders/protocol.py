"""What every encoder offers, and several of them one after another as one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.errors import InputError

State = Mapping[str, Any]  # numbers and arrays by name; {} at rest


class Encoder(Protocol):
    """Rows of readings in, rows of bits (or of features, for a further encoder) out.

    Output row k depends on the input rows k * stride to k * stride + span - 1, and on what came before as far as the
    state remembers it. Cutting a signal into chunks changes no bit.
    """

    @property
    def name(self) -> str:
        """Its name in the registry."""
        ...

    @property
    def span(self) -> int:
        """Input rows under one output row."""
        ...

    @property
    def stride(self) -> int:
        """Input rows from one output row to the next."""
        ...

    @property
    def bits(self) -> bool:
        """Whether every output is 0 or 1."""
        ...

    def width(self, channels: int) -> int:
        """Outputs per row."""
        ...

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        """Encode rows (rows, channels) that follow those behind `state`."""
        ...

    def __call__(self, x: Array) -> Array:
        """Encode a whole recording (rows, channels) from rest."""
        ...


@dataclass(frozen=True, slots=True)
class Chain:
    """Encoders one after another: the rows of each are what the next one takes."""

    stages: tuple[Encoder, ...]
    name = "chain"

    @property
    def span(self) -> int:
        span, stride = 1, 1
        for stage in self.stages:
            span, stride = (stage.span - 1) * stride + span, stage.stride * stride
        return span

    @property
    def stride(self) -> int:
        out = 1
        for stage in self.stages:
            out *= stage.stride
        return out

    @property
    def bits(self) -> bool:
        return bool(self.stages) and self.stages[-1].bits

    def width(self, channels: int) -> int:
        for stage in self.stages:
            channels = stage.width(channels)
        return channels

    def push(self, x: Array, state: State) -> tuple[Array, State]:
        after = {}
        for k, stage in enumerate(self.stages):
            x, after[str(k)] = stage.push(x, state.get(str(k), {}))
        return x, after

    def __call__(self, x: Array) -> Array:
        return self.push(recording(x), {})[0]


def chain(stages: Sequence[Encoder]) -> Encoder:
    """One encoder made of several; of one, itself."""
    if len(stages) == 1:
        return stages[0]
    for first, second in itertools.pairwise(stages):
        if second.name == "event-frames":
            raise InputError(f"event-frames takes events, so it stands first; found {first.name} before it")
    return Chain(tuple(stages))


def recording(x: Array) -> F64:
    """The readings as float64 (rows, channels), or one sentence."""
    out = np.asarray(x, np.float64)
    if out.ndim != 2:
        raise InputError(
            f"an encoder takes (rows, channels), found an array of shape {out.shape}; one channel is x[:, None]"
        )
    return out


def per_channel(values: float | Sequence[float], channels: int, what: str) -> F64:
    """One number for all channels, or one for each."""
    out = np.asarray(values, np.float64)
    if out.ndim == 0:
        return np.full(channels, float(out))
    if out.shape != (channels,):
        raise InputError(f"{what} has {out.size} values, and the signal has {channels} channels")
    return out
