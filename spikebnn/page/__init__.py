"""One score as one self-contained page: figures, tables, sources; it asks nothing of any network, and needs no server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from spikebnn.detail import Detail
from spikebnn.errors import InputError
from spikebnn.page.cards import cards
from spikebnn.page.charts import figures
from spikebnn.page.figure import Figure, config
from spikebnn.page.places import METRICS
from spikebnn.report import page as tables_of
from spikebnn.score import Score
from spikebnn.tables import Table

HERE = Path(__file__).resolve().parent
VEGA_LITE = "6.4"
NEEDS = 'a page needs jinja2 and vl-convert-python: pip install "spikebnn[html]"'
NO_DETAIL = "this score was written without a closer look; `spikebnn run -o` adds one"

__all__ = ["html", "read"]


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
    try:
        import jinja2
    except ImportError as error:
        raise InputError(NEEDS) from error
    drawn = figures(score, detail)
    told = tables_of(score)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    raster = None if detail is None else detail.raster
    facts = {
        "figures": {name: compiled(figure) for name, figure in drawn.items()},
        "ratios": {name: figure.ratio for name, figure in drawn.items() if figure.ratio is not None},
        "raster": None if raster is None else asdict(raster),
    }
    first, *rest = (
        line for line in told.lines if not line.startswith(("accuracy: ", "agreement with "))
    )  # cards say these
    return environment.get_template("page.html.j2").render(
        title=title or score.target,
        subtitle=first[:1].upper() + first[1:],
        lines=[line[:1].upper() + line[1:] for line in rest],
        cards=cards(score),
        figures=drawn,
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
        style=(HERE / "style.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        library=library(),
        facts=json.dumps(facts, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c"),
    )


def compiled(figure: Figure) -> dict[str, Any]:
    """A figure as Vega, so that the page carries no compiler; as high as its ratio says where it has one."""
    try:
        import vl_convert
    except ImportError as error:
        raise InputError(NEEDS) from error
    shared = dict(config())
    own = figure.spec.get("config", {})
    spec = {
        **figure.spec,
        "width": "container",
        "config": {**shared, **own},
        "autosize": {"type": "fit-x", "contains": "padding"},
    }
    made: dict[str, Any] = vl_convert.vegalite_to_vega(spec, vl_version=VEGA_LITE)
    if figure.ratio is not None:
        made.pop("height", None)
        signals = [signal for signal in made.get("signals", ()) if signal["name"] != "height"]
        low, high = 130, 640
        made["signals"] = [
            *signals,
            {"name": "height", "update": f"clamp(width * {figure.ratio:.4f}, {low}, {high})"},
        ]
    return made


@cache
def library() -> str:
    """Vega with its embedder, as vl-convert brings them, without anything that the page's markup could trip over."""
    import vl_convert

    code: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _key(table: Table) -> str:
    """The place of a table on the page, by the first words of its title."""
    for key in ("energy per frame", "layers", "use of the cores", "time", "constants"):
        if table.title.startswith(key):
            return key
    return table.title
