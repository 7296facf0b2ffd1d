"""Network files come in here: each is recognised by its content, and refused or read."""

from __future__ import annotations

import os

from spikebnn.network import Network


def load_network(path: str | os.PathLike[str]) -> Network:
    """The network in the file at `path`."""
    from spikebnn.importers import pt2

    return pt2.read(path)
