"""Targets: what is shipped loads and has sources; every kind of mistake in a file has its sentence."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from spikebnn.baseline import baseline_refs, baselines
from spikebnn.errors import InputError, TargetError
from spikebnn.shelf import shelf
from spikebnn.targets import load_target, target_names
from spikebnn.targets.numbers import KINDS
from spikebnn.targets.schema import CHOICES, SECTIONS

SHIPPED = (
    "loihi-sim", "loihi-sim-davies2018", "loihi-sim-sanafe2025", "loihi2-sim", "ranc-sim", "tiny-list", "tiny-test",
    "truenorth-sim", "truenorth-sim-26pj",
)  # fmt: skip


def test_these_targets_are_shipped() -> None:
    assert set(SHIPPED) <= set(target_names())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_number_of_a_shipped_target_has_a_source(name: str) -> None:
    target = load_target(name)
    for quantity in (*target.energy.values(), *target.timing.values()):
        assert quantity.lo <= quantity.v <= quantity.hi
        assert quantity.kind in KINDS
        assert all(key.strip() in target.refs for key in quantity.src.split(","))
    for section in SECTIONS:
        part = getattr(target, section)
        for field in part.__dataclass_fields__:
            path = f"{section}.{field}"
            if getattr(part, field) != part.__dataclass_fields__[field].default and path not in CHOICES:
                assert path in target.sources, path
    assert all(len(text) > 20 for text in target.refs.values())
    assert target.left_out


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_not_sourced_is_marked_as_assumed_and_says_so(name: str) -> None:
    target = load_target(name)
    if name.startswith("tiny"):
        assert all(source.kind == "assumed" for source in target.sources.values())
    else:
        assert all(source.cond for source in target.sources.values() if source.kind in ("assumed", "derived"))


@pytest.mark.parametrize("name", SHIPPED)
def test_no_cost_is_zero(name: str) -> None:
    assert all(quantity.v > 0 for quantity in load_target(name).energy.values())


def test_the_pinned_preset_has_the_default_constants() -> None:
    default, pinned = load_target("loihi-sim"), load_target("loihi-sim-sanafe2025")
    assert (default.energy, default.timing) == (pinned.energy, pinned.timing)
    assert default.digest != pinned.digest


@pytest.mark.parametrize(
    ("chip", "preset"),
    [("loihi-sim", "loihi-sim-davies2018"), ("truenorth-sim", "truenorth-sim-26pj")],
)
def test_two_presets_of_a_chip_share_their_structure_and_differ_in_price(chip: str, preset: str) -> None:
    a, b = load_target(chip), load_target(preset)
    assert all(getattr(a, section) == getattr(b, section) for section in SECTIONS)
    assert a.family == b.family
    assert a.energy["synaptic_event"].v != b.energy["synaptic_event"].v


def test_loihi2_and_ranc_ship_no_energy() -> None:
    assert not load_target("loihi2-sim").energy
    assert not load_target("ranc-sim").energy
    assert not load_target("ranc-sim").timing


def test_davies_prices_neither_spikes_nor_messages() -> None:
    assert not {"spike", "message"} & set(load_target("loihi-sim-davies2018").energy)


# ------------------------------------------------------------------------------------------- a file of your own

TINY = (shelf("mappings") / "targets" / "tiny-test.toml").read_text(encoding="utf-8")


def written(folder: Path, old: str = "", new: str = "", name: str = "mine.toml") -> Path:
    text = TINY.replace("schema = 1", "schema = 1", 1)
    if old:
        assert re.search(old, text, re.MULTILINE), old
        text = re.sub(old, lambda _: new, text, count=1, flags=re.MULTILINE)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def sentence(path: Path) -> str:
    with pytest.raises(TargetError) as caught:
        load_target(path)
    return str(caught.value)


def test_a_target_of_your_own_is_read_by_its_path(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert load_target(path).core.neurons == 32
    assert load_target(str(path)).digest == load_target(path).digest


MISTAKES = [
    (r"^neurons = 32", 'neurons = "32"', 'mine.toml: core.neurons is "32", a text; it must be a whole number.'),
    (r"^neurons = 32", "neurons = true", "mine.toml: core.neurons is true; it must be a whole number."),
    (r"^neurons = 32", "neurons = 3.5", "mine.toml: core.neurons is 3.5; it must be a whole number."),
    (r"^neurons = 32", "neurons = -1", "mine.toml: core.neurons is -1; it must be at least 1."),
    (r"^axons = 32", "axon = 32", ('mine.toml has 3 mistakes:\n  core.axon is no key of a target file; did you mean axons?\n'
     '  core.axons is missing.\n  sources."core.axons" gives a source for a number that the file does not set.')),
    (r"^format = .*", 'format = "dense"', 'mine.toml: synapse.format has "dense", a text; known are crossbar, list.'),
    (r"^resets = .*", 'resets = ["soft"]', 'mine.toml: neuron.resets has "soft", a text; known are memoryless, zero, subtract, none.'),
    (r"^resets = .*", "resets = []", "mine.toml: neuron.resets is empty; at least one is needed."),
    (r"^reach = .*", "reach = [15]", "mine.toml: topology.reach is [15]; it must be a pair of whole numbers."),
    (r"^reach = .*", "reach = [15, 7]\ndead_cores = [[9, 0]]", "mine.toml: topology.dead_cores has (9, 0), outside the grid of 8 x 8."),
    (r"^cores_per_tile = .*", "cores_per_tile = 5", "mine.toml: topology.cores_per_tile is 5, which does not divide 8 x 8 cores."),
    (r"^delay_min = .*", "delay_min = 16", "mine.toml: neuron.delay_min is 16, above neuron.delay_max, 15."),
    (r"^membrane_readout = .*", "membrane_readout = 0", "mine.toml: neuron.membrane_readout is 0; it must be true or false."),
    (r"^spike = \{.*", "spike = 7e-12", "mine.toml: energy.spike is 7e-12; it must be { v, lo, hi, unit, src, kind, cond }."),
    (r"^spike = \{ v = 7e-12", "spike = { v = 7e-11", "mine.toml: energy.spike has lo 3.5e-12, v 7e-11, hi 1.4e-11; they must rise in this order."),
    (r"^spike = \{ v = 7e-12", "spike = { v = -7e-12", "mine.toml: energy.spike.v is -7e-12; a cost is never negative."),
    (r"^spike = \{ v = 7e-12, lo = 3.5e-12", "spike = { v = 0, lo = 0",
     "mine.toml: energy.spike.v is 0; leave an unknown cost out, or name under [included] where it is contained."),
    (r"^spike = \{ v = 7e-12", "spike = { v = nan", "mine.toml: energy.spike.v is nan; it must be a finite number."),
    (r'^(spike = .*?)unit = "J"', 'spike = { v = 7, lo = 3, hi = 14, unit = "pJ"',
     'mine.toml: energy.spike.unit is "pJ", a text; it must be \'J\' (joules): write 1 pJ as 1e-12.'),
    (r"^spike = .*", 'spike = { v = 7e-12, lo = 3.5e-12, hi = 1.4e-11, unit = "J", src = "NOBODY", kind = "assumed" }',
     "mine.toml: energy.spike.src names 'NOBODY', which is not in [refs]."),
    (r"^spike = .*", 'spike = { v = 7e-12, lo = 3.5e-12, hi = 1.4e-11, unit = "J", kind = "assumed" }',
     "mine.toml: energy.spike has no source; src must name a key of [refs]."),
    (r"^spike = .*", 'spike = { v = 7e-12, lo = 3.5e-12, hi = 1.4e-11, unit = "J", src = "TEST", kind = "guess" }',
     'mine.toml: energy.spike.kind is "guess", a text; known are measured, spice, fitted, vendor, derived, assumed, quoted.'),
    (r"^spike = ", "spikes = ", "mine.toml: energy.spikes is no key of a target file; did you mean spike?"),
    (r"^memory_scan = .*", 'barrier = "static_power"',
     "mine.toml: barrier has a cost under energy and is said to be included elsewhere; keep one of the two."),
    (r'^"core.axons" = .*\n', "", 'mine.toml: core.axons has no source; add "core.axons" = { src = "KEY", kind = "..." } to [sources].'),
    (r'^"core.axons" = .*', '"core.axons" = "TEST"', 'mine.toml: sources."core.axons" is "TEST", a text; it must be { src = "KEY", kind = "..." }.'),
    (r"^schema = 1", "schema = 2", "mine.toml: schema is 2; it must be 1, the version of this file format."),
    (r"^title = .*\n", "", "mine.toml: title is missing; it must be a text."),
    (r"^\[fan\]", "[fans]", "mine.toml has 5 mistakes:"),
    (r"^left_out = .*", "left_out = 3", "mine.toml: left_out is 3; it must be a list of texts."),
    (r"^axon_types = .*\n", "", 'mine.toml: sources."synapse.axon_types" gives a source for a number that the file does not set.'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "wanted"), MISTAKES, ids=[new or old for old, new, _ in MISTAKES])
def test_a_mistake_has_its_sentence(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    said = sentence(written(tmp_path, old, new))
    assert said == wanted or (wanted.endswith(":") and said.startswith(wanted))


def test_a_crossbar_without_axon_types_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, r"^axon_types = .*\n", "")
    path.write_text(re.sub(r'"synapse.axon_types".*\n', "", path.read_text()), encoding="utf-8")
    assert sentence(path) == "mine.toml: synapse.axon_types is missing; a crossbar needs it."


def test_all_mistakes_of_a_file_come_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, r"^neurons = 32", "neurons = -1")
    path.write_text(
        path.read_text().replace('kind = "assumed", cond = "made up" }', 'kind = "x" }'), encoding="utf-8"
    )
    said = sentence(path)
    assert said.startswith("mine.toml has ")
    assert "core.neurons is -1" in said
    assert said.count('.kind is "x"') == 11 + 8


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = ", encoding="utf-8")
    assert sentence(path).startswith("mine.toml: this is no TOML file: Invalid value (at end of document)")
    path.write_bytes(b"\xff\xfe\x00")
    assert sentence(path).startswith("mine.toml: this is no TOML file")


@pytest.mark.parametrize(
    "junk", ["", "energy = 3\nsources = 4\nrefs = []\ntopology = 1\n", "extends = 3\n", "x = [[1]]\n"]
)
def test_a_strange_file_is_a_sentence_and_no_traceback(tmp_path: Path, junk: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(junk, encoding="utf-8")
    assert sentence(path)


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(TargetError) as caught:
        load_target("loihi-sin")
    assert str(caught.value).startswith("there is no target named 'loihi-sin'; known are loihi-sim, ")
    assert str(caught.value).endswith(
        "; a file of your own is given by its path, ending in .toml; did you mean loihi-sim?"
    )


def test_a_path_without_a_file_says_so(tmp_path: Path) -> None:
    assert sentence(tmp_path / "none.toml").startswith(
        f"there is no target file {tmp_path / 'none.toml'}; known targets are "
    )


# ------------------------------------------------------------------------------------------------------ extends

HEAD = 'schema = 1\nname = "mine"\ntitle = "mine"\n'


def child(folder: Path, text: str, base: str = "loihi-sim") -> Path:
    path = folder / "mine.toml"
    path.write_text(f'{HEAD}extends = "{base}"\n{text}', encoding="utf-8")
    return path


def test_a_child_replaces_one_number_and_keeps_the_rest(tmp_path: Path) -> None:
    line = 'spike = { v = 1e-12, lo = 1e-12, hi = 1e-12, unit = "J", src = "ME", kind = "measured" }'
    mine = load_target(child(tmp_path, f'[energy]\n{line}\n[refs]\nME = "my own bench"\n'))
    base = load_target("loihi-sim")
    assert mine.energy["spike"].v == 1e-12
    assert {key: q for key, q in mine.energy.items() if key != "spike"} == {
        key: q for key, q in base.energy.items() if key != "spike"
    }
    assert mine.core == base.core
    assert mine.digest != base.digest


def test_dead_cores_are_a_choice_and_need_no_source(tmp_path: Path) -> None:
    mine = load_target(child(tmp_path, "[topology]\ndead_cores = [[3, 7], [0, 0]]\nchips = 2\n"))
    assert mine.topology.dead_cores == ((3, 7), (0, 0))


def test_a_replaced_limit_may_not_inherit_the_old_source(tmp_path: Path) -> None:
    path = child(tmp_path, "[core]\nneurons = 512\n")
    assert sentence(path) == (
        'mine.toml: core.neurons replaces a number of loihi-sim but not its source; add "core.neurons" to [sources].'
    )


def test_a_dropped_key_is_gone(tmp_path: Path) -> None:
    assert "spike" not in load_target(child(tmp_path, 'drop = ["energy.spike"]\n')).energy


def test_dropping_what_is_not_there_is_refused(tmp_path: Path) -> None:
    path = child(tmp_path, 'drop = ["energy.spikes"]\n')
    assert sentence(path) == "mine.toml: drop names 'energy.spikes', which loihi-sim does not have"


def test_extends_that_goes_in_a_circle_is_refused(tmp_path: Path) -> None:
    path = child(tmp_path, "", base="mine.toml")
    assert sentence(path) == "mine.toml: extends goes in a circle: mine.toml -> mine.toml"


def test_a_digest_follows_the_files_it_extends(tmp_path: Path) -> None:
    base = written(tmp_path, name="base.toml")
    before = load_target(child(tmp_path, "", base="base.toml")).digest
    base.write_text(base.read_text() + "\n# changed\n", encoding="utf-8")
    assert load_target(tmp_path / "mine.toml").digest != before


def test_line_ends_do_not_change_a_digest(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = load_target(path).digest
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_target(path).digest == before


def test_a_plug_in_adds_a_target_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, name="plugged.toml")
    (tmp_path / "plug_of_test.py").write_text(
        "from pathlib import Path\ndef path():\n    return Path(__file__).parent / 'plugged.toml'\n",
        encoding="utf-8",
    )
    info = tmp_path / "plug_of_test-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: plug-of-test\nVersion: 1\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        "[spikebnn.targets]\nplugged = plug_of_test:path\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "plugged" in target_names()
    assert load_target("plugged").core.neurons == 32
    (info / "entry_points.txt").write_text(
        "[spikebnn.targets]\nloihi-sim = plug_of_test:path\n", encoding="utf-8"
    )
    with pytest.raises(
        TargetError, match="two targets are named 'loihi-sim', one of them from plug_of_test:path"
    ):
        target_names()
    sys.modules.pop("plug_of_test", None)


def test_the_shelf_prefers_what_the_wheel_carries(tmp_path: Path) -> None:
    package = tmp_path / "spikebnn"
    (tmp_path / "mappings").mkdir()
    package.mkdir()
    assert shelf("mappings", near=package) == tmp_path / "mappings"
    (package / "_shelf" / "mappings").mkdir(parents=True)
    assert shelf("mappings", near=package) == package / "_shelf" / "mappings"
    with pytest.raises(InputError, match="the folder 'sims' of spikebnn is missing"):
        shelf("sims", near=package)


def test_baselines_have_sources_and_say_what_they_include() -> None:
    for baseline in baselines():
        assert baseline.at
        assert 0 < baseline.mac.lo <= baseline.mac.v <= baseline.mac.hi
        assert all(key.strip() in baseline_refs() for key in baseline.mac.src.split(","))
