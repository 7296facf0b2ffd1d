"""The annealer's sweep as machine code."""

# mypy: ignore-errors
# ruff: noqa: TID253
from __future__ import annotations

import numba as nb

from spikebnn.place.sweep import sweep

compiled = nb.njit(cache=True, nogil=True)(sweep)
