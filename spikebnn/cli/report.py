"""Print what a run found, what a certificate says, or what a program holds.

spikebnn report run.json               a score written by `spikebnn run -o`
spikebnn report cert.json              a certificate written by `spikebnn verify -o`
spikebnn report net.sbnn               sizes, layers and findings of a program
spikebnn report run.json               a stream written by `spikebnn stream -o`, or curves by `spikebnn faults -o`
spikebnn report run.json --html -o page.html      one self-contained page with figures, for a browser
"""

from __future__ import annotations

import argparse
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import spikebnn
from spikebnn.cli.facts import facts_of, text_of
from spikebnn.cli.screen import answer, check_output, colored, write
from spikebnn.errors import InputError
from spikebnn.recorded import CURVES, STREAM, Recorded, curves_of, schema_of

_FORMS = ("text", "markdown", "csv", "latex")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("file", metavar="FILE", help="run.json, cert.json, curves.json or net.sbnn")
    parser.add_argument("--format", choices=_FORMS, default="text", help="how to print a score")
    parser.add_argument(
        "--rate", type=float, metavar="HZ", help="frames per second: also price a chip that stays on between them"
    )
    parser.add_argument("--html", action="store_true", help="a page with figures, for a browser; needs -o")
    parser.add_argument("--title", metavar="TEXT", help="what stands above the page (default: the file's name)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report here instead of printing it")


def execute(chosen: argparse.Namespace) -> int:
    """Read, print."""
    if zipfile.is_zipfile(chosen.file):
        _scores_only(chosen, "program")
        if chosen.format != "text":
            raise InputError(
                f"--format {chosen.format} is for scores; a program is printed as text or with --json"
            )
        facts = facts_of(spikebnn.load(chosen.file))
        return _out(chosen, text_of(facts), facts)
    if (certificate := _certificate(chosen.file)) is not None:
        _scores_only(chosen, "certificate")
        if chosen.format != "text":
            raise InputError(
                f"--format {chosen.format} is for scores; a certificate is printed as text or with --json"
            )
        return _out(chosen, _verdicts(certificate, chosen.file), certificate)
    schema = schema_of(chosen.file)
    if schema.partition("/")[0] in (STREAM.partition("/")[0], CURVES.partition("/")[0]):
        return _recorded(chosen, schema)
    if chosen.html:
        return _page(chosen)
    from spikebnn.report import read_score

    score = read_score(chosen.file)
    if chosen.rate is not None:
        score = replace(score, rate=chosen.rate)
    color = colored() and not chosen.output
    return _out(
        chosen, spikebnn.report(score, form=chosen.format, color=color).rstrip(), score.to_json().rstrip()
    )


def _scores_only(chosen: argparse.Namespace, what: str) -> None:
    if chosen.rate is not None:
        raise InputError(f"--rate is for scores; {chosen.file} is a {what}, which has no energy")
    if chosen.html:
        raise InputError(f"--html is for scores; {chosen.file} is a {what}; `spikebnn run -o` writes a score")


def _recorded(chosen: argparse.Namespace, schema: str) -> int:
    """A stream, or curves of faults on plain data."""
    from spikebnn.cli.curves import text_of as curve_text

    if chosen.rate is not None or chosen.format != "text":
        option = "--rate" if chosen.rate is not None else f"--format {chosen.format}"
        raise InputError(f"{option} is for scores; {chosen.file} holds a stream or curves of faults")
    found = json.loads(Path(chosen.file).read_text(encoding="utf-8"))
    whole = Recorded.from_json(found) if schema != CURVES else None
    curves = curves_of(found) if whole is None else whole.curves
    if chosen.html:
        from spikebnn import page

        _check_page(chosen)
        title = chosen.title or ""
        return _written(chosen, page.faults_html(found, title) if whole is None else page.stream_html(whole, title))
    texts = [] if whole is None else [whole.text]
    return _out(chosen, "\n\n".join([*texts, *map(curve_text, curves)]), found)


def _check_page(chosen: argparse.Namespace) -> None:
    if not chosen.output:
        raise InputError("a page is written to a file; name it: -o page.html")
    if chosen.format != "text":
        raise InputError(f"--html writes a page, and --format {chosen.format} prints text; give one of them")
    check_output(chosen.output, chosen.file)


def _written(chosen: argparse.Namespace, text: str) -> int:
    write(chosen.output, text, chosen.file)
    answer(chosen, chosen.output, {"page": chosen.output, "bytes": len(text.encode())})
    return 0


def _page(chosen: argparse.Namespace) -> int:
    from spikebnn import page

    _check_page(chosen)
    score, detail = page.read(chosen.file)
    if chosen.rate is not None:
        score = replace(score, rate=chosen.rate)
    return _written(chosen, page.html(score, detail, chosen.title or Path(chosen.file).stem))


def _certificate(path: str) -> dict[str, Any] | None:
    """The certificate in a file; None for anything else, of which a score's reader will speak."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    mine = isinstance(found, dict) and str(found.get("schema")).startswith("spikebnn.certificate/")
    return found if mine else None


def _verdicts(found: dict[str, Any], path: str) -> str:
    """A certificate for reading, as `verify` printed it."""
    from spikebnn.cli.verify import text_of
    from spikebnn.divergence import Divergence
    from spikebnn.verify import SCHEMA, Certificate, Verdict

    if found["schema"] != SCHEMA:
        raise InputError(f"{path} is of schema {found['schema']!r}, {SCHEMA!r} is wanted; verify again")
    try:
        verdicts = []
        for verdict in found["verdicts"]:
            first = verdict["first"]
            if first is not None:
                first = Divergence(**{name: value for name, value in first.items() if name != "text"})
            verdicts.append(Verdict(**{**verdict, "first": first}))
        plain = {name: value for name, value in found.items() if name != "schema"}
        return text_of(Certificate(**{**plain, "verdicts": tuple(verdicts)}))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} has a value that does not fit {SCHEMA}: {error}; verify again") from error


def _out(chosen: argparse.Namespace, text: str, data: object) -> int:
    if chosen.output:
        write(chosen.output, text, chosen.file)
        return 0
    answer(chosen, text, data)
    return 0
