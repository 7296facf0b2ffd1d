"""What the README shows is what happens: every command of its quickstart, every line of output it prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from spikebnn.cli import VERBS, main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def quickstart():
    """(command, lines of output) of the console block; "..." stands for lines left out."""
    (block,) = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    out = []
    for line in block.splitlines():
        if line.startswith("$ "):
            out.append((line[2:], []))
        else:
            out[-1][1].append(line)
    return out


def test_the_quickstart_prints_what_the_readme_says(capsys, tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    for command, shown in quickstart():
        words = shlex.split(command)
        if words[0] == "mkdir":
            (tmp_path / words[-1]).mkdir()
            continue
        assert words[0] == "spikebnn", command
        code = main(words[1:])
        out, err = capsys.readouterr()
        assert code == (1 if words[1] == "check" else 0), (command, err)
        lines = iter(line.rstrip() for line in out.splitlines())
        skipping = False
        for line in shown:
            if line == "...":
                skipping = True
            elif skipping:
                assert line.rstrip() in lines, (command, line)  # reads on until it is found
                skipping = False
            else:
                assert next(lines) == line.rstrip(), command
        assert skipping or next(lines, None) is None, command


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_stands_in_the_readmes_table(verb):
    assert re.search(rf"^\| `{verb} ?[^|]*` ?", README.replace("\\|", "/"), re.MULTILINE), verb


def test_every_target_stands_in_the_readme():
    import spikebnn

    assert [name for name in spikebnn.target_names() if f"`{name}`" not in README] == []


def test_every_link_of_the_documents_leads_somewhere():
    pages = {page: (ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")}
    links = [(page, goal) for page, text in pages.items() for goal in re.findall(r"\]\(([^)#]+)\)", text)]
    assert [(page, goal) for page, goal in links if not goal.startswith("https://") and not (ROOT / goal).exists()] == []
