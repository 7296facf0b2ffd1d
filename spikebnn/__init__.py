"""spikebnn maps a trained binary neural network onto integrate-and-fire cores, spike for spike.

>>> import spikebnn
>>> program = spikebnn.map("net.pt", target="loihi-sim")  # doctest: +SKIP
>>> run = spikebnn.run(program, x)  # doctest: +SKIP
>>> spikebnn.verify(program, against="net.pt", x=x, simulators="all")  # doctest: +SKIP

Everything below is loaded when it is first asked for: `import spikebnn` costs a few milliseconds.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> module that holds it, under the same name unless a colon says otherwise
_PUBLIC = {
    # the corridor
    "map": "spikebnn.pipeline",
    "check": "spikebnn.pipeline",
    "explore": "spikebnn.explore",
    "load": "spikebnn.sbnn",
    "run": "spikebnn.simulate",
    "verify": "spikebnn.verify",
    "score": "spikebnn.score",
    "report": "spikebnn.report",
    "compare": "spikebnn.compare",
    "stream": "spikebnn.stream",
    "recurrent": "spikebnn.simulate.recurrent",
    # networks and targets
    "save": "spikebnn.importers",
    "export": "spikebnn.importers:export_file",
    "load_network": "spikebnn.importers",
    "original": "spikebnn.original",
    "load_target": "spikebnn.targets",
    "target_names": "spikebnn.targets",
    # the frozen types at the doors
    "Network": "spikebnn.network",
    "ThresholdNetwork": "spikebnn.threshold",
    "Target": "spikebnn.targets.target",
    "Recipe": "spikebnn.recipe",
    "Program": "spikebnn.program",
    "Run": "spikebnn.run",
    # errors
    "SpikeBNNError": "spikebnn.errors",
    "InputError": "spikebnn.errors",
    "ImportRefused": "spikebnn.errors",
    "TargetError": "spikebnn.errors",
    "FitError": "spikebnn.errors",
    "NotEqualError": "spikebnn.errors",
    "CheckError": "spikebnn.errors",
    "SimulatorMissing": "spikebnn.errors",
}

if TYPE_CHECKING:  # the same once more, for type checkers and editors
    from spikebnn.compare import compare as compare
    from spikebnn.errors import CheckError as CheckError
    from spikebnn.errors import FitError as FitError
    from spikebnn.errors import ImportRefused as ImportRefused
    from spikebnn.errors import InputError as InputError
    from spikebnn.errors import NotEqualError as NotEqualError
    from spikebnn.errors import SimulatorMissing as SimulatorMissing
    from spikebnn.errors import SpikeBNNError as SpikeBNNError
    from spikebnn.errors import TargetError as TargetError
    from spikebnn.explore import explore as explore
    from spikebnn.importers import export_file as _export_file
    from spikebnn.importers import load_network as load_network
    from spikebnn.importers import save as save
    from spikebnn.network import Network as Network
    from spikebnn.original import original as original
    from spikebnn.pipeline import check as check
    from spikebnn.pipeline import map as map  # noqa: A004
    from spikebnn.program import Program as Program
    from spikebnn.recipe import Recipe as Recipe
    from spikebnn.report import report as report
    from spikebnn.run import Run as Run
    from spikebnn.sbnn import load as load
    from spikebnn.score import score as score
    from spikebnn.simulate import run as run
    from spikebnn.simulate.recurrent import recurrent as recurrent
    from spikebnn.stream import stream as stream
    from spikebnn.targets import load_target as load_target
    from spikebnn.targets import target_names as target_names
    from spikebnn.targets.target import Target as Target
    from spikebnn.threshold import ThresholdNetwork as ThresholdNetwork
    from spikebnn.verify import verify as verify

    export = _export_file

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'spikebnn' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})


class _Package(ModuleType):
    """Keeps a public name what it is when a module of the same name (`spikebnn.run`) is imported later."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
