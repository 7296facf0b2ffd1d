"""Tiles: orders in which the places of a layer are laid on cores, block by block, so that neighbours share axons."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, Array

Way = tuple[int, int, int]  # height and width of a tile; channels of a block, or 0: all of them at one place

SHAPES = (
    (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3), (2, 4), (4, 2),
    (3, 4), (4, 3), (4, 4), (5, 5), (6, 6), (8, 8), (12, 12),
)  # fmt: skip
ROWS = (1, 1 << 20)  # row by row, each from its beginning


def ways(spot: Array) -> list[Way]:
    """The ways to lay places (places, 3): channel, y, x. Blocks of one channel come for grouped layers."""
    depth = len(np.unique(spot[:, 0]))
    high, wide = int(np.ptp(spot[:, 1])) + 1, int(np.ptp(spot[:, 2])) + 1
    blocks = [0] if depth == 1 else [1, 0, *(block for block in (4, 16, 64) if block < depth)]
    shapes = [shape for shape in SHAPES if shape == (1, 1) or (shape[0] <= high and shape[1] <= wide)]
    return [(*shape, block) for shape in (*shapes, ROWS) for block in blocks]


def laid(spot: Array, way: Way) -> I64:
    """The order of places (places, 3) in one way; tiles run to and fro, so that one borders on the next."""
    high, wide, block = way
    c, y, x = spot.astype(np.int64).T
    row, column = y // high, x // wide
    column = np.where(row % 2, -column, column)
    across = np.where((y - row * high) % 2, -x, x)
    if block == 0:
        return np.asarray(np.lexsort((c, across, y, column, row)))
    return np.asarray(np.lexsort((across, y, c, column, row, c // block) if block > 1 else (across, y, column, row, c)))


def sample(spot: Array, most: int) -> I64:
    """Places inside a box in the middle, about `most` of them: whole rows as long as there are a dozen.

    The box shrinks no further along an axis where nothing would be left in it.
    """
    inside = np.arange(len(spot))
    if len(spot) <= most:
        return inside
    side = np.ptp(spot, axis=0).astype(np.int64) + 1
    middle = spot.min(axis=0).astype(np.int64) + side // 2
    for axis, floor in ((1, 12), (0, 64), (2, 24), (1, 6), (0, 1), (2, 1), (1, 1)):
        while side[axis] > floor and len(inside) > most:
            side[axis] = max(floor, side[axis] // 2)
            off = spot[inside, axis] - (middle[axis] - side[axis] // 2)
            near = inside[(off >= 0) & (off < side[axis])]
            if not len(near):
                break
            inside = near
    return inside
