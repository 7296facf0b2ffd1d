"""Imports Brian2, or says in one sentence why it cannot be used here and which line helps."""

from __future__ import annotations

import importlib.metadata
import warnings

import numpy as np

from spikebnn.errors import SimulatorMissing

INSTALL = 'pip install "spikebnn[brian2]"'


def why_not(error: Exception, brian2: str | None, numpy: str) -> str:
    """The sentence for an import of Brian2 that failed; versions are those installed, None where there is none.

    Brian2 before 2.10 calls `ndarray.ptp`, which NumPy 2.4 took away, and its metadata does not say so.
    """
    if brian2 is None or (isinstance(error, ModuleNotFoundError) and error.name == "brian2"):
        return f"Brian2 is not installed; install it with: {INSTALL}"
    if _release(brian2) < (2, 10) and _release(numpy) >= (2, 4):
        return (
            f"Brian2 {brian2} does not work with NumPy {numpy}, it needs NumPy before 2.4; "
            f'install one with: pip install "numpy<2.4", or both with: {INSTALL}'
        )
    return f"Brian2 {brian2} is installed and cannot be imported ({error}); install it anew with: {INSTALL}"


def _release(version: str) -> tuple[int, ...]:
    digits = ("".join(c for c in part if c.isdigit()) for part in version.split(".")[:2])
    return tuple(int(part or 0) for part in digits)


def _version() -> str | None:
    try:
        return importlib.metadata.version("brian2")
    except importlib.metadata.PackageNotFoundError:
        return None


try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside Brian2 and what it imports
        import brian2
except Exception as error:  # whatever an import may raise
    raise SimulatorMissing(why_not(error, _version(), np.__version__)) from error

VERSION: str = brian2.__version__
