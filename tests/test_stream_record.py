"""A recorded stream: bounded, the same wherever it was stopped, and never in the way of a decision."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn.arrays import unpack_bits
from spikebnn.errors import InputError
from spikebnn.recorded import Recorded
from spikebnn.stream import Recorder, load_scenario, pipeline, stream
from spikebnn.stream.binned import Binned, Thinned
from tests.test_stream import chooser, one_hot, telemetry
from tests.test_stream_resume import recording


def recorded(path, limit=None, **options):
    recorder = Recorder()
    stream(path, limit, watch=[recorder], **options)
    return recorder.recorded()


@given(rows=st.lists(st.integers(1, 5), min_size=1, max_size=60), cuts=st.sets(st.integers(1, 59), max_size=5))
def test_stretches_hold_the_ends_and_sums_of_their_rows_however_calls_are_cut(rows, cuts):
    at = np.cumsum(rows)
    values = np.sin(at)[:, None]
    one, many = (Binned(8, 1, {"low": 1, "high": 1, "sum": 1}) for _ in range(2))
    one.add(at, low=values, high=values, sum=np.ones((len(at), 1)))
    edges = [0, *sorted(cut for cut in cuts if cut < len(at)), len(at)]
    for start, stop in itertools.pairwise(edges):
        some = slice(start, stop)
        again = Binned(8, 1, {"low": 1, "high": 1, "sum": 1})
        again.restore(many.state())
        many = again
        many.add(at[some], low=values[some], high=values[some], sum=np.ones((stop - start, 1)))
    assert one.used <= 8
    for k in range(one.used):
        mine = values[at // one.width == k]
        assert one.tables["sum"][k, 0] == len(mine)
        assert (np.isnan(one.tables["low"][k, 0]) and not len(mine)) or one.tables["low"][k, 0] == mine.min()
        assert (np.isnan(one.tables["high"][k, 0]) and not len(mine)) or one.tables["high"][k, 0] == mine.max()
    for kind, table in one.tables.items():
        np.testing.assert_array_equal(table, many.tables[kind])


@given(values=st.lists(st.floats(0, 1), max_size=80), cut=st.integers(0, 80))
def test_values_are_thinned_to_every_second_fourth_eighth(values, cut):
    one, two = Thinned(8), Thinned(8)
    one.add(np.array(values))
    two.add(np.array(values[:cut]))
    two.add(np.array(values[cut:]))
    assert len(one.kept) <= 8
    assert one.kept.tolist() == two.kept.tolist() == values[:: one.stride]


def test_a_recording_shows_the_signal_the_decisions_and_the_spikes(tmp_path):
    chosen = np.arange(60) % 3
    x = one_hot(chosen)
    truth = chosen.copy()
    truth[7] = (truth[7] + 1) % 3
    x[20] = np.nan
    program = chooser()
    got = recorded(telemetry(tmp_path, program, x, truth))
    assert got.signal.step == 0.01
    assert got.signal.low == got.signal.high
    assert list(got.signal.high[1][:4]) == [0.0, 1.0, 0.0, 0.0]
    assert (got.signal.high[0][20], got.signal.bad[20], sum(got.signal.bad)) == (None, 1, 1)
    assert got.track.chosen[:4] == (0, 1, 2, 0)
    assert (got.track.missed[20], got.track.chosen[20], got.track.wrong[7], sum(got.track.wrong)) == (1, None, 1, 1)
    assert got.track.truth[7] == truth[7]
    rows = sum(layer.rows for layer in got.excerpt.layers)
    assert rows == program.inputs + program.first[-1]
    assert len(got.excerpt.times) == 59
    assert got.policy["bad"] == "skip"
    assert got.facts["windows"] == 60
    bits = unpack_bits(np.frombuffer(zlib.decompress(base64.b64decode(got.excerpt.bits)), np.uint8).reshape(59, -1), rows)
    assert bits[:4, :3].tolist() == x[:4].astype(int).tolist()
    assert bits.sum() == 2 * 59  # an input and its relay


def test_whoever_looks_on_changes_no_decision(tmp_path):
    path = telemetry(tmp_path, chooser(), one_hot(np.arange(500) % 3), np.arange(500) % 3)
    seen = [], []
    stream(path, on_decision=seen[0].append)
    stream(path, on_decision=seen[1].append, watch=[Recorder(), Recorder()])
    assert seen[0] == seen[1]


def test_a_recording_is_small_however_long_the_stream(tmp_path):
    path = telemetry(tmp_path, chooser(), one_hot(np.arange(3000) % 3), np.arange(3000) % 3)
    plan = load_scenario(path)
    source = dataclasses.replace(plan.source, duration=600.0, noise=0.0)
    got = recorded(dataclasses.replace(plan, source=source))
    assert got.facts["windows"] == 60_000
    assert len(got.signal.bad) <= 1024
    assert len(got.track.decided) <= 512
    assert sum(got.track.decided) == 60_000
    assert len(json.dumps(got.to_json())) < 400_000


def test_a_recording_is_the_same_wherever_the_stream_was_stopped(tmp_path, monkeypatch):
    from spikebnn.stream.sources import csvfile

    monkeypatch.setattr(pipeline, "MOST_WINDOWS", 16)
    monkeypatch.setattr(csvfile, "ROWS", 64)
    path = recording(tmp_path, rows=900)
    whole = recorded(path)
    kept, at, recorder = tmp_path / "run.ckpt", 0, None
    while True:
        at += 37
        recorder, seen = Recorder(), []

        def stop(batch, at=at, seen=seen):
            seen.append(batch)
            if batch.totals.windows >= at:
                raise KeyboardInterrupt

        if stream(path, checkpoint=kept, resume=True, every=0, watch=[recorder], on_batch=stop).stopped == "end":
            break
    got = recorder.recorded()
    for name in ("signal", "track", "excerpt"):
        assert getattr(got, name) == getattr(whole, name), name


def test_a_recording_is_read_back_from_its_json_and_a_broken_one_is_refused(tmp_path):
    data = json.loads(json.dumps(recorded(telemetry(tmp_path, chooser(), one_hot([0, 1, 2]))).to_json()))
    assert json.loads(json.dumps(Recorded.from_json(data).to_json())) == data
    with pytest.raises(InputError, match="^the stream is of schema 'x', 'spikebnn.stream/1' is wanted; run it again$"):
        Recorded.from_json({**data, "schema": "x"})
    del data["recorded"]["signal"]["step"]
    with pytest.raises(InputError, match="^the stream has a value that does not fit spikebnn.stream/1: "):
        Recorded.from_json(data)
