"""Where each shard of a partition sits."""

from __future__ import annotations

from dataclasses import dataclass

from spikebnn.arrays import I32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """One place per shard: chip, x, y."""

    place: I32  # (shards, 3)
    method: str
