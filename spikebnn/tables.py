"""A table as plain text, Markdown, CSV, LaTeX, or drawn by rich for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from spikebnn.errors import InputError

FORMS = ("text", "markdown", "csv", "latex")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A title, a head and rows of texts. The first column is a name, the others are read as values."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Sentences first, then tables, then notes."""

    lines: tuple[str, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    sheet: Table | None = None  # plain numbers, which CSV holds instead of the tables made for reading


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table from any sequences; every row must be as long as the head."""
    made = tuple(tuple(row) for row in rows)
    assert all(len(row) == len(head) for row in made), f"{title}: ragged rows"
    return Table(title=title, head=tuple(head), rows=made)


def render(page: Page, form: str = "text", color: bool = False, width: int | None = None) -> str:
    """The page in one of FORMS. `color` draws text with rich for a terminal, `width` columns wide."""
    if form not in FORMS:
        raise InputError(f"there is no form {form!r}; known are {', '.join(FORMS)}")
    if form == "text":
        return _rich(page, width) if color else _text(page)
    return {"markdown": _markdown, "csv": _csv, "latex": _latex}[form](page)


def _text(page: Page) -> str:
    blocks = ["\n".join(page.lines)] if page.lines else []
    for part in page.tables:
        columns = [max(len(row[n]) for row in (part.head, *part.rows)) for n in range(len(part.head))]
        lines = [
            "  ".join(cell.ljust(size) for cell, size in zip(row, columns)).rstrip()
            for row in (part.head, *part.rows)
        ]
        blocks.append("\n".join([*([part.title] if part.title else []), *("  " + line for line in lines)]))
    if page.notes:
        blocks.append("\n".join(page.notes))
    return "\n\n".join(blocks) + "\n"


def _rich(page: Page, width: int | None) -> str:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Drawn

    console = Console(width=width, force_terminal=True, highlight=False, file=io.StringIO(), record=False)
    with console.capture() as caught:
        for line in page.lines:
            console.print(escape(line))
        for part in page.tables:
            drawn = Drawn(
                title=escape(part.title) or None, title_justify="left", header_style="bold", box=None
            )
            for n, name in enumerate(part.head):
                drawn.add_column(escape(name), justify="left", no_wrap=n == 0)
            for row in part.rows:
                drawn.add_row(*map(escape, row))
            console.print()
            console.print(drawn)
        if page.notes:
            console.print()
            for note in page.notes:
                console.print(escape(note), style="dim")
    return caught.get()


def _markdown(page: Page) -> str:
    def cells(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"

    blocks = ["  \n".join(page.lines)] if page.lines else []
    for part in page.tables:
        rows = [cells(part.head), cells(["---"] * len(part.head)), *map(cells, part.rows)]
        blocks.append("\n".join([*([f"**{part.title}**", ""] if part.title else []), *rows]))
    blocks += ["\n".join(f"- {note}" for note in page.notes)] if page.notes else []
    return "\n\n".join(blocks) + "\n"


def _csv(page: Page) -> str:
    """Tables one below the other, an empty row between, sentences and notes as rows of one cell.

    A page with a sheet of numbers is that sheet alone, head first, as a program reads it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if page.sheet is not None:
        writer.writerow(page.sheet.head)
        writer.writerows(page.sheet.rows)
        return out.getvalue()
    for part in page.tables:
        writer.writerow([part.title])
        writer.writerow(part.head)
        writer.writerows(part.rows)
        writer.writerow([])
    writer.writerows([line] for line in (*page.lines, *page.notes))
    return out.getvalue()


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "µ": r"\ensuremath{\mu}", "±": r"\ensuremath{\pm}",
    "<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "×": r"\ensuremath{\times}", "≥": r"\ensuremath{\geq}",
    "≤": r"\ensuremath{\leq}", "−": r"\ensuremath{-}", "°": r"\ensuremath{^\circ}", "–": "--", "—": "---", "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}  # fmt: skip
LATIN = 0x180  # letters below it are known to LaTeX as they are, since its 2018 release


def _latex(page: Page) -> str:
    """One tabular per table, with booktabs' rules; sentences and notes as comments."""

    def safe(text: str) -> str:
        return "".join(_LATEX.get(letter) or _letter(letter) for letter in " ".join(text.split()))

    def comment(text: str) -> str:
        return f"% {' '.join(text.split())}"

    lines = ["% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}", *map(comment, page.lines)]
    for part in page.tables:
        rows = [" & ".join(map(safe, row)) + r" \\" for row in part.rows]
        lines += ["", comment(part.title), f"\\begin{{tabular}}{{{'l' * len(part.head)}}}", r"\toprule"]
        lines += [
            " & ".join(map(safe, part.head)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    lines += ["", *map(comment, page.notes)] if page.notes else []
    return "\n".join(lines) + "\n"


def _letter(letter: str) -> str:
    """A letter as it is, or the number of a character that LaTeX would stop at."""
    if letter.isascii() or (letter.isalpha() and ord(letter) < LATIN):
        return letter
    return f"[U+{ord(letter):04X}]"
