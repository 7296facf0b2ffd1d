"""Sources: every kind gives the rows that were recorded, from any place on; what is bad is counted and treated as said."""

from __future__ import annotations

import builtins
import contextlib
import io
import itertools
import socket
import threading
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.encoders import EventFrames
from spikebnn.errors import InputError
from spikebnn.stream import SourcePlan, scenario_of
from spikebnn.stream.pipeline import rate_of
from spikebnn.stream.plan import Scenario
from spikebnn.stream.samples import Samples, together
from spikebnn.stream.scenario import policy_of
from spikebnn.stream.sources import Block, kind_of, open_source
from spikebnn.stream.sources.arrays import Iterated, pace

NAN = float("nan")
CAMERA = Path(__file__).parent / "recordings" / "camera.aedat4"  # made by dv-processing of the events of `camera`


def opened(file, **facts):
    return open_source(SourcePlan(file=str(file), kind=kind_of(str(file)) or "", **facts))


def everything(source, position=None):
    """All values, times, labels of a source as arrays."""
    blocks = list(source.blocks(position or {}))
    values = np.concatenate([block.values for block in blocks]) if blocks else np.zeros((0, len(source.channels)))
    return values, blocks


def text(folder, lines, name="rows.csv"):
    (folder / name).write_text(lines, encoding="utf-8")
    return folder / name


def write_wav(path, samples, rate=8000, wide=2):
    """PCM of integer samples (rows, channels)."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(wide)
        file.setframerate(rate)
        raw = samples.astype("<i4").reshape(-1, 1).view(np.uint8)
        file.writeframes((samples + 128).astype(np.uint8).tobytes() if wide == 1 else raw[:, :wide].tobytes())


# ------------------------------------------------------------------------------------------------- audio


@pytest.mark.parametrize("wide", [1, 2, 3, 4])
def test_pcm_of_every_width_is_a_share_of_full_scale(tmp_path, wide):
    top = 2 ** (8 * wide - 1)
    samples = np.array([[-top, top - 1], [0, 1], [top // 2, -top // 4]])
    write_wav(tmp_path / "a.wav", samples, wide=wide)
    source = opened(tmp_path / "a.wav")
    values, _ = everything(source)
    np.testing.assert_allclose(values, samples / top, rtol=0, atol=1e-12)
    assert source.channels == ("left", "right")
    assert source.rate == 8000
    low, high = source.full_scale
    assert ((values <= low) | (values >= high)).tolist() == [[True, True], [False, False], [False, False]]


def test_audio_goes_on_from_any_block(tmp_path):
    samples = np.random.default_rng(0).integers(-1000, 1000, (40_000, 1))
    write_wav(tmp_path / "a.wav", samples)
    whole, blocks = everything(opened(tmp_path / "a.wav"))
    assert len(blocks) > 2
    for k, block in enumerate(blocks[:-1]):
        rest, _ = everything(opened(tmp_path / "a.wav"), block.position)
        start = sum(b.rows for b in blocks[: k + 1])
        np.testing.assert_array_equal(rest, whole[start:])


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "FLOAT"), ("a.wav", "DOUBLE"), ("a.flac", "PCM_16")])
def test_other_audio_is_read_by_soundfile(tmp_path, name, subtype):
    import soundfile

    samples = np.rint(np.sin(np.arange(20_000) / 9)[:, None] * 20_000) / 32768
    soundfile.write(tmp_path / name, samples, 16_000, subtype=subtype)
    source = opened(tmp_path / name)
    values, blocks = everything(source)
    np.testing.assert_allclose(values, samples, atol=1e-7)
    assert source.rate == 16_000
    rest, _ = everything(opened(tmp_path / name), blocks[0].position)
    np.testing.assert_array_equal(rest, values[blocks[0].rows :])


def test_audio_that_is_none_has_its_sentence(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF but no wave at all")
    with pytest.raises(InputError, match="a.wav: this is no audio file that can be read: "):
        opened(tmp_path / "a.wav")
    with pytest.raises(InputError, match="none.wav: cannot be opened: no such file"):
        opened(tmp_path / "none.wav")


@pytest.mark.parametrize(
    ("name", "package"),
    [("a.wav", "soundfile"), ("a.edf", "edfio"), ("a.aedat4", "aedat"), ("a.es", "event_stream")],
)
def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, name, package):
    real = builtins.__import__

    def without(wanted, *rest, **more):
        if wanted == package:
            raise ImportError(wanted)
        return real(wanted, *rest, **more)

    (tmp_path / name).write_bytes(b"something")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=rf'needs the package {package}: pip install "spikebnn\[sensors\]"'):
        opened(tmp_path / name)


# --------------------------------------------------------------------------------------------------- EDF


def edf(path, rates=(100, 100, 25), seconds=90, form="Edf"):
    import edfio

    draw = np.random.default_rng(1)
    signals = [
        getattr(edfio, f"{form}Signal")(draw.normal(0, 1, rate * seconds), rate, label=f"lead {k}", physical_range=(-8, 8))
        for k, rate in enumerate(rates)
    ]
    notes = [edfio.EdfAnnotation(2.0, 3.0, "apnea"), edfio.EdfAnnotation(10.0, None, "rest"), edfio.EdfAnnotation(40.0, None, "run")]
    getattr(edfio, form)(signals, annotations=notes).write(path)
    return [signal.data for signal in signals]


@pytest.mark.parametrize("name", ["a.edf", "a.bdf"])
def test_an_edf_gives_its_signals_and_the_texts_that_stand_beside_them(tmp_path, name):
    data = edf(tmp_path / name, form="Edf" if name == "a.edf" else "Bdf")
    source = opened(tmp_path / name, columns=("lead 1", "lead 0"), labels="annotations")
    values, blocks = everything(source)
    np.testing.assert_allclose(values, np.stack([data[1], data[0]], axis=1), atol=1e-3)
    assert (source.channels, source.rate) == (("lead 1", "lead 0"), 100.0)
    labels = np.concatenate([block.labels for block in blocks])
    assert [labels[k] for k in (199, 200, 499, 500, 1000, 3999, 4000, 8999)] == [
        None, "apnea", "apnea", None, "rest", "rest", "run", "run"]  # fmt: skip
    rest, _ = everything(opened(tmp_path / name, columns=("lead 1", "lead 0")), blocks[0].position)
    np.testing.assert_array_equal(rest, values[blocks[0].rows :])


def test_signals_of_different_rates_are_listed(tmp_path):
    edf(tmp_path / "a.edf")
    with pytest.raises(InputError, match=r"different rates \(lead 0 100 Hz, .*lead 2 25 Hz\); name channels of one rate"):
        opened(tmp_path / "a.edf")
    with pytest.raises(InputError, match="there is no channel 'lead 9'; there are lead 0, lead 1, lead 2"):
        opened(tmp_path / "a.edf", columns=("lead 9",))


def test_an_edf_that_is_none_has_its_sentence(tmp_path):
    (tmp_path / "a.edf").write_bytes(b"x" * 600)
    with pytest.raises(InputError, match="a.edf: this is no EDF recording that can be read: ") as found:
        opened(tmp_path / "a.edf")
    assert "\n" not in str(found.value)


# ------------------------------------------------------------------------------------------ event cameras


def camera():
    """The events of the recordings: microseconds, x, y, polarity."""
    draw = np.random.default_rng(4)
    t = np.sort(draw.integers(1_000_000, 1_100_000, 600))
    return np.stack([t, draw.integers(0, 8, 600), draw.integers(0, 6, 600), draw.integers(0, 2, 600)], axis=1)


def test_an_aedat4_recording_gives_its_events():
    source = opened(CAMERA)
    values, _ = everything(source)
    np.testing.assert_allclose(values, camera() * [1e-6, 1, 1, 1])
    assert source.frame == (8, 6)
    rest, _ = everything(opened(CAMERA), {"events": 200})
    np.testing.assert_array_equal(rest, values[200:])


def test_an_event_stream_recording_gives_its_events(tmp_path):
    import event_stream

    wanted = camera()
    found = np.zeros(600, event_stream.dvs_dtype)
    for name, column in zip(found.dtype.names, wanted.T):
        found[name] = column
    with event_stream.Encoder(str(tmp_path / "a.es"), "dvs", 8, 6) as encoder:
        encoder.write(found)
    values, _ = everything(opened(tmp_path / "a.es"))
    np.testing.assert_allclose(values, wanted * [1e-6, 1, 1, 1])
    np.testing.assert_array_equal(EventFrames(8, 6, 0.01)(values), EventFrames(8, 6, 0.01)(everything(opened(CAMERA))[0]))


@pytest.mark.parametrize("name", ["a.es", "a.aedat4"])
def test_a_camera_recording_that_is_none_has_its_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(b"no events here, none at all")
    with pytest.raises(InputError, match=f"{name}: this is no .* recording that can be read: "):
        opened(tmp_path / name)


# --------------------------------------------------------------------------------------------------- CSV


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", " "])
def test_the_separator_of_a_csv_is_found(tmp_path, mark):
    rows = [["time", "ax", "ay", "label"], ["0", "1.5", "-2", "up"], ["0.1", "2", "3e-1", "down"]]
    source = opened(text(tmp_path, "\n".join(mark.join(row) for row in rows)))
    values, (block,) = everything(source)
    assert values.tolist() == [[1.5, -2], [2, 0.3]]
    assert source.channels == ("ax", "ay")
    assert block.labels.tolist() == ["up", "down"]
    assert source.rate == 10.0


def test_decimal_commas_thousands_and_a_byte_order_mark_are_read(tmp_path):
    source = opened(text(tmp_path, "\ufeffa;b\r\n1,5;2.000,25\r\n-3;4\r\n"), decimal=",")
    assert source.channels == ("a", "b")
    assert everything(source)[0].tolist() == [[1.5, 2000.25], [-3, 4]]


def test_a_csv_without_a_head_has_numbered_columns(tmp_path):
    source = opened(text(tmp_path, "1,2\n3,4\n"))
    assert source.channels == ("0", "1")
    assert everything(source)[0].tolist() == [[1, 2], [3, 4]]


def test_quotes_comments_and_empty_lines_are_no_trouble(tmp_path):
    source = opened(text(tmp_path, '# a recorder\n"x, raw","y"\n\n1,2\n# a note\n"3",4\n'))
    assert source.channels == ("x, raw", "y")
    assert everything(source)[0].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("title", "cells", "rate"),
    [
        ("time_ms", ("0", "20", "40"), 50.0),
        ("t [us]", ("100", "200", "300"), 10_000.0),
        ("timestamp", ("1700000000.0", "1700000000.5", "1700000001.0"), 2.0),
        ("timestamp", ("1700000000000", "1700000000004", "1700000000008"), 250.0),
        ("ts", ("1700000000000000000", "1700000001000000000", "1700000002000000000"), 1.0),
        ("Date", ("2024-03-01 10:00:00", "2024-03-01 10:01:00", "2024-03-01 10:02:00"), 1 / 60),
        ("date_time", ("2024-03-01T10:00:00Z", "2024-03-01T10:00:00.25Z", "2024-03-01T10:00:00.5Z"), 4.0),
        ("when", ("01.03.2024 10:00", "01.03.2024 10:10", "01.03.2024 10:20"), 1 / 600),
    ],
)
def test_a_column_of_times_is_found_with_its_unit(tmp_path, title, cells, rate):
    source = opened(text(tmp_path, f"{title},v\n" + "".join(f"{cell},1\n" for cell in cells)))
    assert source.channels == ("v",)
    assert source.rate == pytest.approx(rate)
    assert source.regular


def test_bad_cells_are_nan_and_broken_rows_are_bad_as_a_whole(tmp_path):
    values, _ = everything(opened(text(tmp_path, "a,b\n1,2\n,x\n1,2,3\n7\nnan,inf\n")))
    assert np.array_equal(values, [[1, 2], [NAN, NAN], [NAN, NAN], [NAN, NAN], [NAN, np.inf]], equal_nan=True)


@pytest.mark.parametrize("count", [1, 4095, 4096, 4097, 9000])
def test_a_csv_goes_on_from_any_block(tmp_path, count):
    file = text(tmp_path, "a,b\n" + "".join(f"{k},{-k}\n" for k in range(count)))
    whole, blocks = everything(opened(file))
    assert whole[:, 0].tolist() == list(range(count))
    for block in blocks:
        rest, _ = everything(opened(file), block.position)
        np.testing.assert_array_equal(rest, whole[len(whole) - len(rest) :])
    assert len(everything(opened(file), blocks[-1].position)[0]) == 0


@pytest.mark.parametrize(
    ("lines", "facts", "sentence"),
    [
        ("", {}, "the CSV is empty; its first line must name the columns$"),
        ("a,b\n1,2\n", {"columns": ("c",)}, "there is no column 'c'; the first line names a, b$"),
        ("a,b\n1,2\n", {"labels": "c"}, "there is no column 'c'; the first line names a, b$"),
        ("a,kind\n1,walk\n2,run\n", {}, "the column 'kind' holds 'walk', which is no number; name the sensors' columns, such as a, or say that"),
        ("a,kind,who\n1,walk,x\n2,run,y\n", {}, "which is no number .and so does 'who'.; name the sensors' columns, such as a, or say"),
        ("3,1,walk\n2,5,run\n", {"labels": "kind"}, "there is no column 'kind'; the first line names none, so they are 0 to 2$"),
        ("a,b\n", {"columns": ("a",)}, "the CSV has a first line, and no rows$"),
        ("a,b\r1,2\r3,4\r", {}, "its lines end in a return alone; save it with line feeds$"),
        ("a,a\n1,2\n", {"columns": ("a",)}, "two columns are called 'a'; give them different names$"),
        ("time,a\nsoon,1\nlater,2\n", {"time": "time"}, "the times in column 'time' cannot be read, the first is 'soon'; write seconds"),
    ],
)
def test_a_csv_that_cannot_be_read_has_its_sentence(tmp_path, lines, facts, sentence):
    with pytest.raises(InputError, match=sentence) as found:
        opened(text(tmp_path, lines), **facts)
    assert "\n" not in str(found.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,\xff\xfe\n")
    with pytest.raises(InputError, match="this is no CSV text: invalid start byte at byte 6"):
        opened(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes("a,b\n1,2\n".encode("utf-16"))
    with pytest.raises(InputError, match="this is UTF-16; save it as UTF-8"):
        opened(tmp_path / "a.csv")


def test_a_csv_of_eight_bit_letters_is_read(tmp_path):
    (tmp_path / "a.csv").write_bytes("Zeit [s];Temperatur [°C];Höhe;label\n0;21,5;7;0\n1;21,6;8;0\n".encode("cp1252"))
    source = opened(tmp_path / "a.csv")
    assert source.channels == ("Temperatur [°C]", "Höhe")
    assert everything(source)[0].tolist() == [[21.5, 7.0], [21.6, 8.0]]


@pytest.mark.parametrize(
    ("lines", "channels"),
    [
        ("2026-03-01 08:00:00,21.5,walk\n2026-03-01 08:01:00,21.6,run\n", ("1",)),  # a line of readings names nothing
        ("21.5,NA,walk\n21.6,3,run\n", ("0", "1")),
        ("time,1,2\n0,5,6\n1,7,8\n", ("1", "2")),  # a word over readings is a name
        ("x,y\n,\n,\n", ("x", "y")),
        ("a,b,\n1,2,\n3,4,\n", ("a", "b")),  # a comma too many
        (",a,b\n0,5,6\n1,7,8\n", ("a", "b")),  # the rows' numbers, as pandas writes them
        ("on,b\ntrue,2\nFalse,4\n", ("on", "b")),
    ],
)
def test_the_first_lines_tell_what_the_columns_are(tmp_path, lines, channels):
    last = len(lines.splitlines()[0].split(",")) - 1
    labels = {"labels": str(last)} if "walk" in lines else {}
    assert opened(text(tmp_path, lines), **labels).channels == channels


@pytest.mark.parametrize(
    ("times", "rate"),
    [
        (("12:00:00", "12:00:02", "12:00:04"), 0.5),
        (("03/01/2026 11:59 AM", "03/01/2026 12:00 PM", "03/01/2026 12:01 PM"), 1 / 60),
        (("12/03/2026 23:59", "13/03/2026 00:00", "13/03/2026 00:01"), 1 / 60),  # 13 is no month
        (("12-03-2026 23:59", "13-03-2026 00:00", "13-03-2026 00:01"), 1 / 60),
        (("12.03.2026 23:59", "13.03.2026 00:00", "13.03.2026 00:01"), 1 / 60),
        (("2026-03-12T23:59:59.5Z", "2026-03-13T00:00:00Z", "2026-03-13T00:00:00.5Z"), 2.0),
    ],
)
def test_dates_and_clock_times_are_read_as_they_are_written(tmp_path, times, rate):
    source = opened(text(tmp_path, "when,a\n" + "".join(f"{time},{k}\n" for k, time in enumerate(times))))
    assert source.channels == ("a",)
    assert source.rate == pytest.approx(rate, rel=1e-2)
    _, blocks = everything(source)
    assert np.diff(np.concatenate([block.times for block in blocks])).tolist() == [1 / rate] * 2


def test_a_day_and_a_time_of_the_day_in_two_columns_are_one_time(tmp_path):
    lines = "Date;Time;CO(GT);RH\n" + "".join(f"{10 + k // 24}/03/2004;{k % 24:02d}.00.00;{k},5;{k}\n" for k in range(60))
    source = opened(text(tmp_path, lines))
    assert source.channels == ("CO(GT)", "RH")
    assert (source.rate, source.regular) == (pytest.approx(1 / 3600), True)
    values, blocks = everything(source)
    assert values[3].tolist() == [3.5, 3.0]
    assert np.diff(blocks[0].times).tolist() == [3600.0] * 59
    lines = "date,time,a\n2026-03-01,23:59:59.5,1\n2026-03-02,00:00:00.5,2\n"
    assert np.diff(everything(opened(text(tmp_path, lines)))[1][0].times).tolist() == [1.0]


def test_rows_of_a_clock_that_is_coarser_than_they_are_are_not_taken_for_late_ones(tmp_path):
    """Packets of one second bear one time; each is a row, and the rate is that of all of them."""
    lines = "timestamp,bytes\n" + "".join(f"{1700000000 + k // 5},{k}\n" for k in range(100))
    source = opened(text(tmp_path, lines))
    assert not source.regular
    assert source.rate == pytest.approx(5, rel=0.06)


# -------------------------------------------------------------------------------------------- live sources


def test_lines_come_over_tcp_both_ways(tmp_path):
    lines = "a,b,label\n" + "".join(f"{k},{k * k},x\n" for k in range(500))

    def serve(server):
        line, _ = server.accept()
        with line:
            line.sendall(lines.encode())

    with socket.create_server(("127.0.0.1", 0)) as server:
        worker = threading.Thread(target=serve, args=(server,), daemon=True)
        worker.start()
        source = opened(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        values, _ = everything(source)
        worker.join()
    assert values[:, 1].tolist() == [k * k for k in range(500)]
    assert (source.channels, source.live, source.lost()) == (("a", "b"), True, 0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def send():
        for _ in range(1000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as line:
                line.sendall(lines.encode())
                return
            time.sleep(0.02)

    worker = threading.Thread(target=send, daemon=True)
    worker.start()
    heard, _ = everything(opened(f"listen://127.0.0.1:{port}"))
    worker.join()
    np.testing.assert_array_equal(heard, values)


def test_an_address_that_is_none_and_one_that_does_not_answer_have_their_sentences():
    with pytest.raises(InputError, match=r"tcp://nowhere: an address is written tcp://host:port"):
        opened("tcp://nowhere")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(InputError, match="there is no connection: connection refused"):
        opened(f"tcp://127.0.0.1:{port}")


def test_live_lines_that_nobody_takes_are_counted_where_the_sensor_does_not_wait(monkeypatch):
    from spikebnn.stream.sources import live

    monkeypatch.setattr(live, "QUEUE", 8)
    monkeypatch.setattr("sys.stdin", io.StringIO("a\n" + "".join(f"{k}\n" for k in range(100))))
    source = opened("-", overflow="drop")
    source._worker.join()
    values, _ = everything(source)
    assert len(values) + source.lost() == 100
    assert source.lost() > 0


def test_rows_come_from_a_python_iterable():
    rows = ([k, -k] for k in range(5))
    source = Iterated(rows, ("up", "down"))
    assert source.channels == ("up", "down")
    assert everything(source)[0].tolist() == [[k, -k] for k in range(5)]
    blocks = Iterated([np.ones((3, 2)), np.zeros((2, 2))])
    assert everything(blocks)[0].sum() == 6
    with pytest.raises(InputError, match=r"arrays \(channels,\) or \(rows, channels\), found shape \(1, 1, 1\)"):
        Iterated([np.zeros((1, 1, 1))])


# ----------------------------------------------------------------------------- several files, labels beside


def test_a_folder_of_clips_is_one_source_with_the_folders_as_labels(tmp_path):
    for k, word in enumerate(("yes", "no", "yes")):
        (tmp_path / word).mkdir(exist_ok=True)
        write_wav(tmp_path / word / f"{k}.wav", np.full((10 + k, 1), 1000 * k))
    (tmp_path / "net.sbnn").write_bytes(b"")
    raw = {"source": {"file": str(tmp_path), "labels": "folder"}, "network": {"program": str(tmp_path / "net.sbnn")}}
    plan = scenario_of(raw)
    assert [Path(file).name for file in plan.source.files] == ["1.wav", "0.wav", "2.wav"]
    values, blocks = everything(open_source(plan.source))
    assert [b.labels[0] for b in blocks] == ["no", "yes", "yes"]
    assert len({b.segments[0] for b in blocks}) == 3
    rest, _ = everything(open_source(plan.source), blocks[0].position)
    np.testing.assert_array_equal(rest, values[11:])
    write_wav(tmp_path / "no" / "9.wav", np.zeros((4, 2)))
    with pytest.raises(InputError, match="the recordings differ: the first has mono at 8000"):
        everything(open_source(scenario_of(raw).source))


def test_marks_beside_a_recording_are_its_labels(tmp_path):
    write_wav(tmp_path / "a.wav", np.zeros((8000, 1)), rate=1000)
    marks = text(tmp_path, "start,stop,label\n1,2,cough\n4,,snore\n", "marks.csv")
    _, blocks = everything(opened(tmp_path / "a.wav", labels=str(marks)))
    labels = np.concatenate([block.labels for block in blocks])
    assert [labels[k] for k in (999, 1000, 1999, 2000, 4000, 7999)] == [None, "cough", "cough", None, "snore", "snore"]
    with pytest.raises(InputError, match="a mark needs the columns start and label"):
        opened(tmp_path / "a.wav", labels=str(text(tmp_path, "begin,what\n1,x\n", "other.csv")))


def test_a_synthetic_recording_comes_from_its_seed_and_goes_on_from_any_block(tmp_path):
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=draw.normal(0, 1, (300, 2)), y=np.repeat([0, 1, 2], 100), piece=np.repeat([0, 1, 2], 100))
    facts = {"rate": 10.0, "duration": 1000.0, "noise": 0.1, "segments": "piece"}
    whole, blocks = everything(opened(tmp_path / "a.npz", **facts))
    assert len(whole) == 10_000
    again, _ = everything(opened(tmp_path / "a.npz", **facts), blocks[1].position)
    np.testing.assert_array_equal(again, whole[blocks[0].rows + blocks[1].rows :])
    assert not np.array_equal(everything(opened(tmp_path / "a.npz", seed=1, **facts))[0], whole)


# --------------------------------------------------------------------------------------------- bad samples


def cleaned(blocks, policy="skip", rate=10.0, times="grid", full_scale=None, **facts):
    """Rows that come of blocks, and the counts."""
    samples = Samples(SourcePlan(file="x", policy=policy_of(policy), **facts), rate, times, full_scale, "x")
    parts = [samples.push(block) for block in blocks]
    parts.append(samples.finish())
    found = [part for part in parts if part is not None and len(part)]
    return (together(found) if found else None), samples.counts


def timed(times, values=None):
    column = np.array(times if values is None else values, float)[:, None]
    return Block(values=column, times=np.array(times, float), position={})


def test_missing_rows_are_gaps_and_rows_behind_their_time_are_late():
    rows, counts = cleaned([timed([5.0, 5.1, 5.4, 5.2, 5.4, 5.5, NAN, 5.6])])
    assert rows.number.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert rows.bad.tolist() == [False, False, True, True, False, False, False]
    assert (counts["gap"], counts["late"], counts["rows"]) == (2, 3, 8)


def test_a_clock_that_was_set_back_costs_a_few_rows_and_begins_anew():
    back = [0.1 * k for k in range(5, 45)]
    rows, counts = cleaned([timed([100.0, 100.1, 100.2, *back])])
    assert counts["late"] == 15
    assert rows.fresh.tolist() == [False] * 3 + [True] + [False] * 24
    assert rows.number.tolist() == list(range(28))


def test_clocks_may_drift():
    steps = 0.1 * (1 + 0.03 * np.sin(np.arange(2000) / 50) + np.random.default_rng(0).uniform(-0.2, 0.2, 2000))
    rows, counts = cleaned([timed(np.cumsum(steps))])
    assert (counts["late"], counts["gap"], len(rows)) == (0, 0, 2000)


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("skip", [0, None, None, 0.3, None, 0.5]),
        ("hold", [0, 0, 0, 0.3, 0.3, 0.5]),
        ("interpolate", [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ("drop", [0, 0.3, 0.5]),
        (["gap=hold", "bad=interpolate"], [0, 0, 0, 0.3, 0.4, 0.5]),
    ],
)
def test_each_policy_does_what_it_says_to_gaps_and_bad_readings(policy, wanted):
    rows, counts = cleaned([timed([0, 0.3, 0.4, 0.5], [0, 0.3, NAN, 0.5])], policy)
    found = [None if bad else value for bad, value in zip(rows.bad, np.round(rows.values[:, 0], 9).tolist())]
    assert found == wanted
    assert (counts["gap"], counts["bad"]) == (2, 1)


def test_only_the_bad_reading_of_a_row_is_replaced():
    block = Block(values=np.array([[1.0, 10], [NAN, 20], [3, 30]]), position={})
    rows, _ = cleaned([block], "hold")
    assert rows.values.tolist() == [[1, 10], [1, 20], [3, 30]]
    assert rows.mended.tolist() == [False, True, False]


def test_clipped_readings_are_counted_and_kept_unless_told_otherwise():
    block = Block(values=np.array([[0.0], [0.5], [1.0], [0.25]]), position={})
    rows, counts = cleaned([block], full_scale=(-1.0, 1.0))
    assert (counts["clipped"], rows.bad.any()) == (1, False)
    rows, _ = cleaned([block], "clipped=interpolate", full_scale=(-1.0, 1.0))
    assert rows.values[:, 0].tolist() == [0, 0.5, 0.375, 0.25]
    rows, _ = cleaned([block], "clipped=skip", limits=(0.1, 9.0))
    assert rows.bad.tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("block", "policy", "sentence"),
    [
        (Block(values=np.array([[1.0], [NAN]]), position={}), "refuse", "^x: a reading in row 1 cannot be read as a finite number"),
        (Block(values=np.array([[1.0], [9.0]]), position={}), "clipped=refuse", "^x: a reading in row 1 is clipped"),
        (timed([0, 0.1, 0.4]), "refuse", "^x: 2 rows are missing before the one at 0.4 s"),
        (timed([0, 0.2, 0.1]), ["late=refuse"], "^x: row 2 of 0.1 s comes after a later one"),
        (timed([0, NAN]), ["late=refuse"], "^x: row 1 has a time that cannot be read"),
    ],
)
def test_the_policy_refuse_stops_at_the_first_bad_sample(block, policy, sentence):
    with pytest.raises(InputError, match=sentence):
        cleaned([block], policy, full_scale=(-5.0, 5.0))


def test_what_is_held_too_long_stays_bad():
    rows, _ = cleaned([timed([0, 0.1, 0.7, 0.8])], "hold", longest=0.3)
    assert rows.bad.tolist() == [False, False, False, False]  # a longer gap is not filled at all
    assert rows.fresh.tolist() == [False, False, True, False]
    values = Block(values=np.array([[1.0], *[[NAN]] * 5, [2.0]]), position={})
    rows, _ = cleaned([values], "hold", longest=0.3)
    assert rows.bad.tolist() == [False, False, False, False, True, True, False]
    rows, _ = cleaned([values], "interpolate", longest=0.3)
    assert rows.bad.tolist() == [False, True, True, True, True, True, False]


def test_irregular_rows_may_be_resampled():
    t = np.array([0.0, 0.07, 0.21, 0.28, 0.4, 1.5, 1.6])
    rows, counts = cleaned([timed(t, 3 * t)], times="linear")
    good = ~rows.bad
    np.testing.assert_allclose(rows.values[good, 0], 3 * rows.number[good] / 10)
    assert rows.number[good].tolist() == [0, 1, 2, 3, 4, 15, 16]
    assert counts["gap"] == 10


@pytest.mark.parametrize("times", ["grid", "linear"])
def test_a_recording_whose_first_row_has_no_time_begins_with_its_second(times):
    when = np.array([0.1, 0.2, 0.3, NAN, 0.2, 0.3])
    segments = np.array([0, 0, 0, 1, 1, 1])
    whole = Block(values=when[:, None] * 0 + 1, times=when, segments=segments, position={})
    rows, counts = cleaned([whole], times=times)
    assert counts["late"] == 1
    assert rows.fresh.tolist().count(True) >= 1


@st.composite
def messy(draw):
    """A recording with everything wrong, and cuts."""
    count = draw(st.integers(1, 60))
    steps = draw(st.lists(st.sampled_from([0.1, 0.1, 0.1, 0.1, 0.13, 0.3, -0.1, 0.0, NAN]), min_size=count, max_size=count))
    times = np.cumsum(np.nan_to_num(steps))
    times[np.isnan(steps)] = NAN
    values = draw(st.lists(st.sampled_from([1.0, 2.0, 3.0, 9.0, NAN]), min_size=2 * count, max_size=2 * count))
    segments = np.cumsum(draw(st.lists(st.sampled_from([0, 0, 0, 0, 1]), min_size=count, max_size=count)))
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=6)))
    return times, np.array(values).reshape(count, 2), segments, [0, *cuts, count]


POLICIES = ["skip", "hold", "interpolate", "drop", ["bad=interpolate", "gap=hold", "clipped=interpolate"], ["gap=drop", "clipped=skip"]]


@given(case=messy(), policy=st.sampled_from(POLICIES), times=st.sampled_from(["grid", "linear", "rows"]),
       longest=st.sampled_from([None, 0.25]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_no_cut_into_blocks_changes_a_row(case, policy, times, longest):
    when, values, segments, places = case

    def pieces(edges):
        return [Block(values=values[a:b], times=when[a:b], segments=segments[a:b], labels=segments[a:b], position={})
                for a, b in itertools.pairwise(edges)]  # fmt: skip

    facts = {"times": times, "longest": longest, "full_scale": (-5.0, 5.0)}
    one, counts = cleaned(pieces([0, len(when)]), policy, **facts)
    two, again = cleaned(pieces(places), policy, **facts)
    assert counts == again
    if one is None or two is None:
        assert one is two
        return
    for name in ("number", "values", "bad", "mended", "fresh"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    assert [str(a) for a in one.labels] == [str(b) for b in two.labels]


def test_a_wrong_rate_is_refused_unless_it_is_to_be_kept(tmp_path):
    write_wav(tmp_path / "a.wav", np.zeros((10, 1)), rate=44_100)
    source = opened(tmp_path / "a.wav")
    for named, policy in ((16_000.0, {}), (44_100.0, {}), (16_000.0, {"rate": "keep"}), (None, {})):
        plan = Scenario(name="s", title="s", network="n", source=SourcePlan(file="a.wav", rate=named, policy=policy))
        if named == 16_000.0 and not policy:
            with pytest.raises(InputError, match="a.wav says 44100 rows a second, and the rate is said to be 16000; name the right one"):
                rate_of(plan, source)
        else:
            assert rate_of(plan, source) == (named or 44_100.0)


def test_a_rate_that_nobody_knows_is_asked_for(tmp_path):
    source = opened(text(tmp_path, "a,b\n1,2\n"))
    plan = Scenario(name="s", title="s", network="n", source=SourcePlan(file="a.csv"))
    with pytest.raises(InputError, match="does not say at which rate its rows come; name it"):
        rate_of(plan, source)


@pytest.mark.parametrize(
    ("times", "rate", "regular"),
    [
        (np.arange(50) / 50, 50.0, True),
        (np.arange(50) * 60 + np.random.default_rng(0).normal(0, 2, 50), 1 / 60, True),
        (np.delete(np.arange(100) * 0.1, [5, 6, 50]), 10.0, True),
        (np.cumsum(np.random.default_rng(0).exponential(1.0, 200)), None, False),
        (np.array([1.0]), None, False),
    ],
)
def test_times_show_a_rate_and_whether_they_lie_on_a_grid(times, rate, regular):
    found, grid = pace(times)
    assert grid == regular
    if rate is not None:
        assert found == pytest.approx(rate, rel=0.05)
