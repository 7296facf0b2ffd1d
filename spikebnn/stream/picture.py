"""Draws with letters: a signal as a row of blocks, spikes as braille dots; plain letters where a terminal has no others."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import Array

BLOCKS, PLAIN = "▁▂▃▄▅▆▇█", "_.-=+*%#"
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille letter, by row and column (Unicode 28xx)


def sparkline(values: Array, wide: int, *, plain: bool = False) -> str:
    """Values (readings,) as `wide` letters from low to high, each the mean of its stretch; a space where there is none."""
    letters = PLAIN if plain else BLOCKS
    if not len(values) or wide < 1:
        return " " * max(0, wide)
    place = np.arange(len(values)) * wide // len(values) if len(values) >= wide else np.arange(len(values))
    known = np.isfinite(values)
    total = np.bincount(place[known], np.asarray(values, np.float64)[known], wide)
    count = np.bincount(place[known], minlength=wide)
    means = total / np.maximum(count, 1)
    there = count > 0
    if not there.any():
        return " " * wide
    low, high = float(means[there].min()), float(means[there].max())
    level = np.clip((means - low) / ((high - low) or 1.0) * len(letters), 0, len(letters) - 1).astype(int)
    return "".join(letters[k] if seen else " " for k, seen in zip(level.tolist(), there.tolist()))


def dots(spikes: Array, rows: int, wide: int, *, plain: bool = False) -> list[str]:
    """The last spikes (windows, neurons) as `rows` lines of `wide` braille letters, two windows and four neurons a letter.

    Where neurons are more than dots, every so many is shown. In plain letters a place is one of ":", "." and a space.
    """
    seen = np.asarray(spikes)[-2 * wide :]
    every = stride(seen.shape[1], rows)
    shown = seen[:, ::every][:, : 4 * rows].T > 0
    field = np.zeros((4 * rows, 2 * wide), bool)
    field[: len(shown), 2 * wide - shown.shape[1] :] = shown
    cells = field.reshape(rows, 4, wide, 2).transpose(0, 2, 1, 3)
    if plain:
        many = cells.sum(axis=(2, 3))
        return ["".join(":" if n > 2 else "." if n else " " for n in line) for line in many.tolist()]
    codes = (cells * np.array(DOTS)).sum(axis=(2, 3)) + 0x2800
    return ["".join(map(chr, line)) for line in codes.tolist()]


def stride(neurons: int, rows: int) -> int:
    """Every how many neurons one is shown."""
    return max(1, -(-neurons // (4 * rows)))
