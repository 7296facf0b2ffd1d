"""argparse, taught to answer in one sentence and to guess what was meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NoReturn

from spikebnn.errors import InputError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser without abbreviations, whose errors are InputError instead of a page of usage."""

    def __init__(self, **options: object) -> None:
        super().__init__(
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,  # type: ignore[arg-type]
        )

    def error(self, message: str) -> NoReturn:
        """Raise InputError with what argparse found and where to read on."""
        raise InputError(f"{message.replace('argument ', '', 1)}; see {self.prog} --help")

    def refuse_unknown(self, words: Sequence[str]) -> None:
        """Raise InputError for the first option that this parser does not have, before any value is looked at.

        argparse by itself would first complain of a required option that was merely misspelt.
        """
        known = self._option_string_actions
        for word in words:
            if word == "--":
                return
            name = word.partition("=")[0]
            if name.startswith("--") and name not in known:
                raise InputError(
                    f"{self.prog} has no option {name}{closest(name, known)}; see {self.prog} --help"
                )


def joined(words: Sequence[str]) -> list[str]:
    """`--values -1,1` as `--values=-1,1`: argparse takes a value for an option if it begins with a minus."""
    out: list[str] = []
    for word in words:
        if (
            out
            and out[-1].startswith("--")
            and "=" not in out[-1]
            and word[:1] == "-"
            and word[1:2].isdigit()
        ):
            out[-1] += f"={word}"
        else:
            out.append(word)
    return out


def common_options(parser: argparse.ArgumentParser) -> None:
    """Options that every verb understands."""
    group = parser.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", help="print the machine form, JSON, on standard output")
    group.add_argument(
        "--quiet", "-q", action="store_true", help="print nothing but errors (and JSON, if asked for)"
    )
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def closest(word: str, known: Iterable[str]) -> str:
    """A bracket that asks "did you mean X?", or nothing if no known word is near."""
    plain = {name.lstrip("-"): name for name in known}
    near = get_close_matches(word.lstrip("-"), plain, n=1, cutoff=0.6)
    return f" (did you mean {plain[near[0]]}?)" if near else ""


def positive(text: str) -> int:
    """A whole number of at least 1, for --limit and the like."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value
