"""A score, a stream or curves of faults as one self-contained page, which asks nothing of any network or server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from spikebnn.detail import Detail
from spikebnn.errors import InputError
from spikebnn.faults import KINDS
from spikebnn.page.cards import cards
from spikebnn.page.charts import figures
from spikebnn.page.curves import curve_figure
from spikebnn.page.places import METRICS
from spikebnn.page.render import check_installed, library, rendered
from spikebnn.page.stream import CLASSES, bad_rows, stream_cards, stream_figures
from spikebnn.recorded import Recorded, curves_of
from spikebnn.report import page as tables_of
from spikebnn.score import Score
from spikebnn.tables import Table

NO_DETAIL = "this score was written without a closer look; `spikebnn run -o` adds one"

ON_CARDS = ("accuracy ", "latency ", "energy per decision, while", "mean power: ", "left out: ")  # or have a section
NO_CURVES = "no curve was recorded; `spikebnn stream --sweep packet-loss=0,0.01,0.1 -o run.json` adds one"

__all__ = ["check_installed", "faults_html", "html", "library", "read", "stream_html"]


def read(path: str | Path) -> tuple[Score, Detail | None]:
    """A score and, where its file holds one, its detail; raises InputError with a sentence otherwise."""
    from spikebnn.report import read_score

    score = read_score(path)
    found = json.loads(Path(path).read_text(encoding="utf-8")).get("detail")
    if found is None:
        return score, None
    if not isinstance(found, Mapping):
        raise InputError(f"the detail in {path} is no object; run again")
    return score, Detail.from_json(found)


def html(score: Score, detail: Detail | None = None, title: str = "") -> str:
    """The page of a score. The same score gives the same bytes.

    Without `detail` the page says what it lacks: raster, confusion matrix, latencies. `title` stands above it, by
    default the target's name. Raises InputError where jinja2 or vl-convert-python is not installed.
    """
    drawn = figures(score, detail)
    told = tables_of(score)
    raster = None if detail is None else detail.raster
    first, *rest = (
        line for line in told.lines if not line.startswith(("accuracy: ", "agreement with "))
    )  # cards say these
    return rendered(
        "page.html.j2",
        drawn,
        {"raster": None if raster is None else asdict(raster)},
        ("page.js",),
        title=title or score.target,
        subtitle=first[:1].upper() + first[1:],
        lines=[line[:1].upper() + line[1:] for line in rest],
        cards=cards(score),
        metrics=METRICS,
        chips=sorted({core.chip for core in score.cores}),
        detail=detail,
        raster=raster,
        raster_rows=[]
        if raster is None
        else [(f"{n}. {b.layer}", str(b.start), str(b.neurons)) for n, b in enumerate(raster.blocks, 1)],
        no_detail=NO_DETAIL,
        tables={_key(table): table for table in told.tables},
        notes=[note for note in told.notes if not note.startswith("left out of ")],  # they have a section
        left_out=score.energy.left_out,
        lacks=score.energy.lacks,
        host=score.host,
    )


def stream_html(run: Recorded, title: str = "") -> str:
    """The page of a recorded stream; `title` stands above it, by default the stream's own."""
    facts = run.facts
    first, *rest = (line.strip() for line in run.text.splitlines()[1:])
    rest = [line for line in rest if not line.startswith(ON_CARDS) and " decisions of " not in line]
    many = len(facts["classes"])
    why = (
        f"a confusion matrix is shown for up to {CLASSES} classes, and this stream has {many}"
        if facts["confusion"] is not None
        else "nothing is labelled, so there is no confusion matrix"
    )
    excerpt = run.excerpt
    return rendered(
        "stream.html.j2",
        stream_figures(run),
        {"excerpt": None if excerpt is None else asdict(excerpt), "classes": list(facts["classes"])},
        ("excerpt.js", "page.js"),
        title=title or facts["title"],
        subtitle=first[:1].upper() + first[1:],
        lines=[line[:1].upper() + line[1:] for line in rest],
        cards=stream_cards(run),
        excerpt=excerpt,
        layer_rows=[] if excerpt is None else [(layer.name, str(layer.rows)) for layer in excerpt.layers],
        no_confusion=why,
        latency_note=run.latency_note,
        bad=bad_rows(run),
        curves=run.curves,
        no_curves=NO_CURVES,
        left_out=facts["left_out"],
    )


def faults_html(document: Mapping[str, object], title: str = "") -> str:
    """The page of curves of faults on plain data, as `spikebnn.recorded.curves_document` holds them."""
    curves = curves_of(document)
    return rendered(
        "faults.html.j2",
        {f"fault{n}": curve_figure(n, curve) for n, curve in enumerate(curves)},
        {},
        ("page.js",),
        title=title or str(document.get("title", "faults")),
        subtitle=f"Program {str(document.get('program'))[:12]} on {document.get('target')}",
        curves=curves,
        kinds=KINDS,
    )


def _key(table: Table) -> str:
    """The place of a table on the page, by the first words of its title."""
    for key in ("energy per frame", "layers", "use of the cores", "time", "constants"):
        if table.title.startswith(key):
            return key
    return table.title
