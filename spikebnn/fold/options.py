"""`FoldOptions`: what the user allows where the network alone does not decide."""

from __future__ import annotations

from dataclasses import dataclass

INPUTS = ("auto", "signs", "bits", "uint8-planes", "uint8-thermometer", "uint8-burst")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldOptions:
    """Every field is an option of `spikebnn map`."""

    input: str = "auto"  # what the input holds and how it becomes bits; "auto" asks the file
    host: str = "none"  # "auto" lets real-valued first and last layers run on the host
    levels: str = "refuse"  # "expand": a k-level activation becomes k - 1 neurons
    ternary: str = "refuse"  # "expand": a reachable sign(0) = 0 becomes two neurons
    sign0: int = 0  # +1 or -1: sign(0) becomes this number; changes the network
    strict: bool = False  # refuse where the float network itself is decided by rounding
