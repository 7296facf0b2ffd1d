"""From a template, figures and facts to one self-contained page: what all pages share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spikebnn.errors import InputError
from spikebnn.page.figure import Figure, config

HERE = Path(__file__).resolve().parent
VEGA_LITE = "6.4"
NEEDS = 'a page needs jinja2 and vl-convert-python: pip install "spikebnn[html]"'


def check_installed() -> None:
    """Raise InputError where what a page is made with is not installed."""
    if any(find_spec(name) is None for name in ("jinja2", "vl_convert")):
        raise InputError(NEEDS)


def rendered(
    template: str, figures: Mapping[str, Figure], facts: Mapping[str, Any], scripts: tuple[str, ...], **more: object
) -> str:
    """A page. `facts` go to its scripts, `more` to its template.

    Raises InputError where jinja2 or vl-convert-python is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise InputError(NEEDS) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    told = {
        "figures": {name: compiled(figure) for name, figure in figures.items()},
        "ratios": {name: figure.ratio for name, figure in figures.items() if figure.ratio is not None},
        **facts,
    }
    return environment.get_template(template).render(
        figures=figures,
        style=(HERE / "style.css").read_text(encoding="utf-8"),
        scripts=[(HERE / name).read_text(encoding="utf-8") for name in scripts],
        library=library(),
        facts=json.dumps(told, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c"),
        **more,
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
