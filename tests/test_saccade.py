"""The simulated event camera: each pixel follows the brightness it sees, and events keep their label and recording."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn.encoders import EventFrames
from spikebnn.errors import InputError
from spikebnn.stream import SourcePlan, training_frames
from spikebnn.stream.code import EventCoder
from spikebnn.stream.sources import Block, open_source
from spikebnn.stream.sources.saccade import PATH, SACCADE, _moved, swept, thresholds


def plan(path, **facts):
    return SourcePlan(file=str(path), kind="saccade", **facts)


def images(seed, count=3, size=9):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size)).astype(np.uint8)


@given(seed=st.integers(0, 99), noise=st.sampled_from([0.0, 0.2]))
def test_a_pixel_has_sent_as_many_steps_as_its_brightness_has_moved(seed, noise):
    """The camera ends where it began, so ON and OFF come out even, to the step that hysteresis leaves."""
    x = images(seed) / 255.0
    steps = thresholds(x.shape[1:], noise, 3)
    sent, image = swept(x, steps)
    for k in range(len(x)):
        mine = sent[image == k]
        assert (np.diff(mine[:, 0]) >= 0).all()
        assert mine[:, 0].min() >= 0
        assert mine[:, 0].max() <= SACCADE * (len(PATH) - 1)
        net = np.zeros(x.shape[1:])
        np.add.at(net, (mine[:, 2].astype(int), mine[:, 1].astype(int)), 2 * mine[:, 3] - 1)
        assert (np.abs(net) <= 1).all()  # back at the first view, within one step of it


def test_a_camera_moved_by_whole_pixels_sees_the_image_moved():
    x = images(1).astype(float)
    np.testing.assert_array_equal(_moved(x, 2, -1)[:, :-2, 1:], x[:, 2:, :-1])
    np.testing.assert_allclose(_moved(x, 0.5, 0)[:, :-1], (x[:, :-1] + x[:, 1:]) / 2)
    assert not _moved(x, 0, 3)[:, :, -3:].any()


def test_an_image_without_contrast_sends_nothing_but_at_its_border():
    sent, _ = swept(np.full((1, 20, 20), 0.7), thresholds((20, 20), 0.0, 0))
    inner = (sent[:, 1:3] > 2).all(axis=1) & (sent[:, 1:3] < 17).all(axis=1)
    assert len(sent) > 0
    assert not inner.any()


def test_events_of_images_keep_label_and_recording_and_can_be_read_on_from_any_block(tmp_path):
    np.savez(tmp_path / "x.npz", x=images(0, 70)[:, None], y=np.arange(70))
    source = open_source(plan(tmp_path / "x.npz"))
    blocks = list(source.blocks({}))
    assert [block.position["image"] for block in blocks] == [32, 64, 70]
    assert source.frame == (9, 9)
    for block in blocks:
        np.testing.assert_array_equal(block.labels, block.segments)
        since = block.values[:, 0] - block.segments * 3 * SACCADE
        assert since.min() > 0
        assert since.max() <= 3 * SACCADE + 1e-12
    again = list(open_source(plan(tmp_path / "x.npz")).blocks(blocks[0].position))
    np.testing.assert_array_equal(again[0].values, blocks[1].values)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((4, 3))}, r"a camera looks at images, x \(images, height, width\), found float64 \(4, 3\)"),
        ({"x": np.zeros((4, 3, 8, 8))}, "found float64"),
        ({"x": np.zeros((0, 8, 8))}, "found float64"),
        ({"z": np.zeros((4, 8, 8))}, "there is no array 'x'; it holds z"),
        ({"x": np.zeros((4, 8, 8)), "y": np.zeros(3)}, r"y has shape \(3,\), wanted one for each of the 4 images"),
    ],
)
def test_what_is_no_image_is_one_sentence(tmp_path, arrays, said):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=said):
        open_source(plan(tmp_path / "x.npz"))


@given(data=st.data())
def test_no_cut_of_events_changes_a_row_its_label_or_where_a_recording_begins(data):
    count = data.draw(st.integers(1, 40))
    pick = np.random.default_rng(data.draw(st.integers(0, 99)))
    times = np.sort(pick.uniform(0, 0.05, count))
    events = np.stack([times, pick.integers(0, 4, count), pick.integers(0, 3, count), pick.integers(0, 2, count)], 1)
    segments = np.sort(pick.integers(0, 4, count))
    labels = segments * 10
    cuts = sorted(data.draw(st.sets(st.integers(1, count))) | {count})

    def rows(edges):
        coder, found = EventCoder(EventFrames(4, 3, 0.005)), []
        for start, stop in zip([0, *edges[:-1]], edges):
            part = slice(start, stop)
            found += coder.push(Block(values=events[part], position={}, labels=labels[part], segments=segments[part]))
            kept, coder = coder.state(), EventCoder(EventFrames(4, 3, 0.005))
            coder.restore(kept)
        found += coder.finish()
        return [row for part in found for row in zip(part.values.tolist(), part.labels, part.fresh)]

    whole = rows([count])
    assert rows(cuts) == whole
    assert sum(bool(fresh) for *_, fresh in whole) == len(set(segments.tolist()))
    alone = [EventFrames(4, 3, 0.005)(events[segments == s]) for s in sorted(set(segments.tolist()))]
    assert [bits for bits, *_ in whole] == np.concatenate(alone).tolist()
    assert [label for _, label, _ in whole] == [s * 10 for s, part in zip(sorted(set(segments.tolist())), alone) for _ in part]


def test_recordings_of_a_camera_have_labels_from_their_folders_and_begin_anew(tmp_path):
    import event_stream

    sent = np.zeros(6, event_stream.dvs_dtype)
    sent["t"], sent["x"], sent["on"] = np.arange(6) * 1000, np.arange(6), True
    for kind in ("left", "right"):
        (tmp_path / kind).mkdir()
        with event_stream.Encoder(str(tmp_path / kind / "a.es"), "dvs", 8, 6) as encoder:
            encoder.write(sent)
    told = training_frames(
        {"source": {"file": str(tmp_path), "labels": "folder"}, "encoder": [{"name": "event-frames", "bin": "2ms"}],
         "window": {"rows": 3, "hop": 3}, "report": {"classes": ["left", "right"]}}
    )  # fmt: skip
    assert told.y.tolist() == [0, 1]
    assert told.x.sum(axis=(1, 2)).tolist() == [6, 6]
