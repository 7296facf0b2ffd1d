"""The page: self-contained, honest about what it lacks, and whole in a real browser, wide and narrow, light and dark."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikebnn
from spikebnn import data
from spikebnn.cli import main
from spikebnn.detail import SCHEMA, Detail, detail, raster_bits, spread
from spikebnn.errors import InputError
from spikebnn.faults.curve import FaultCurve, Point
from spikebnn.page import faults_html, html, read, stream_html
from spikebnn.page.charts import figures
from spikebnn.page.costs import energy_figure
from spikebnn.page.figure import wrapped
from spikebnn.page.places import core_energy
from spikebnn.recorded import Recorded, curves_document
from spikebnn.score import Score, score
from spikebnn.stream import Recorder, load_scenario, stream
from spikebnn.targets import load_target
from tests.strategies_energy import core, program, programs, run
from tests.test_stream import chooser, one_hot, telemetry

VOWELS = Path(__file__).resolve().parent.parent / "examples" / "japanese_vowels"
NASTY = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>&\"'"


@pytest.fixture(scope="module")
def vowels():
    """Program, run, score and detail of a real net on a crossbar chip."""
    target = load_target("truenorth-sim")
    made = spikebnn.map(VOWELS / "net.pt", target)
    frames = data.load(VOWELS / "test.npz")
    told = spikebnn.run(made, frames.x)
    return made, told, score(told, made, target, frames.y), detail(told, made, target, frames.x, frames.y)


def judged(target: str = "tiny-test", frames: int = 8, **more) -> Score:
    made = program((core(0, 0, 0), core(0, 3, 2)), [(0, 0, 1, 0, 1)], target=target)
    return score(run(made, frames), made, load_target(target), **more)


# ---------------------------------------------------------------------------------------------------------- the detail


def test_a_raster_holds_the_runs_own_spikes(vowels):
    made, told, _, closer = vowels
    raster = closer.raster
    layer = np.concatenate([part.layer for part in made.cores])
    start = np.concatenate([part.start for part in made.cores])
    order = np.lexsort((np.arange(len(layer)), start, layer))
    frames = data.load(VOWELS / "test.npz", len(raster.frames))
    kept = spikebnn.run(made, frames.x, record=True).raster
    assert (raster_bits(raster).sum(axis=1) == kept[:, order]).all()
    assert raster.classes == tuple(told.classes[: len(raster.frames)])
    assert sum(block.neurons for block in raster.blocks) == len(layer)


def test_a_confusion_matrix_counts_every_frame_once(vowels):
    _, told, judged, closer = vowels
    matrix = np.array(closer.confusion)
    assert matrix.sum() == told.frames
    assert np.trace(matrix) == judged.correct


def test_a_detail_is_read_back_from_its_json(vowels):
    closer = vowels[3]
    assert Detail.from_json(json.loads(json.dumps(closer.to_json()))) == closer


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": "spikebnn.detail/9"}, "the detail is of schema 'spikebnn.detail/9', 'spikebnn.detail/1' is wanted; run again"),
        ({"spikes": {"unit": "spikes"}}, f"the detail has a value that does not fit {SCHEMA}: 'edges'; run again"),
        ({"confusion": 3}, f"the detail has a value that does not fit {SCHEMA}: "),
    ],
)
def test_a_broken_detail_is_refused_with_a_sentence(vowels, change, sentence):
    with pytest.raises(InputError) as caught:
        Detail.from_json({**vowels[3].to_json(), **change})
    assert sentence in str(caught.value)


def test_what_was_not_known_has_a_sentence(vowels):
    made, told, _, _ = vowels
    frames = data.load(VOWELS / "test.npz")
    bare = detail(told, made, load_target("truenorth-sim"), frames.x, None, frames=0)
    assert bare.confusion is None
    assert bare.confusion_note == "no labels were given, so there is no confusion matrix; data with y have one"
    assert bare.raster_note == "no spikes were kept; run with --detail 8"
    assert bare.raster is None


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=200), st.sampled_from(["spikes", "s"]))
@settings(max_examples=60)
def test_a_spread_counts_every_value_once(values, unit):
    made = spread(np.array(values, np.float64), unit)
    assert sum(made.counts) == len(values)
    assert len(made.edges) == len(made.counts) + 1
    assert made.low <= made.middle <= made.high


def test_nothing_has_no_spread():
    assert spread(np.zeros(0), "s") is None


# --------------------------------------------------------------------------------------------------- the page as a text


def test_the_same_score_gives_the_same_bytes_and_asks_no_network(vowels):
    text = html(vowels[2], vowels[3], "a")
    assert text == html(vowels[2], vowels[3], "a")
    assert len(text.encode()) < 3_000_000
    assert "default-src 'none'" in text
    markup = re.sub(r"(<script[^>]*>).*?</script>", r"\1", text, flags=re.DOTALL)
    assert not re.findall(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=[\"'](?!data:)", markup)
    assert "@import" not in text.split("</style>")[0]


def test_what_a_user_wrote_is_text_and_nothing_else(vowels):
    made = vowels[2]
    layers = (replace(made.layers[0], name=NASTY), *made.layers[1:])
    raster = replace(vowels[3].raster, blocks=(replace(vowels[3].raster.blocks[0], layer=NASTY), *vowels[3].raster.blocks[1:]))
    text = html(replace(made, layers=layers, host=(NASTY,)), replace(vowels[3], raster=raster), NASTY)
    assert "<script>document.title" not in text
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_without_a_detail_the_page_says_what_it_lacks():
    text = html(judged())
    assert text.count("This score was written without a closer look; `spikebnn run -o` adds one.") == 4
    assert "<strong>unknown</strong><span>no labels were given</span>" in text


def test_a_chip_without_prices_has_no_energy_figure_and_says_so():
    text = html(judged("loihi2-sim"))
    assert "Energy is unknown; the target has no published constants for these events." in text
    assert 'id="plot-energy"' not in text


@pytest.mark.parametrize("frames", [0, 1])
def test_a_run_of_few_frames_still_has_a_page(frames):
    assert "<h1>tiny-test</h1>" in html(judged(frames=frames))


@given(st.data())
@settings(max_examples=20)
def test_energy_shared_out_over_cores_is_the_marginal_energy(given_data):
    name = given_data.draw(st.sampled_from(["loihi-sim", "truenorth-sim", "tiny-test"]))
    made = given_data.draw(programs(name))
    judged = score(run(made, 3), made, load_target(name))
    own = judged.energy.per_frame(judged.energy.marginal)
    if own is not None and energy_figure(judged) is not None:
        assert sum(core_energy(judged)) == pytest.approx(own.v, rel=1e-6)


def test_the_bars_of_energy_add_up_to_the_first(vowels):
    figure = energy_figure(vowels[2])
    bars = figure.spec["layer"][0]["data"]["values"]
    whole = sum(bar["v"] for bar in bars if bar["row"] == "all of it")
    assert whole == pytest.approx(sum(bar["v"] for bar in bars if bar["row"] != "all of it"))
    assert figures(vowels[2], None).keys() >= {"energy", "cores", "layers"}


@given(st.text(alphabet="abc ._-|", max_size=80))
def test_a_label_is_wrapped_and_never_cut(text):
    lines = wrapped(text, 18).split("|")
    assert all(len(line) <= 18 for line in lines)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text.replace("|", "/"))


# ------------------------------------------------------------------------------------------------------ the command line


def test_a_page_is_written_by_report_and_by_run(tmp_path, capsys, vowels):
    net, scored, page = tmp_path / "net.sbnn", tmp_path / "run.json", tmp_path / "page.html"
    vowels[0].save(net)
    words = ["run", str(net), "--data", str(VOWELS / "test.npz"), "--limit", "20", "-o", str(scored), "--html", str(tmp_path / "own.html"), "--quiet"]
    assert main(words) == 0
    assert "<h1>net on test</h1>" in (tmp_path / "own.html").read_text()
    assert Score.from_json(scored.read_text()).frames == 20
    found, closer = read(scored)
    assert found.frames == 20
    assert len(closer.raster.frames) == 8
    assert main(["report", str(scored), "--html", "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert "<h1>run</h1>" in page.read_text()
    assert main(["report", str(scored), "--html", "-o", str(page), "--title", NASTY, "--rate", "30"]) == 0
    assert NASTY not in page.read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--html"], "a page is written to a file; name it: -o page.html"),
        (["--html", "-o", "{}/p.html", "--format", "csv"], "--html writes a page, and --format csv prints text; give one of them"),
        (["--html", "-o", "{}/no/p.html"], "to write p.html into; make it first"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_with_a_sentence(tmp_path, capsys, words, sentence):
    path = tmp_path / "run.json"
    path.write_text(judged().to_json())
    assert main(["report", str(path), *(word.format(tmp_path) for word in words)]) == 2
    assert sentence in capsys.readouterr().err


def test_a_detail_of_fewer_than_no_frames_is_refused(tmp_path, capsys, vowels):
    vowels[0].save(tmp_path / "net.sbnn")
    assert main(["run", str(tmp_path / "net.sbnn"), "--data", str(VOWELS / "test.npz"), "--detail", "-1"]) == 2
    assert "--detail is a number of frames, 0 or more, not -1" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------- a real browser

LOOK = """
const said = [], box = (e) => e.getBoundingClientRect();
const wide = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > wide) said.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${wide}`);
for (const place of document.querySelectorAll(".plot")) {
  const marks = place.querySelectorAll("svg .mark-rect path, svg .mark-rule line, svg .mark-symbol path, svg .mark-text text");
  if (!marks.length) said.push(`${place.id} is empty`);
  if (!place.getAttribute("aria-label")) said.push(`${place.id} has no words`);
  if (box(place).height < 40) said.push(`${place.id} is ${box(place).height} high`);
}
const leaves = [...document.querySelectorAll("svg text, .raster span, h1, h2, p, li, dt, dd strong, dd span, figcaption, summary, .choice span, button, td, th, option, label")];
const shown = leaves.filter((e) => e.checkVisibility() && e.textContent.trim() && box(e).width && e.tagName !== "OPTION" && getComputedStyle(e).opacity !== "0");
for (const e of shown) {
  const b = box(e), told = e.textContent.trim().slice(0, 40);
  if (e.closest(".scroll")?.scrollWidth > e.closest(".scroll")?.clientWidth) said.push(`${told} stands in a table that must be scrolled`);
  if (b.left < -0.5 || b.right > wide + 0.5) said.push(`"${told}" leaves the page: ${b.left} to ${b.right}`);
  if (e.textContent.includes("\\u2026")) said.push(`"${told}" is cut`);
  if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "hidden") said.push(`"${told}" is cut at ${e.clientWidth} of ${e.scrollWidth}`);
}
for (const figure of document.querySelectorAll("figure, .cards, .controls, header")) {
  const texts = shown.filter((e) => figure.contains(e) && !e.closest("details")), seen = [];
  for (const e of texts) {
    const r = document.createRange();
    r.selectNodeContents(e);
    for (const b of e instanceof SVGElement ? [box(e)] : r.getClientRects()) seen.push([e, b]);
  }
  for (let i = 0; i < seen.length; i++)
    for (let j = i + 1; j < seen.length; j++) {
      const [e, a] = seen[i], [f, b] = seen[j];
      if (e === f || e.contains(f) || f.contains(e)) continue;
      const w = Math.min(a.right, b.right) - Math.max(a.left, b.left), h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (w > 1 && h > 3) said.push(`"${e.textContent.trim().slice(0, 30)}" lies over "${f.textContent.trim().slice(0, 30)}" by ${w.toFixed(1)} x ${h.toFixed(1)}`);
    }
}
const canvas = document.querySelector("#raster canvas");
if (document.getElementById("raster")) {
  if (!canvas) said.push("the raster is not drawn");
  else if (new Set(new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size < 3) said.push("the raster is blank");
}
const asked = performance.getEntriesByType("resource").map((e) => e.name).filter((name) => !name.startsWith("data:"));
if (asked.length) said.push(`the page asked for ${asked}`);
return said;
"""


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window. A machine without one says so at the end of the tests, in capitals."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("NOT TESTED: the page in a browser; install Debian's packages: apt-get install chromium chromium-driver")
    try:
        from selenium import webdriver
    except ImportError:
        pytest.skip('NOT TESTED: the page in a browser; selenium is missing: pip install "spikebnn[test]"')
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


def opened(browser, path, width, scheme):
    """Open a page at a width in a scheme, wait until it is drawn, and return what went wrong."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"media": "", "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(path.as_uri())
    for _ in range(600):
        if browser.execute_script("return document.documentElement.dataset.ready"):
            break
        time.sleep(0.05)
    else:
        return ["the page was not drawn within 30 s"]
    return [str(entry["message"]) for entry in browser.get_log("browser")] + browser.execute_script(LOOK)


VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


def written(tmp_path, text):
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_real_page_is_whole_in_a_browser_at_every_width_and_in_both_schemes(tmp_path, browser, vowels):
    path = written(tmp_path, html(vowels[2], vowels[3], "Japanese Vowels"))
    assert {view: opened(browser, path, *view) for view in VIEWS} == {view: [] for view in VIEWS}


def test_every_spike_of_the_chosen_frame_is_drawn(tmp_path, browser, vowels):
    closer = vowels[3]
    opened(browser, written(tmp_path, html(vowels[2], closer)), 1280, "light")
    spikes = raster_bits(closer.raster).sum(axis=(1, 2))
    for frame in range(3):
        assert browser.execute_script("return Number(document.getElementById('raster').dataset.spikes)") == spikes[frame]
        browser.execute_script("document.getElementById('after').click()")


def test_the_core_map_answers_to_its_controls(tmp_path, browser, vowels):
    opened(browser, written(tmp_path, html(vowels[2], vowels[3])), 1280, "light")

    def cells():
        time.sleep(0.3)
        return browser.execute_script("return [...document.querySelectorAll('#plot-cores .mark-rect.role-mark path')].map((e) => [e.getAttribute('fill'), e.getBoundingClientRect().width])")

    first = cells()
    assert len(first) == len(vowels[2].cores)
    browser.execute_script("document.querySelector('input[value=neurons]').click()")
    assert [fill for fill, _ in cells()] != [fill for fill, _ in first]
    browser.execute_script("document.querySelector('[data-zoom=in]').click()")
    assert max(wide for _, wide in cells()) > 1.5 * max(wide for _, wide in first)
    browser.execute_script("document.querySelector('[data-zoom=reset]').click()")
    assert max(wide for _, wide in cells()) == pytest.approx(max(wide for _, wide in first), rel=0.02)


def test_a_nasty_and_long_winded_score_is_whole_too(tmp_path, browser, vowels):
    long = "features.block_of_residuals.3.shortcut.a_very_long_name_for_a_convolution"
    raster = replace(vowels[3].raster, blocks=tuple(replace(block, layer=long) for block in vowels[3].raster.blocks))
    layers = tuple(replace(layer, name=f"{long}{n}" if n % 2 else NASTY) for n, layer in enumerate(vowels[2].layers))
    cores = tuple(replace(part, chip=n % 3) for n, part in enumerate(vowels[2].cores))
    made = replace(vowels[2], layers=layers, host=(NASTY, long * 3), cores=cores, chips=3)
    path = written(tmp_path, html(made, replace(vowels[3], raster=raster), NASTY))
    assert {view: opened(browser, path, *view) for view in VIEWS} == {view: [] for view in VIEWS}
    assert browser.title.startswith("</script>")


@pytest.mark.parametrize("target", ["tiny-test", "loihi2-sim", "loihi-sim-davies2018"])
def test_a_score_that_lacks_much_is_whole_too(tmp_path, browser, target):
    path = written(tmp_path, html(judged(target)))
    views = VIEWS[1::2]
    assert {view: opened(browser, path, *view) for view in views} == {view: [] for view in views}


def test_on_paper_everything_stays_within_the_sheet(tmp_path, browser, vowels):
    path = written(tmp_path, html(vowels[2], vowels[3], "Japanese Vowels"))
    opened(browser, path, 1280, "dark")
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 720, "height": 1000, "deviceScaleFactor": 1, "mobile": False})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    time.sleep(0.5)
    assert browser.execute_script(LOOK) == []
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    sheet = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    assert base64.b64decode(sheet["data"]).startswith(b"%PDF")


# ------------------------------------------------------------------------------------------------- a stream, and curves

LONG = "accelerometer of the left wrist, along the arm"


@pytest.fixture(scope="module")
def wrist():
    """A real stream with bad rows, on a chip whose latency depends on the frame, and two curves of faults."""
    plan = load_scenario("basic_motions")
    recorder = Recorder()
    stream(replace(plan, faults={"sensor-dropout": 0.004}, seed=1), watch=[recorder])
    return recorder.recorded([curve("packet-loss", 3), curve("sensor-dropout", 1, labelled=False)])


def curve(kind, repeats, labelled=True):
    points = tuple(
        Point(rate=rate, decisions=100.0 - 50 * rate, missed=50 * rate, accuracy=0.9 - rate if labelled else None,
              lowest=0.85 - rate if labelled else None, highest=0.93 - rate if labelled else None, agreement=None, spikes=9.0)
        for rate in (0.0, 0.001, 0.01, 0.02, 0.5)
    )  # fmt: skip
    return FaultCurve(kind=kind, unit="windows", seed=2, repeats=repeats, points=points)


def test_the_page_of_a_stream_is_small_however_long_the_stream(wrist):
    plan = load_scenario("basic_motions_day")
    recorder = Recorder()
    stream(plan, watch=[recorder])
    day = recorder.recorded()
    assert day.facts["seconds"] > 86_000
    assert len(stream_html(day).encode()) < 2_000_000
    again = Recorded.from_json(json.loads(json.dumps(day.to_json())))
    assert stream_html(again) == stream_html(day)
    assert "no curve was recorded" in stream_html(day).lower()


def test_the_page_of_a_stream_says_what_was_wrong_and_what_was_done(wrist):
    text = stream_html(wrist, NASTY)
    assert NASTY not in text
    assert re.search(r"<td[^>]*>a reading is missing, unreadable or infinite</td><td[^>]*>[1-9]", text)
    assert "<h3>packet-loss</h3>" in text
    assert "Means over seeds 2 to 4; the band goes from the worst seed to the best." in text
    assert f"<strong>{len(wrist.track.decided)}" not in text
    assert f"of {wrist.facts['windows']} windows, one every 500 ms" in text


def test_the_page_of_a_real_stream_is_whole_in_a_browser(tmp_path, browser, wrist):
    path = written(tmp_path, stream_html(wrist))
    assert {view: opened(browser, path, *view) for view in VIEWS} == {view: [] for view in VIEWS}
    assert browser.execute_script("return Number(document.getElementById('raster').dataset.spikes)") > 1000


def test_the_page_of_an_odd_stream_is_whole_too(tmp_path, browser, wrist):
    many = tuple(f"{NASTY}{n}" if n % 2 else f"{LONG} {n}" for n in range(12))
    matrix = [[(7 * a + b) % 5 for b in range(12)] for a in range(12)]
    signal = replace(wrist.signal, names=(LONG, NASTY, *wrist.signal.names[2:]), hidden=3)
    track = replace(wrist.track, chosen=tuple(n % 12 for n in range(len(wrist.track.decided))))
    excerpt = replace(wrist.excerpt, layers=tuple(replace(layer, name=LONG) for layer in wrist.excerpt.layers))
    facts = {**wrist.facts, "classes": many, "confusion": matrix, "title": LONG, "left_out": (NASTY, LONG)}
    odd = replace(wrist, facts=facts, signal=signal, track=track, excerpt=excerpt)
    path = written(tmp_path, stream_html(odd, NASTY))
    views = VIEWS[1::2]
    assert {view: opened(browser, path, *view) for view in views} == {view: [] for view in views}


def test_the_page_of_a_stream_of_nothing_is_whole_too(tmp_path, browser):
    bare = []
    for x, name in ((np.full((4, 3), np.nan), "bad"), (one_hot([1]), "one")):
        recorder = Recorder()
        (tmp_path / name).mkdir()
        stream(telemetry(tmp_path / name, chooser(), x), watch=[recorder])
        bare.append(opened(browser, written(tmp_path, stream_html(recorder.recorded())), 390, "light"))
    assert bare == [[], []]


def test_curves_on_plain_data_have_a_page_of_their_own(tmp_path, browser):
    document = curves_document("net on test", "a" * 64, "truenorth-sim", [curve("weight-flip", 5), curve("dead-cores", 1)])
    path = written(tmp_path, faults_html(document))
    assert {view: opened(browser, path, *view) for view in VIEWS[1:3]} == {view: [] for view in VIEWS[1:3]}
    assert "each bit of the synapses&#39; memory is flipped" in path.read_text()


def test_a_stream_is_recorded_and_reported_on_the_command_line(tmp_path, capsys):
    chosen = np.arange(60) % 3
    path = telemetry(tmp_path, chooser(), one_hot(chosen), chosen)
    run, own, page = (tmp_path / name for name in ("run.json", "own.html", "page.html"))
    assert main(["stream", str(path), "--summary", "-o", str(run), "--html", str(own), "--sweep", "packet-loss=0,1"]) == 0
    out = capsys.readouterr().out
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == out
    assert main(["report", str(run), "--html", "-o", str(page)]) == 0
    assert page.read_bytes() == own.read_bytes()
    assert main(["report", str(run), "--format", "csv"]) == 2
    assert "--format csv is for scores; " in capsys.readouterr().err
    run.write_text(run.read_text().replace("spikebnn.stream/1", "spikebnn.stream/7"))
    assert main(["report", str(run)]) == 2
    assert "the stream is of schema 'spikebnn.stream/7', 'spikebnn.stream/1' is wanted; run it again" in capsys.readouterr().err
