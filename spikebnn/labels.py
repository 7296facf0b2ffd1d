"""True classes as somebody gave them, checked before anything is counted: a wrong label looks like a wrong answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.errors import InputError


def checked(labels: Array | Sequence[int], frames: int, classes: int) -> I64:
    """Labels (frames,) as whole numbers from 0 to classes - 1, or InputError with what was found instead."""
    given = np.asarray(labels)
    if given.shape != (frames,):
        raise InputError(f"labels have shape {given.shape}; there are {frames} frames, so ({frames},) is wanted")
    wanted = f"the network has {classes} class{'es' if classes != 1 else ''}, 0 to {classes - 1}"
    if given.dtype.kind not in "biuf":
        first = f", the first {given.reshape(-1).tolist()[0]!r}" if frames else ""
        raise InputError(f"labels are of type {given.dtype}{first}, and {wanted}")
    if given.dtype.kind == "f" and not (given == np.floor(given)).all():  # NaN is unequal to itself
        wrong = ~(given == np.floor(given))
        at = int(np.flatnonzero(wrong)[0])
        raise InputError(f"label {at} is {given[at]:g}, which is no whole number, and {wanted}")
    if frames and not 0 <= given.min() <= given.max() < classes:
        raise InputError(f"labels go from {_shown(given.min())} to {_shown(given.max())}, and {wanted}")
    return given.astype(np.int64)


def _shown(value: np.generic) -> str:
    """A whole number without decimals, infinity as it is."""
    return f"{value:g}" if value.dtype.kind == "f" else str(int(value))
