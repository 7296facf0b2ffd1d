"""Raster order: row by row, left to right."""

from __future__ import annotations

from collections.abc import Iterator


def order(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the cores (x, y) of one chip row by row.

    >>> list(order(2, 2))
    [(0, 0), (1, 0), (0, 1), (1, 1)]
    """
    for y in range(height):
        for x in range(width):
            yield x, y
