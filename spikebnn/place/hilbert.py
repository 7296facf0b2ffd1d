"""Hilbert order: a curve that keeps cores with near numbers near on the grid (Hilbert 1891)."""

from __future__ import annotations

from collections.abc import Iterator


def order(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the cores (x, y) of one chip along the curve of the smallest square that holds the grid.

    >>> list(order(2, 2))
    [(0, 0), (0, 1), (1, 1), (1, 0)]
    """
    side = 1
    while side < max(width, height):
        side *= 2
    for step in range(side * side):
        x, y = _point(side, step)
        if x < width and y < height:
            yield x, y


def _point(side: int, step: int) -> tuple[int, int]:
    x = y = 0
    size = 1
    while size < side:
        right = 1 & (step // 2)
        up = 1 & (step ^ right)
        if not up:
            if right:
                x, y = size - 1 - x, size - 1 - y
            x, y = y, x
        x += size * right
        y += size * up
        step //= 4
        size *= 2
    return x, y
