"""The house keeps its rules: lazy imports, one direction, no chip in the code, a public API that is what it says."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import spikebnn

ROOT = Path(__file__).resolve().parent.parent
CODE = sorted((ROOT / "spikebnn").rglob("*.py"))
HEAVY = {"torch", "brian2", "lava", "numba", "rich", "onnx", "scipy", "matplotlib", "brevitas"}
CHIPS = re.compile(r"loihi|truenorth|ranc\b|spinnaker", re.IGNORECASE)


def imported_by(*command: str) -> set[str]:
    """Top-level packages that a fresh Python loads for a command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    names = re.findall(r"^import time:.*\|\s*([\w.]+)$", done.stderr, re.MULTILINE)
    assert "spikebnn" in names, done.stderr[-2000:]
    return {name.split(".")[0] for name in names}


def test_importing_the_package_loads_nothing_heavy_and_no_numpy():
    assert not imported_by("-c", "import spikebnn") & (HEAVY | {"numpy"})


def test_importing_the_command_line_loads_nothing_heavy():
    assert not imported_by("-c", "import spikebnn, spikebnn.cli") & HEAVY


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("map", "--help"), ("run", "--help"), ("doctor", "--help")]
)
def test_help_loads_nothing_heavy(words):
    assert not imported_by("-m", "spikebnn", *words) & HEAVY


def test_every_module_can_be_imported_without_the_heavy_ones():
    """All but the rooms made of torch, Brian2 and Lava, and the kernels made of numba, load where none of that is installed."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in CODE
        if not {"nn", "brian2", "lava"} & set(path.relative_to(ROOT).parts[1:-1]) and path.name not in ("__main__.py", "kernels.py", "follow_kernels.py", "chip_kernels.py", "group_kernels.py", "level_kernels.py", "transpose.py", "pack.py", "rows.py", "addresses.py")
    ]
    program = f"""
import importlib, sys, json
for name in {sorted(HEAVY)!r}:
    sys.modules[name] = None  # `import NAME` now raises ImportError
bad = []
for name in {names!r}:
    try:
        importlib.import_module(name)
    except Exception as error:
        bad.append(f"{{name}}: {{type(error).__name__}}: {{error}}")
print(json.dumps(bad))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def words_of_code(path: Path) -> list[tuple[int, str]]:
    """Identifiers and string constants of a file; docstrings and help texts left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts: set[int] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node) is not None
        ):
            texts.add(id(node.body[0].value))
        if isinstance(node, ast.keyword) and node.arg in ("help", "epilog", "description", "metavar"):
            texts.update(id(part) for part in ast.walk(node.value))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            found.append((node.lineno, node.value))
        elif isinstance(node, ast.Name):
            found.append((node.lineno, node.id))
        elif isinstance(node, ast.Attribute):
            found.append((node.lineno, node.attr))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.append((node.lineno, node.name))
    return found


ALLOWED = {
    ("spikebnn/pipeline.py", "loihi-sim"),  # the target when none is named
    ("spikebnn/cli/__init__.py", "_EPILOG"),
    ("spikebnn/exchange/chip.py", "truenorth"),  # SANA-FE's own name of a soma unit
}
LAVAS_OWN = re.compile(r"PyLoihiProcessModel|LoihiProtocol|Loihi2SimCfg|bit_accurate_loihi")  # how Lava calls them


def test_no_code_decides_by_a_chips_name():
    found = []
    for path in CODE:
        name = path.relative_to(ROOT).as_posix()
        for line, word in words_of_code(path):
            if (
                CHIPS.search(word)
                and (name, word) not in ALLOWED
                and not (name.startswith("spikebnn/lava/") and LAVAS_OWN.fullmatch(word))
                and not (name.startswith("spikebnn/cli/") and "\n" in word)
            ):
                found.append(f"{name}:{line}: {word[:60]!r}")
    assert found == []


def test_every_module_says_in_its_first_line_what_it_is():
    silent = []
    for path in CODE:
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if not doc or len(doc.splitlines()[0]) < 20:
            silent.append(path.relative_to(ROOT).as_posix())
    assert silent == []


def test_no_module_is_longer_than_a_sitting():
    """At 400 lines look for the seam; at 600 there is one."""
    long = {
        path.name: lines
        for path in CODE
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 600
    }
    assert long == {}


def test_every_public_name_exists_and_is_documented():
    for name in spikebnn.__all__:
        thing = getattr(spikebnn, name)
        assert name == "__version__" or (thing.__doc__ and not isinstance(thing, ModuleType)), name


def test_type_checkers_see_the_same_public_names():
    tree = ast.parse((ROOT / "spikebnn" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            seen |= {alias.asname: f"{node.module}:{alias.name}" for alias in node.names}
    seen["export"] = seen.pop("_export_file")
    told = {name: place if ":" in place else f"{place}:{name}" for name, place in spikebnn._PUBLIC.items()}
    assert seen == told


def test_a_public_function_stays_itself_when_a_module_has_its_name():
    for name in ("run", "verify", "report", "compare", "original", "score", "stream"):
        module = importlib.import_module(f"spikebnn.{name}")
        assert isinstance(module, ModuleType)
        assert not isinstance(getattr(spikebnn, name), ModuleType), name
        assert sys.modules[f"spikebnn.{name}"] is module


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'spikebnn' has no attribute 'mapp'$"):
        spikebnn.mapp  # noqa: B018


def test_the_version_is_the_one_of_the_changelog():
    first = re.search(
        r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert first is not None
    assert first[1] == spikebnn.__version__


def test_frozen_types_are_frozen_and_slotted():
    for name in ("Network", "ThresholdNetwork", "Target", "Recipe", "Program", "Run"):
        kind = getattr(spikebnn, name)
        assert kind.__dataclass_params__.frozen, name
        assert "__slots__" in vars(kind), name
        assert dataclasses.is_dataclass(kind)


def test_nothing_names_a_place_on_somebodys_machine():
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=ROOT, check=False)
    if listed.returncode:
        pytest.fail("this test reads the list of files from git")
    bad = []
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if (
            name
            and path.suffix in (".py", ".md", ".toml", ".txt", ".json", "")
            and path.is_file()
            and path.stat().st_size < 1 << 20
        ):
            text = path.read_text(encoding="utf-8", errors="replace")
            if re.search(r"(?<![\w.])/(?:work|home|root|opt)/[a-z]", text) and name != "tests/test_house.py":
                bad.append(name)
    assert bad == []


def test_the_import_contract_holds():
    from importlinter.cli import lint_imports  # the gate itself; `make lint` runs it too

    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert callable(lint_imports)
    assert done.returncode == 0, done.stdout
