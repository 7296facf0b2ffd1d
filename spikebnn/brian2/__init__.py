"""Mapped networks in Brian2: `MappedNet`, an object for a user's own network, and the simulator `brian2`.

Inside this package `import brian2` is the vendor's; nothing outside imports this package except by name.
"""

from __future__ import annotations

from spikebnn.brian2 import vendor as _vendor  # noqa: F401  # first: says in one sentence what is missing
from spikebnn.brian2.mapped_net import MappedNet, embed

__all__ = ["MappedNet", "embed"]
