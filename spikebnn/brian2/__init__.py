"""Mapped networks in Brian2: a simulator, and `MappedNet`, an object for a user's own network.

Inside this package `import brian2` is the vendor's; nothing outside imports this package except by name.
"""

from __future__ import annotations

from spikebnn.brian2 import vendor as _vendor  # noqa: F401  # first: says in one sentence what is missing
