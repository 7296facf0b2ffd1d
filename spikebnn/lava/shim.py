"""Makes `import lava` work: on Python 3.11 and later, and where a start method was chosen before.

Lava 0.10.0 uses instances of dataclasses as defaults of other dataclasses (lava.magma.compiler.var_model), which
Python refuses from 3.11 on because such instances cannot be hashed. While that one module is imported,
`dataclasses.dataclass` makes classes that can be; nothing of Lava is copied or changed on disk.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from spikebnn.errors import SimulatorMissing

WANTED = "0.10.0"
REMEDY = (
    'on Python 3.10 install it with: pip install "spikebnn[lava]"; on 3.11 and later with that and then: '
    f"pip install --ignore-requires-python --no-deps lava-nc=={WANTED}; or name the Python 3.10 of an environment "
    "that has Lava in SPIKEBNN_LAVA_PYTHON"
)


def version() -> str:
    """Lava's version in this Python, or SimulatorMissing with the lines that install it; nothing is imported."""
    try:
        found = importlib.metadata.version("lava-nc")
    except importlib.metadata.PackageNotFoundError:
        raise SimulatorMissing(f"Lava is not installed in {sys.executable}; {REMEDY}") from None
    if importlib.util.find_spec("lava") is None:
        raise SimulatorMissing(f"Lava {found} is installed in {sys.executable} without its files; {REMEDY}")
    return found


def require() -> None:
    """Import Lava, or say in one sentence why it cannot be; a second call costs nothing."""
    if "lava.magma.core.process.process" in sys.modules:
        return
    version()
    with _start_method_kept():
        try:
            importlib.import_module("lava.magma.core.process.process")
        except ValueError as why:  # mutable default ... is not allowed: use default_factory
            if "mutable default" not in str(why):
                raise
            with _hashable_dataclasses():
                importlib.import_module("lava.magma.compiler.var_model")
            importlib.import_module("lava.magma.core.process.process")
        except ImportError as why:
            raise SimulatorMissing(f"Lava cannot be imported in {sys.executable}: {why}; {REMEDY}") from why
        # what sets the start method stands here; later imports must not meet it unguarded
        importlib.import_module("lava.magma.runtime.message_infrastructure.multiprocessing")
        importlib.import_module("lava.magma.runtime.runtime")


@contextmanager
def _hashable_dataclasses() -> Iterator[None]:
    plain: Callable[..., Any] = dataclasses.dataclass

    def hashable(cls: type | None = None, /, **options: Any) -> Any:
        options.setdefault("unsafe_hash", True)
        return plain(cls, **options)

    dataclasses.dataclass = hashable
    try:
        yield
    finally:
        dataclasses.dataclass = plain


@contextmanager
def _start_method_kept() -> Iterator[None]:
    """Lava sets the start method "fork" when it is imported, which raises where the program has set it already."""
    plain = multiprocessing.set_start_method

    def once(method: str | None, force: bool = False) -> None:
        chosen: str | None = multiprocessing.get_start_method(allow_none=True)
        if chosen not in (None, method):
            raise SimulatorMissing(
                f"Lava needs the start method {method!r} of multiprocessing, and this program has chosen {chosen!r}; import "
                "MappedNet from spikebnn.lava before that, or use the simulator lava, which has a process of its own"
            )
        if chosen is None:
            plain(method, force)

    multiprocessing.set_start_method = once
    try:
        yield
    finally:
        multiprocessing.set_start_method = plain
