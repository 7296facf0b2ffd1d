"""Finds the data folders `mappings` and `sims`, inside an installed wheel or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

from spikebnn.errors import InputError


def shelf(name: str, near: Path | None = None) -> Path:
    """Return the folder `name` ("mappings" or "sims") that belongs to this spikebnn.

    A wheel carries it as spikebnn/_shelf/NAME, a checkout beside the package; the wheel's copy wins, since a folder
    beside an installed package is somebody else's. `near` is the package folder, for tests.
    """
    here = Path(__file__).resolve().parent if near is None else near
    places = (here / "_shelf" / name, here.parent / name)
    for folder in places:
        if folder.is_dir():
            return folder
    looked = " and ".join(str(folder) for folder in places)
    raise InputError(f"the folder {name!r} of spikebnn is missing: looked for {looked}; reinstall spikebnn")
