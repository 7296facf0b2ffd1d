"""The bit-packed engine."""

from __future__ import annotations

from spikebnn.program import Program
from spikebnn.simulate.protocol import Session
from spikebnn.simulate.reference import ReferenceSession


class Bitwise:
    """The registry's entry."""

    name = "bitwise"
    version = "0"

    def load(self, program: Program) -> Session:
        return ReferenceSession(program)
