"""Lava: the simulator `lava`, and a mapped network as one Process of a user's own Lava graph.

>>> from spikebnn.lava import MappedNet, present, run_steps  # doctest: +SKIP
>>> net = MappedNet("net.sbnn")  # s_in, s_out, sums_out, class_out; any Loihi run configuration  # doctest: +SKIP

Nothing here imports Lava before it is asked for: the simulator runs it in a process of its own, perhaps with
another Python, and the plugin's names below load it when first used (`spikebnn.lava.shim`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# public name -> module that holds it
_PUBLIC = {
    "MappedNet": "spikebnn.lava.processes.net",
    "PyMappedNetModel": "spikebnn.lava.processes.whole",
    "SubMappedNetModel": "spikebnn.lava.processes.parts",
    "present": "spikebnn.lava.feed",
    "step_of": "spikebnn.lava.feed",
    "run_steps": "spikebnn.lava.guard",
    "check_ordinary": "spikebnn.lava.ordinary",
}
_NEED_LAVA = ("MappedNet", "PyMappedNetModel", "SubMappedNetModel", "run_steps")

if TYPE_CHECKING:  # the same once more, for type checkers and editors
    from spikebnn.lava.feed import present as present
    from spikebnn.lava.feed import step_of as step_of
    from spikebnn.lava.guard import run_steps as run_steps
    from spikebnn.lava.ordinary import check_ordinary as check_ordinary
    from spikebnn.lava.processes.net import MappedNet as MappedNet
    from spikebnn.lava.processes.parts import SubMappedNetModel as SubMappedNetModel
    from spikebnn.lava.processes.whole import PyMappedNetModel as PyMappedNetModel

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _NEED_LAVA:
        from spikebnn.lava.shim import require

        require()
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
