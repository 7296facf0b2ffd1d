"""Streams: windows over rows, missed windows, decisions equal to a batch run, and sums that do not depend on batches."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import spikebnn
from spikebnn import sbnn
from spikebnn.energy import energy
from spikebnn.errors import InputError
from spikebnn.program import NO_FLOOR
from spikebnn.stream import SourcePlan, load_scenario, stream
from spikebnn.stream.samples import Samples
from spikebnn.stream.scenario import KEYS, policy_of
from spikebnn.stream.sources import Block
from spikebnn.stream.window import Cutter
from spikebnn.targets import load_target
from spikebnn.threshold import Encoder
from tests.strategies_program import make_core, make_program


def chooser(rows=1, channels=3, period=1, target="truenorth-sim"):
    """A program that chooses the channel that is above 0 in most of the rows; ties go to the lowest number."""
    inputs = rows * channels
    relays = make_core(
        inputs,
        [(0, inputs, np.ones(inputs, int), np.eye(inputs, dtype=int))],
        np.ones(inputs, int),
        *(np.full(inputs, k) for k in (0, 0, NO_FLOOR, 0, 0)),
    )
    program = make_program(
        [relays], [], [(k, 0, k, 0) for k in range(inputs)], inputs, period=period,
        outputs=[(k % channels, 0, k) for k in range(inputs)], base=[0] * channels,
    )  # fmt: skip
    encoder = Encoder(kind="thermometer", shape=(rows, channels), dtype="int16")
    return dataclasses.replace(program, encoder=encoder, target=target)


def telemetry(folder, program, x, y=None, scenario="", **arrays):
    """A scenario file beside its program and its rows."""
    sbnn.save(program, folder / "net.sbnn")
    labelled = {} if y is None else {"y": y}
    np.savez(folder / "rows.npz", x=x, **labelled, **arrays)
    text = '[source]\nfile = "rows.npz"\nrate = 100.0\n[network]\nprogram = "net.sbnn"\n' + scenario
    (folder / "s.toml").write_text(text)
    return folder / "s.toml"


def one_hot(chosen, channels=3):
    return np.eye(channels)[np.asarray(chosen)]


def rows_of(values, segments=None, policy="skip", **facts):
    """Clean rows of one channel, as the stream makes them."""
    x = np.array([np.nan if v is None else v for v in values], float)[:, None]
    plan = SourcePlan(file="x.npz", policy=policy_of(policy), **facts)
    samples = Samples(plan, 1.0, "rows", None, "x")
    named = None if segments is None else np.array(segments)
    done = [samples.push(Block(values=x, position={}, segments=named)), samples.finish()]
    return [rows for rows in done if rows is not None and len(rows)]


def cut(rows, size, hop):
    """All windows, each as (last row, bad, values, mended)."""
    cutter = Cutter(size, hop)
    found = [windows for part in rows for windows in cutter.push(part, 4)]
    return [(int(w.row[k]), bool(w.bad[k]), w.values[k, :, 0].tolist(), int(w.mended[k])) for w in found for k in range(len(w))]


@given(count=st.integers(0, 30), size=st.integers(1, 6), hop=st.integers(1, 8))
def test_a_window_is_the_last_rows_once_every_hop(count, size, hop):
    found = cut(rows_of(range(count)), size, hop)
    assert [row for row, *_ in found] == list(range(size - 1, count, hop))
    for row, _, values, _ in found:
        assert values == list(range(row - size + 1, row + 1))


@given(bad=st.sets(st.integers(0, 19)), size=st.integers(1, 5))
def test_a_window_is_missed_exactly_when_it_holds_a_bad_row(bad, size):
    values = [np.nan if k in bad else k for k in range(20)]
    for row, missed, _, _ in cut(rows_of(values), size, 1):
        assert missed == bool(bad & set(range(row - size + 1, row + 1)))


@given(bad=st.sets(st.integers(0, 19)), size=st.integers(1, 5))
def test_held_rows_repeat_the_last_good_one(bad, size):
    values = [None if k in bad else k for k in range(20)]
    for row, missed, held, mended in cut(rows_of(values, policy="hold"), size, 1):
        span = range(row - size + 1, row + 1)
        wanted = [max((j for j in range(k + 1) if j not in bad), default=None) for k in span]
        if None in wanted:
            assert missed
        else:
            assert held == wanted
            assert mended == len(bad & set(span))


@given(cuts=st.lists(st.integers(0, 4), max_size=25), size=st.integers(1, 4))
def test_no_window_reaches_across_a_change_of_segment(cuts, size):
    for row, *_ in cut(rows_of(range(len(cuts)), cuts, "hold"), size, 1):
        assert len({cuts[k] for k in range(row - size + 1, row + 1)}) == 1


def test_a_stream_decides_every_row_as_a_run_does_and_knows_when_it_is_wrong(tmp_path):
    truth = np.random.default_rng(0).integers(0, 3, 135)
    x = one_hot(truth)
    x[5] = [0, 0, 0]  # tie: class 0
    truth[5] = 2
    program = chooser()
    seen = []
    report = stream(telemetry(tmp_path, program, x, truth), on_decision=seen.append)
    run = spikebnn.run(program, x.astype(np.int16)[:, None])
    assert [d.chosen for d in seen] == run.classes.tolist()
    assert [d.spikes for d in seen] == run.counts.spikes.sum(1).tolist()
    assert [d.number for d in seen] == list(range(len(x)))
    assert seen[7].time == 0.07
    assert [d.right for d in seen].count(False) == 1
    assert report.accuracy == 1 - 1 / len(x)
    assert report.decisions == report.windows == report.rows == len(x)
    assert report.by_class == tuple(np.bincount(run.classes, minlength=3))
    assert int(report.confusion[2, 0]) == 1
    assert report.stopped == "end"


def test_energy_per_decision_is_that_of_the_run(tmp_path):
    program, target = chooser(), load_target("truenorth-sim")
    x = one_hot(np.arange(100) % 3)
    report = stream(telemetry(tmp_path, program, x))
    run = spikebnn.run(program, x.astype(np.int16)[:, None])
    bill = energy(run.counts, program, target, 100)
    assert report.energy.v == pytest.approx(bill.total.v / 100)
    assert report.spikes == run.counts.spikes.sum() / 100
    assert report.accuracy is None


def test_a_chip_that_stays_on_costs_at_least_its_static_power(tmp_path):
    report = stream(telemetry(tmp_path, chooser(), one_hot([0, 1, 2])))
    target = load_target("truenorth-sim").energy
    standing = target["static_power"].v + target["memory_scan"].v / 1e-3  # ticks of 1 ms
    assert report.power.v == pytest.approx(standing, rel=1e-6)  # three events are nothing beside it
    assert report.power.v > standing
    assert report.interval_energy.v == pytest.approx(report.power.v * 0.01)
    assert report.interval == 0.01


def test_the_limit_counts_windows(tmp_path):
    path = telemetry(tmp_path, chooser(), one_hot([0] * 50))
    report = stream(path, limit=20)
    assert (report.windows, report.decisions, report.stopped) == (20, 20, "limit")


def test_bad_rows_are_missed_and_counted(tmp_path):
    x = one_hot([0, 1, 2, 0, 1])
    x[1, 0], x[3, 2] = np.nan, np.inf
    seen = []
    report = stream(telemetry(tmp_path, chooser(), x, [0, 1, 2, 0, 1]), on_decision=seen.append)
    assert [d.name for d in seen] == ["0", "bad row", "2", "bad row", "1"]
    assert (report.decisions, report.missed_bad, report.accuracy) == (3, 2, 1.0)


def test_held_rows_are_decided_and_counted(tmp_path):
    x = one_hot([0, 1, 2])
    x[1, 0] = np.nan
    path = telemetry(tmp_path, chooser(), x)
    path.write_text(path.read_text().replace("rate", 'policy = "hold"\nrate'))
    seen = []
    report = stream(path, on_decision=seen.append)
    assert [d.chosen for d in seen] == [0, 0, 2]
    assert (report.missed_bad, report.held) == (0, 1)


def test_windows_that_come_while_the_chip_is_busy_are_missed(tmp_path):
    """25 ticks of 1 ms keep the chip busy for two and a half of the 10 ms between rows."""
    report = stream(telemetry(tmp_path, chooser(period=25), one_hot([0] * 9)))
    assert (report.decisions, report.missed_late) == (3, 6)
    assert report.latency_s == pytest.approx(0.025)
    exact = stream(telemetry(tmp_path, chooser(period=10), one_hot([0] * 900)))
    assert exact.missed_late == 0


def test_a_window_of_rows_feeds_the_network_row_after_row(tmp_path):
    x = one_hot([0, 1, 1, 2, 2, 2])
    seen = []
    stream(telemetry(tmp_path, chooser(rows=3), x, scenario="[window]\nrows = 3\n"), on_decision=seen.append)
    assert [d.chosen for d in seen] == [1, 1, 2, 2]
    assert seen[0].time == 0.02


def test_a_window_that_does_not_fill_the_network_says_what_it_holds(tmp_path):
    path = telemetry(tmp_path, chooser(rows=3), one_hot([0, 1, 2]))
    with pytest.raises(InputError, match=r"^a window of 1 rows of 3 values holds 3, and the network takes 9"):
        stream(path)


def test_readings_that_are_not_whole_are_refused_by_a_network_of_whole_numbers(tmp_path):
    with pytest.raises(InputError, match=r"whole numbers from -32768 to 32767, and the window that ends in row 0 holds 0.5"):
        stream(telemetry(tmp_path, chooser(), np.full((3, 3), 0.5)))


def test_a_scale_is_applied_to_every_reading(tmp_path):
    path = telemetry(tmp_path, chooser(), np.full((2, 3), 0.5))
    path.write_text(path.read_text().replace("rate", "scale = 2\nrate"))
    assert stream(path).decisions == 2


def test_classes_have_names_and_labels_may_be_names(tmp_path):
    path = telemetry(
        tmp_path, chooser(), one_hot([0, 1, 2]), y=np.array(["rest", "walk", "walk"]),
        scenario='[report]\nclasses = ["rest", "walk", "run"]\n',
    )  # fmt: skip
    report = stream(path)
    assert report.accuracy == pytest.approx(2 / 3)
    assert report.balanced_accuracy == pytest.approx(0.75)
    assert "rest: 1, walk: 1, run: 1" in report.text()


def test_true_and_false_are_labels(tmp_path):
    assert stream(telemetry(tmp_path, chooser(), one_hot([0, 1]), y=np.array([False, True]))).accuracy == 1.0


def test_a_label_that_is_no_class_is_refused(tmp_path):
    path = telemetry(tmp_path, chooser(), one_hot([0]), y=np.array([3]))
    with pytest.raises(InputError, match=r"^row 0 is labelled '3', which is none of the classes \(0 to 2\)"):
        stream(path)


def test_class_names_must_be_as_many_as_the_classes(tmp_path):
    path = telemetry(tmp_path, chooser(), one_hot([0]), scenario='[report]\nclasses = ["a", "b"]\n')
    with pytest.raises(InputError, match="^2 classes are named, and the network tells 3 apart"):
        stream(path)


def test_ctrl_c_ends_a_stream_with_the_batch_that_was_decided(tmp_path):
    def impatient(decision):
        if decision.number == 9:
            raise KeyboardInterrupt

    report = stream(telemetry(tmp_path, chooser(), one_hot([0] * 200)), on_decision=impatient)
    assert (report.decisions, report.windows, report.rows, report.stopped) == (200, 200, 200, "interrupted")
    assert report.spikes == 1.0
    assert "interrupted" in report.text()


CSV = "t,a,b,c,kind\n0,1,0,0,0\n1,,0,1,1\n2,0,1,0,1\n3,0,1\n\n4,0,x,1,2\n5,0,0,1,2\n"


def csv_scenario(folder, file="rows.csv"):
    path = telemetry(folder, chooser(), one_hot([0]))
    (folder / "rows.csv").write_text(CSV)
    text = path.read_text().replace("rows.npz", file)
    path.write_text(text.replace("rate", 'columns = ["a", "b", "c"]\nlabels = "kind"\nrate'))
    return path


def test_a_csv_is_read_by_column_names_and_its_bad_cells_are_bad_rows(tmp_path):
    seen = []
    report = stream(csv_scenario(tmp_path), on_decision=seen.append)
    assert [d.name for d in seen] == ["0", "bad row", "1", "bad row", "bad row", "2"]
    assert report.accuracy == 1.0


def test_rows_may_come_from_standard_input(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(CSV))
    assert stream(csv_scenario(tmp_path, "-")).decisions == 3


def test_a_missing_column_lists_those_there_are(tmp_path):
    path = csv_scenario(tmp_path)
    path.write_text(path.read_text().replace('"c"', '"d"'))
    with pytest.raises(InputError, match="there is no column 'd'; the first line names t, a, b, c, kind"):
        stream(path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("rate = 100.0", "rate = 0", r"\[source\] rate must be above 0 Hz, found 0"),
        ("rate = 100.0", 'rate = "fast"', r"\[source\] rate must be a number, found 'fast'"),
        ("file = ", "fil = ", r"2 mistakes: .*unknown key 'fil', did you mean file; .*needs the key 'file'"),
        ("rows.npz", "none.npz", r"\[source\] file 'none.npz' is not there"),
        ("rows.npz", "rows.mat", r"must end in one of .npz, .npy, .csv, .*found 'rows.mat'; or name the kind of source"),
        ('program = "net.sbnn"', "", r"needs either a program, or a net with a target"),
        ('program = "net.sbnn"', 'net = "rows.npz"', r"names a network that is mapped when the stream starts, and so needs a target"),
        ('program = "net.sbnn"', 'program = "net.sbnn"\n[window]\nrows = 0', r"\[window\] rows must be at least 1, found 0"),
        ('program = "net.sbnn"', 'program = "net.sbnn"\n[window]\nhop = true', r"hop must be a whole number, or a time such as \"2s\", found True"),
        ('program = "net.sbnn"', 'program = "net.sbnn"\n[report]\nclasses = [1]', "classes must be a list of texts"),
        ("[source]", "[sauce]", "unknown key 'sauce', did you mean source; .*needs the key 'source'"),
        ("[source]", "[source", "this is not TOML"),
        ("rate = 100.0", 'rate = 1\npolicy = "guess"', "there is no policy 'guess'; there are drop, hold, interpolate"),
        ("rate = 100.0", 'rate = 1\npolicy = "gap=keep"', "the policy for gap is one of skip, hold, .*, found 'keep'"),
        ("rate = 100.0", 'rate = 1\npolicy = "gone=hold"', "there is no kind of bad sample 'gone'; there are bad, clipped"),
        ("rate = 100.0", "rate = 1\nlimits = [2, 1]", "limits must be two numbers, the lower first"),
        ("rate = 100.0", 'rate = 1\nunit = "days"', "unit must be one of s, .*, found 'days'"),
        ('program = "net.sbnn"', 'program = "net.sbnn"\n[faults]\npacket-los = 0.1', "no fault 'packet-los', did you mean packet-loss"),
        ('program = "net.sbnn"', 'program = "net.sbnn"\n[faults]\npacket-loss = 2', "rate of packet-loss is a probability from 0 to 1, found 2"),
        ('program = "net.sbnn"', 'program = "net.sbnn"\n[decision]\nvote = 0', r"\[decision\] vote must be at least 1, found 0"),
    ],
)
def test_a_mistake_in_a_scenario_has_its_sentence(tmp_path, old, new, sentence):
    path = telemetry(tmp_path, chooser(), one_hot([0]))
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=sentence) as found:
        load_scenario(path)
    assert "\n" not in str(found.value)


def test_all_mistakes_of_a_scenario_come_at_once(tmp_path):
    path = telemetry(tmp_path, chooser(), one_hot([0]))
    path.write_text(path.read_text().replace("rate = 100.0", "rate = -1").replace("net.sbnn", "no.sbnn"))
    with pytest.raises(InputError, match=r"2 mistakes: .*above 0 Hz.*program 'no.sbnn' is not there"):
        load_scenario(path)


def test_known_keys_are_listed_once_however_many_are_unknown(tmp_path):
    path = telemetry(tmp_path, chooser(), one_hot([0]))
    path.write_text(path.read_text().replace("rate = 100.0", "rate = 100.0\nxxxx = 1\nyyyy = 2\nzzzz = 3"))
    with pytest.raises(InputError) as found:
        load_scenario(path)
    known = ", ".join(KEYS["source"])
    assert str(found.value) == f"{path}: [source] has unknown keys 'xxxx', 'yyyy', 'zzzz', known are {known}"


def test_an_unknown_scenario_lists_those_that_come_along():
    with pytest.raises(InputError, match=r"there is no such scenario; spikebnn comes with .*shuttle"):
        load_scenario("shuttel")
    with pytest.raises(InputError, match=r"a scenario is a \.toml file"):
        load_scenario("none.toml")


def test_a_report_is_json(tmp_path):
    report = stream(telemetry(tmp_path, chooser(), one_hot([0, 1, 2]), [0, 1, 2]))
    plain = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert plain["accuracy"] == 1.0
    assert plain["energy"]["lo"] <= plain["energy"]["v"] <= plain["energy"]["hi"]
    assert plain["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_a_stream_without_a_decision_has_a_report(tmp_path):
    report = stream(telemetry(tmp_path, chooser(), np.full((3, 3), np.nan)))
    assert (report.decisions, report.missed_bad, report.energy) == (0, 3, None)
    assert "missed: 3 with bad rows" in report.text()
    json.dumps(report.as_dict(), allow_nan=False)


def test_a_cost_that_nobody_published_is_named_after_the_sum():
    report = stream("shuttle", limit=3)
    assert (report.at_least, report.unknown) == (False, ())
    said = dataclasses.replace(report, at_least=True, unknown=("spike", "barrier")).text()
    assert "at least" not in said
    for head in ("energy per decision, while", "energy per decision interval, powered", "mean power: "):
        (told,) = (text for text in said.splitlines() if text.startswith(f"  {head}"))
        assert told.endswith("), plus what is unknown: spike, barrier")
