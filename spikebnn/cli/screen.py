"""What the verbs share: print text or JSON, write a file whole or not at all, show that work goes on."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spikebnn.errors import InputError


def answer(chosen: argparse.Namespace, text: str, data: Any) -> None:
    """Print `data` as JSON with --json, else `text`, else nothing with --quiet."""
    if chosen.json:
        print(as_json(data))
    elif not chosen.quiet:
        print(text)


def as_json(data: Any) -> str:
    """JSON as every verb writes it: readable, keys in the order given, NaN refused."""
    return data if isinstance(data, str) else json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False)


def write(path: str, text: str, *inputs: str | None) -> None:
    """Write a text file whole or not at all; refuse to replace one of the command's own inputs."""
    write_bytes(path, (text if text.endswith("\n") else text + "\n").encode("utf-8"), *inputs)


def write_bytes(path: str, data: bytes, *inputs: str | None) -> None:
    """Write a file whole or not at all; refuse to replace one of the command's own inputs."""
    check_output(path, *inputs)
    goal = Path(os.path.realpath(path))
    if goal.is_dir():
        raise InputError(f"{path} is a directory; -o names a file")
    if not goal.parent.is_dir():
        raise InputError(
            f"the directory of {path} does not exist; make it first: mkdir -p {Path(path).parent}"
        )
    handle, name = tempfile.mkstemp(prefix=f".{goal.name}.", suffix=".part", dir=goal.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, goal)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = path  # which a full disk does not say
        raise


def check_output(path: str, *inputs: str | None) -> None:
    """Raise InputError, before any work, for an output that cannot be a file or that would replace an input."""
    goal = Path(os.path.realpath(path))
    if goal.is_dir():
        raise InputError(f"{path} is a directory; -o names a file")
    if goal.exists() and not goal.is_file():
        raise InputError(f"{path} is a device, not a file, and would be replaced; -o names a file")
    if not goal.parent.is_dir():
        raise InputError(f"there is no directory {goal.parent} to write {goal.name} into; make it first")
    if any(source is not None and os.path.realpath(source) == str(goal) for source in inputs):
        raise InputError(f"the output {path} would replace the input file; name another with -o")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def busy(chosen: argparse.Namespace, doing: str) -> Iterator[None]:
    """Show `doing` with a clock on a terminal while the block runs; stay silent elsewhere."""
    if chosen.quiet or chosen.json or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(doing)
        yield


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns of text, left-aligned, two spaces apart."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells
    )


@contextmanager
def counting(chosen: argparse.Namespace) -> Iterator[Callable[[str, int, int], None] | None]:
    """A function to call with (what, done, of), which draws bars on a terminal; None elsewhere."""
    if chosen.quiet or chosen.json or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bars: dict[str, Any] = {}

        def advance(what: str, done: int, of: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=of)
            progress.update(bars[what], completed=done)

        yield advance


def colored() -> bool:
    """Whether standard output is a terminal that wants colour (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
