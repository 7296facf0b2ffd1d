"""Encoders: the bits are those of the formula, no cut into chunks changes one, and what can be undone is undone."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.encoders import (
    Affine,
    Delta,
    EventFrames,
    FilterBank,
    Planes,
    Rate,
    Thermometer,
    Threshold,
    chain,
    known,
    make,
    parse,
    spec,
)
from spikebnn.errors import InputError

BANK = FilterBank(rate=1000.0, bands=5, frame=0.032, hop=0.010, low=20.0)
ALL = {
    "affine": Affine(offset=0.5, scale=2.0),
    "threshold": Threshold(at=0.1, hysteresis=0.4),
    "thermometer": Thermometer.even(5, -1.0, 1.0),
    "planes": Planes(4, -2.0, 2.0),
    "planes gray": Planes(4, -2.0, 2.0, gray=True),
    "delta": Delta(step=0.3, hysteresis=0.1, most=2),
    "rate even": Rate(6, -1.0, 1.0),
    "rate burst": Rate(6, -1.0, 1.0, way="burst"),
    "rate random": Rate(6, -1.0, 1.0, way="random", seed=5),
    "filterbank": BANK,
    "sparse bank": FilterBank(rate=1000.0, bands=3, frame=0.020, hop=0.050, low=20.0),
    "chain": chain([Affine(scale=0.5), BANK, Thermometer.even(3, -4.0, 1.0), Threshold(0.5)]),
}


def signal(rows, channels, seed=0):
    """A walk with jumps, about as large as the encoders' ranges."""
    draw = np.random.default_rng(seed)
    return np.cumsum(draw.normal(0, 0.3, (rows, channels)), axis=0) * 0.3 + draw.normal(
        0, 0.3, (rows, channels)
    )


@st.composite
def cuts(draw, most=220):
    """A recording and where it is cut."""
    rows = draw(st.integers(0, most))
    places = sorted(draw(st.lists(st.integers(0, rows), max_size=8)))
    return signal(rows, draw(st.integers(1, 3)), draw(st.integers(0, 99))), [0, *places, rows]


@pytest.mark.parametrize("name", ALL)
@given(case=cuts())
@settings(max_examples=20, deadline=None)
def test_no_cut_into_chunks_changes_a_bit(name, case):
    x, places = case
    encoder, state, parts = ALL[name], {}, []
    for start, stop in itertools.pairwise(places):
        out, state = encoder.push(x[start:stop], state)
        parts.append(out)
    np.testing.assert_array_equal(np.concatenate(parts), encoder(x))


@pytest.mark.parametrize("name", ALL)
def test_width_span_and_stride_are_what_comes_out(name):
    encoder, x = ALL[name], signal(300, 2)
    out = encoder(x)
    assert out.shape == (max(0, (300 - encoder.span) // encoder.stride + 1), encoder.width(2))
    assert not encoder.bits or set(np.unique(out)) <= {0, 1}


@pytest.mark.parametrize("name", ALL)
def test_an_output_row_depends_on_no_later_input(name):
    encoder, x = ALL[name], signal(300, 1)
    whole = encoder(x)
    for k in (0, len(whole) // 2, len(whole) - 1):
        end = k * encoder.stride + encoder.span
        changed = x.copy()
        changed[end:] += 7.0
        np.testing.assert_array_equal(encoder(changed)[: k + 1], whole[: k + 1])


@pytest.mark.parametrize("name", ALL)
def test_an_encoder_comes_back_from_its_spec(name):
    text = json.dumps(spec(ALL[name]))
    again = chain([make(table.pop("name"), table) for table in json.loads(text)])
    assert again == ALL[name]


def test_a_threshold_with_hysteresis_stays_on_until_the_reading_has_fallen_far():
    x = np.array([[0.0], [1.0], [0.8], [0.6], [0.4], [0.8], [1.0]])
    assert Threshold(at=1.0, hysteresis=0.5)(x)[:, 0].tolist() == [0, 1, 1, 1, 0, 0, 1]
    assert Threshold(at=1.0)(x)[:, 0].tolist() == [0, 1, 0, 0, 0, 0, 1]


@given(x=st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_a_thermometer_is_undone_to_within_half_the_distance_of_two_levels(x):
    column = np.array(x)[:, None]
    code = Thermometer.even(7, -2.0, 2.0)
    bits = code(column)
    assert (np.diff(bits.reshape(len(bits), 7).astype(int), axis=1) <= 0).all()
    inside = np.abs(column) <= 1.5
    assert (np.abs(code.invert(bits) - column)[inside] <= 0.25 + 1e-12).all()


@given(x=st.lists(st.floats(-2, 2, exclude_max=True), min_size=1, max_size=20), gray=st.booleans())
def test_planes_are_undone_to_within_half_a_step(x, gray):
    code = Planes(6, -2.0, 2.0, gray=gray)
    column = np.array(x)[:, None]
    assert (np.abs(code.invert(code(column)) - column) <= 2.0 / 64 + 1e-12).all()


def test_neighbouring_steps_of_gray_planes_differ_in_one_bit():
    bits = Planes(5, 0.0, 32.0, gray=True)(np.arange(32.0)[:, None]).astype(int)
    assert (np.abs(np.diff(bits, axis=0)).sum(axis=1) == 1).all()


@given(seed=st.integers(0, 50), slack=st.floats(0, 0.3))
def test_delta_follows_the_signal_to_within_step_and_hysteresis(seed, slack):
    x = np.cumsum(np.random.default_rng(seed).uniform(-0.5, 0.5, (80, 2)), axis=0)
    code = Delta(step=0.25, hysteresis=slack, most=8)
    error = np.abs(code.invert(code(x), x[0]) - x)
    assert error.max() <= 0.25 + slack + 1e-9


def test_delta_is_silent_where_the_signal_rests_and_where_noise_stays_below_the_hysteresis():
    draw = np.random.default_rng(0)
    assert Delta(step=0.1)(np.full((50, 1), 3.0)).sum() == 0
    noise = 1.0 + draw.uniform(-0.02, 0.02, (500, 1))
    noise[0] = 1.0
    assert Delta(step=0.03, hysteresis=0.05)(noise).sum() == 0


def test_delta_sends_up_then_down():
    bits = Delta(step=1.0)(np.array([[0.0], [1.0], [2.5], [2.4], [0.9]]))
    assert bits.tolist() == [[0, 0], [1, 0], [1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize("way", ["even", "burst"])
def test_a_rate_is_so_many_spikes_and_undone_to_within_half_of_one(way):
    x = np.linspace(0, 1, 41)[:, None]
    code = Rate(8, 0.0, 1.0, way=way)
    bits = code(x)
    np.testing.assert_array_equal(bits.sum(axis=1), np.rint(x[:, 0] * 8))
    assert (np.abs(code.invert(bits) - x) <= 1 / 16 + 1e-12).all()
    if way == "burst":
        assert (np.diff(bits.astype(int), axis=1) <= 0).all()


def test_random_rates_come_from_the_seed_and_are_right_on_average():
    x = np.full((2000, 1), 0.25)
    first, again, other = (Rate(8, 0.0, 1.0, way="random", seed=seed)(x) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert abs(first.mean() - 0.25) < 0.02


def test_a_tone_lights_the_band_that_holds_it():
    rate = 8000.0
    bank = FilterBank(rate=rate, bands=12, low=100.0, high=4000.0)
    ends = 2595 * np.log10(1 + np.array([100.0, 4000.0]) / 700)
    middles = 700 * (10 ** (np.linspace(*ends, 14)[1:-1] / 2595) - 1)
    for k in (2, 6, 10):
        tone = np.sin(2 * np.pi * middles[k] * np.arange(4000) / rate)[:, None]
        assert (bank(tone).argmax(axis=1) == k).all()


def test_a_silent_signal_is_the_floor():
    assert (FilterBank(rate=1000.0, bands=4, low=20.0)(np.zeros((100, 1))) == -10.0).all()


def events(count=400, seed=0, late=()):
    draw = np.random.default_rng(seed)
    t = np.sort(draw.uniform(3.0, 3.2, count))
    out = np.stack(
        [t, draw.integers(0, 6, count), draw.integers(0, 4, count), draw.integers(0, 2, count)], axis=1
    )
    for k in late:
        out[k, 0] = 3.0
    return out


@given(places=st.lists(st.integers(0, 400), max_size=8))
def test_no_cut_of_the_events_changes_a_frame(places):
    code, x, state, parts = EventFrames(6, 4, 0.010, least=2), events(late=(300,)), {}, []
    edges = [0, *sorted(places), 400]
    for start, stop in itertools.pairwise(edges):
        out, state = code.push(x[start:stop], state)
        parts.append(out)
    np.testing.assert_array_equal(np.concatenate([*parts, code.finish(state)]), code(x))
    assert state["late"] == 1


def test_event_frames_hold_the_pixels_with_enough_events():
    code, x = EventFrames(6, 4, 0.010, least=2), events()
    out = code(x)
    number = np.floor((x[:, 0] - x[0, 0]) / 0.010).astype(int)
    assert len(out) == number.max() + 1
    for k in range(len(out)):
        frame = np.zeros((2, 4, 6), int)
        for _, column, row, side in x[number == k].astype(int):
            frame[side, row, column] += 1
        np.testing.assert_array_equal(out[k], (frame >= 2).ravel())


def test_event_frames_shrink_join_polarities_and_count_what_is_outside():
    code = EventFrames(5, 3, 0.5, shrink=2, polarity=False)
    x = np.array([[0.0, 4, 2, 1], [0.1, 9, 0, 0], [0.2, 1, 1, 0]])
    _, state = code.push(x, {})
    assert code.shape == (1, 2, 3)
    assert code.finish(state)[0].tolist() == [1, 0, 0, 0, 0, 1]
    assert state["outside"] == 1


def test_fits_are_quantiles_and_deviations():
    x = signal(1000, 2) * [1.0, 50.0]
    assert abs(Thermometer.fit(x, 4)(x).mean() - 0.5) < 0.01
    plain = Affine.fit(x)
    assert np.allclose(plain(x).std(axis=0), 1)
    assert np.allclose(plain.invert(plain(x)), x)


def test_one_encoder_serves_a_data_set_of_torch_and_the_stream():
    import torch

    class Recording(torch.utils.data.Dataset):
        def __init__(self, x, encoder):
            self.x, self.encoder = x, encoder

        def __len__(self):
            return len(self.x)

        def __getitem__(self, k):
            return torch.from_numpy(self.encoder(self.x[k]).astype(np.float32))

    clips = np.stack([signal(50, 2, seed) for seed in range(4)])
    code = Delta(step=0.2)
    (batch,) = torch.utils.data.DataLoader(Recording(clips, code), batch_size=4)
    streamed = [np.concatenate([code.push(clip, {})[0]]) for clip in clips]
    np.testing.assert_array_equal(batch.numpy(), np.stack(streamed))


def test_a_line_of_text_is_an_encoder():
    assert parse(["thermometer:levels=3,low=-1,high=1"]) == Thermometer((-0.5, 0.0, 0.5))
    assert parse(["thermometer:levels=-1/0/2"]) == Thermometer((-1, 0, 2))
    both = parse(["filterbank:bands=8,frame=32ms,hop=10ms", "threshold:at=-3"], rate=8000.0)
    assert both.stages[0] == FilterBank(rate=8000.0, bands=8, frame=0.032, hop=0.010)
    assert (both.span, both.stride, both.width(2)) == (256, 80, 16)


def test_an_encoder_may_lie_in_a_file(tmp_path):
    file = tmp_path / "code.json"
    file.write_text(json.dumps(spec(ALL["chain"])), encoding="utf-8")
    assert parse([str(file)]) == ALL["chain"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "thermo:levels=2",
            "^there is no encoder 'thermo', did you mean thermometer; known are affine, delta, ",
        ),
        ("delta:size=2", "^the encoder delta has no option 'size'; it takes step, hysteresis, most$"),
        ("delta:step", r"holds 'step'; options are written NAME:OPTION=VALUE,OPTION=VALUE$"),
        ("delta:step=-1", "^delta takes a step above 0"),
        ("delta:most=1.5", "^the encoder delta takes most as int, found 1.5$"),
        ("thermometer", "^the encoder thermometer needs levels: thermometer:levels=...$"),
        ("thermometer:levels=4", "takes a number of levels with low and high, or the levels themselves$"),
        ("thermometer:levels=1/0", r"^thermometer levels are finite and rise, found \(1, 0\)$"),
        ("filterbank:bands=4", "^the encoder filterbank needs rate: "),
        (
            "filterbank:rate=100,bands=4,high=80",
            "^filterbank goes from 50 to 80 Hz, and 100 samples a second hold 0 to 50 Hz$",
        ),
        ("filterbank:rate=8000,bands=200", "some bands would hold none; take fewer bands or a longer frame$"),
        ("rate:way=fast", "^rate goes one of the ways even, burst, random, found 'fast'$"),
        ("planes:low=1,high=1", "^planes takes 1 to 32 bits and low < high"),
        ("none.json", "none.json: wanted the JSON of an encoder"),
    ],
)
def test_a_mistake_has_its_sentence(text, sentence):
    with pytest.raises(InputError, match=sentence) as found:
        parse([text])
    assert "\n" not in str(found.value)


def test_levels_for_other_channels_are_refused():
    with pytest.raises(InputError, match="^thermometer has levels for 2 channels, and the signal has 3$"):
        Thermometer(((0.0, 1.0), (1.0, 2.0)))(np.zeros((2, 3)))
    with pytest.raises(InputError, match="^delta step has 2 values, and the signal has 3 channels$"):
        Delta(step=(1.0, 2.0))(np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"takes \(rows, channels\), found an array of shape \(3,\)"):
        Delta()(np.zeros(3))


def test_the_registry_makes_what_it_lists():
    assert {
        "affine",
        "delta",
        "event-frames",
        "filterbank",
        "planes",
        "rate",
        "thermometer",
        "threshold",
    } <= set(known())
    for name in known():
        module, _, maker = known()[name].partition(":")
        assert getattr(__import__(module, fromlist=[maker]), maker).__doc__
