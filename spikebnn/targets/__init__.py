"""Finds and reads target descriptions: by name from the shelf and from plug-ins, or from a file of your own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from spikebnn.errors import TargetError
from spikebnn.shelf import shelf
from spikebnn.targets.schema import SECTIONS, build
from spikebnn.targets.target import Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MERGED = (*SECTIONS, "sources", "energy", "included", "timing", "voltage", "refs")


def target_names() -> list[str]:
    """Names of all targets that `load_target` knows: the shelf's files and those of installed plug-ins."""
    return sorted({*_shelved(), *_plugged()})


def load_target(name_or_path: str | Path) -> Target:
    """The target of that name, or the one that a TOML file describes.

    A text that ends in .toml or contains a slash is a path; anything else is a name. A file may say
    `extends = "NAME"` (or the path of another file, relative to itself): it then inherits every key, replaces those it
    writes, and takes away those listed in `drop` ("energy.spike"). A structural number that it replaces needs
    its own source. Raises TargetError with every mistake of the file at once.
    """
    path = _find(name_or_path)
    tree, digest, origins = _read(path, ())
    target, wrong = build(tree, digest)
    wrong = [*_inherited_sources(tree, origins), *wrong]
    if target is None or wrong:
        raise TargetError(_message(path, wrong))
    if isinstance(name_or_path, str) and name_or_path in _shelved() and target.name != name_or_path:
        raise TargetError(f"{path.name}: name is {target.name!r}; a shelved target is named like its file")
    return target


@cache
def _shelved() -> Mapping[str, Path]:
    """The files of mappings/targets by name."""
    return {path.stem: path for path in sorted((shelf("mappings") / "targets").glob("*.toml"))}


def _plugged() -> Mapping[str, Any]:
    """Entry points of the group spikebnn.targets; each gives the path of a TOML file, or a function that does."""
    found: dict[str, Any] = {}
    for entry in entry_points(group="spikebnn.targets"):
        if entry.name in found or entry.name in _shelved():
            raise TargetError(
                f"two targets are named {entry.name!r}, one of them from {entry.value}; uninstall one"
            )
        found[entry.name] = entry
    return found


def _find(name_or_path: str | Path, beside: Path | None = None) -> Path:
    """The file behind a name or a path; `beside` is the file that mentions it."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        path = Path(name_or_path)
        path = beside.parent / path if beside is not None else path
        if not path.is_file():
            raise TargetError(
                f"there is no target file {path}; known targets are {', '.join(target_names())}"
            )
        return path
    if text in _shelved():
        return _shelved()[text]
    plugged = _plugged()
    if text in plugged:
        value = plugged[text].load()
        return Path(value() if callable(value) else value)
    near = get_close_matches(text, target_names(), 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise TargetError(
        f"there is no target named {text!r}; known are {', '.join(target_names())}; "
        f"a file of your own is given by its path, ending in .toml{hint}"
    )


def _read(path: Path, seen: tuple[Path, ...]) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """The merged tree of a file and all it extends, the digest of their bytes, and the file's own tree."""
    path = path.resolve()
    if path in seen:
        raise TargetError(
            f"{path.name}: extends goes in a circle: {' -> '.join(p.name for p in (*seen, path))}"
        )
    try:
        data = path.read_bytes().replace(b"\r\n", b"\n")
        own: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TargetError(f"{path.name}: this is no TOML file: {error}") from error
    except OSError as error:
        raise TargetError(f"{path.name}: cannot be read: {error.strerror or error}") from error
    digest = sha256(data)
    parent = own.get("extends")
    if parent is None:
        return own, digest.hexdigest(), own
    if not isinstance(parent, str):
        raise TargetError(
            f"{path.name}: extends is {parent!r}; it must be the name of a target or the path of a file"
        )
    base, base_digest, _ = _read(_find(parent, beside=path), (*seen, path))
    digest.update(base_digest.encode())
    return _merge(path, base, own), digest.hexdigest(), own


def _merge(path: Path, base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The parent's tree with the child's keys laid over it, and without what the child drops."""
    tree = {
        key: dict(value) if key in MERGED and isinstance(value, Mapping) else value
        for key, value in base.items()
    }
    tree.pop("drop", None)
    drop = own.get("drop", [])
    if not isinstance(drop, list) or not all(isinstance(item, str) for item in drop):
        raise TargetError(
            f'{path.name}: drop is {drop!r}; it must be a list of keys, such as ["energy.spike"]'
        )
    for item in drop:
        table, _, key = item.partition(".")
        if not isinstance(tree.get(table), dict) or key not in tree[table]:
            raise TargetError(f"{path.name}: drop names {item!r}, which {own['extends']} does not have")
        del tree[table][key]
        if table in SECTIONS and isinstance(tree.get("sources"), dict):
            tree["sources"].pop(item, None)
    for key, value in own.items():
        if key in MERGED and isinstance(value, Mapping) and isinstance(tree.get(key), dict):
            tree[key].update(value)
        else:
            tree[key] = value
    return tree


def _inherited_sources(tree: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """A child that replaces a structural number may not inherit the old number's source."""
    if "extends" not in own:
        return []
    mine = own.get("sources", {})
    wrong = []
    for section in SECTIONS:
        table = own.get(section, {})
        for key in table if isinstance(table, Mapping) else ():
            path = f"{section}.{key}"
            if (
                path in tree.get("sources", {})
                and path not in mine
                and path not in ("topology.chips", "topology.dead_cores")
            ):
                wrong.append(
                    f'{path} replaces a number of {own["extends"]} but not its source; add "{path}" to [sources]'
                )
    return wrong


def _message(path: Path, wrong: list[str]) -> str:
    """One sentence for one mistake, a list for several."""
    if len(wrong) == 1:
        return f"{path.name}: {_ended(wrong[0])}"
    return "\n".join([f"{path.name} has {len(wrong)} mistakes:", *(f"  {_ended(text)}" for text in wrong)])


def _ended(text: str) -> str:
    return text if text.endswith("?") else f"{text}."
