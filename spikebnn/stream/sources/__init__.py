"""Sources: recordings and live sensors as blocks of rows, each with its channels and its sampling rate."""

from __future__ import annotations

from spikebnn.stream.sources.block import Block, Position, Source
from spikebnn.stream.sources.registry import SOURCES, kind_of, known, open_source

__all__ = ["SOURCES", "Block", "Position", "Source", "kind_of", "known", "open_source"]
