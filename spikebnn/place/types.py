"""Where each shard of a partition sits, and what moves between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from spikebnn.arrays import F64, I32, I64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Load:
    """How often each neuron fires in one frame: measured, or assumed, as `source` says."""

    spikes: F64  # (columns,); of every column of every shard, in order
    source: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flow:
    """Packets per frame between two shards, both directions together; each pair once, `a` < `b`."""

    a: I64  # (pairs,)
    b: I64  # (pairs,)
    packets: F64  # (pairs,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """One place per shard: chip, x, y."""

    place: I32  # (shards, 3)
    method: str
    load: Load | None = None  # what the price was reckoned with
    price: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # hops and crossings per frame
