"""Frames become bits, sums become scores, and data that does not fit has its sentence."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn.encode import decode, encode
from spikebnn.errors import InputError
from spikebnn.network import Network, Node, Ref
from spikebnn.threshold import Encoder, plain_readout

VALUES = Encoder(kind="values", shape=(2, 2), dtype="float32", low=-1.0, high=1.0)
PLANES = Encoder(kind="planes", shape=(3,), dtype="uint8", levels=8)
THERMOMETER = Encoder(kind="thermometer", shape=(3,), dtype="uint8", levels=4)
BURST = Encoder(kind="burst", shape=(3,), dtype="uint8", ticks=9)


def graph(op: str, *args: object) -> Network:
    node = Node(op=op, args=(Ref("x"), *args), outs=("y",))
    return Network(
        nodes=(node,),
        tensors=MappingProxyType({}),
        inputs=("x",),
        outputs=("y", "x"),
        shapes=MappingProxyType({"x": (None, 2), "y": (None, 2)}),
    )


def test_values_are_one_bit_each_and_high_is_one() -> None:
    x = np.array([[[1, -1], [-1, 1]]], np.float32)
    bits = encode(VALUES, x)
    assert bits.tolist() == [[[1, 0, 0, 1]]]
    assert bits.dtype == np.uint8


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.float64, np.float16])
def test_another_type_that_keeps_every_value_is_taken(kind: type) -> None:
    assert encode(VALUES, np.array([[[1, -1], [-1, 1]]], kind)).tolist() == [[[1, 0, 0, 1]]]


def test_a_value_that_is_neither_is_named_with_its_place_and_count() -> None:
    x = np.ones((3, 2, 2), np.float32)
    x[1, 0, 1] = x[2, 1, 1] = 0.5
    wanted = r"^the network takes -1 and 1 only; 2 of 12 values are neither, the first 0\.5 in frame 1, element \(0, 1\)$"
    with pytest.raises(InputError, match=wanted):
        encode(VALUES, x)


def test_bytes_of_0_and_1_are_the_bits_and_a_2_is_neither() -> None:
    bytes_ = Encoder(kind="values", shape=(3,), dtype="uint8", low=0.0, high=1.0)
    x = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
    bits = encode(bytes_, x)
    np.testing.assert_array_equal(bits, x[:, None])
    assert bits.flags.c_contiguous
    assert not np.shares_memory(bits, x)
    assert encode(bytes_, x[:0]).shape == (0, 1, 3)
    x[1, 2] = 2
    with pytest.raises(InputError, match="takes 0 and 1 only; 1 of 6 values is neither, the first 2 in frame 1, element"):
        encode(bytes_, x)


def test_nan_is_neither() -> None:
    x = np.full((1, 2, 2), np.nan, np.float32)
    with pytest.raises(InputError, match="4 of 4 values are neither, the first nan in frame 0"):
        encode(VALUES, x)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (
            np.zeros((5, 4), np.float32),
            r"^the data has shape \(5, 4\), and the network takes \(frames, 2, 2\)$",
        ),
        (
            np.zeros((2, 2), np.float32),
            r"one frame without the frames axis; \(frames, 2, 2\) is wanted; try x\[None\]$",
        ),
        (np.float32(1), r"^the data has shape \(\), and the network takes \(frames, 2, 2\)$"),
        (np.array([[["a", "b"], ["c", "d"]]]), r"^the data is of type <U1, and the network takes float32$"),
        (
            np.full((1, 2, 2), 0.1),
            (
                r"^the data is of type float64, and the network takes float32; 4 of 4 values cannot be written as "
                r"float32, the first 0\.1 in frame 0, element \(0, 0\)$"
            ),
        ),
    ],
)
def test_data_of_a_wrong_shape_or_type_has_its_sentence(x: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        encode(VALUES, x)


def test_floats_are_not_taken_for_whole_numbers() -> None:
    wanted = r"of type float32, and the network takes uint8; scale it as the network was trained, then convert it with x\.astype\('uint8'\)$"
    with pytest.raises(InputError, match=wanted):
        encode(PLANES, np.ones((1, 3), np.float32))
    with pytest.raises(
        InputError, match=r"1 of 3 values cannot be written as uint8, the first 256 in frame 0"
    ):
        encode(PLANES, np.array([[1, 256, 3]]))
    with pytest.raises(
        InputError, match=r"1 of 3 values cannot be written as uint8, the first -1 in frame 0"
    ):
        encode(PLANES, np.array([[1, 2, -1]]))


@given(x=st.lists(st.integers(0, 255), min_size=3, max_size=3))
def test_planes_are_the_bits_of_the_number_level_after_level(x: list[int]) -> None:
    bits = encode(PLANES, np.array([x], np.uint8))
    assert bits.shape == (1, 1, 24)
    assert (bits.reshape(8, 3) * (1 << np.arange(8))[:, None]).sum(axis=0).tolist() == x


def test_too_large_a_number_for_its_planes_is_refused() -> None:
    with pytest.raises(InputError, match="an input value is 16, and the network takes 4-bit values, 0 to 15"):
        encode(replace(PLANES, levels=4), np.array([[1, 16, 3]], np.uint8))


@given(x=st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_a_thermometer_has_as_many_bits_as_the_number_says(x: list[int]) -> None:
    bits = encode(THERMOMETER, np.array([x], np.uint8)).reshape(4, 3)
    assert bits.tolist() == [[int(value > level) for value in x] for level in range(4)]


@given(x=st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_a_burst_has_as_many_spikes_as_the_number_says(x: list[int]) -> None:
    bits = encode(BURST, np.array([x], np.uint8))
    assert bits.shape == (1, 9, 3)
    assert bits.max(initial=0) <= 1
    assert bits.sum(axis=1).tolist() == [x]


def test_a_burst_longer_than_its_ticks_is_refused() -> None:
    wanted = r"^a value is sent as so many spikes in 9 ticks; 1 of 3 values is larger than that, the first 10 in frame 0, element \(1,\)$"
    with pytest.raises(InputError, match=wanted):
        encode(BURST, np.array([[9, 10, 0]], np.uint8))


def test_whole_numbers_are_wanted_where_levels_are_counted() -> None:
    encoder = replace(THERMOMETER, dtype="float32")
    assert encode(encoder, np.array([[0, 1, 3]], np.float32)).sum() == 4
    with pytest.raises(
        InputError, match=r"from 0 up; 1 of 3 values is not such a number, the first 0\.5 in frame 0"
    ):
        encode(encoder, np.array([[0, 0.5, 3]], np.float32))
    with pytest.raises(InputError, match=r"1 of 3 values is not such a number, the first nan in frame 0"):
        encode(encoder, np.array([[0, np.nan, 3]], np.float32))
    with pytest.raises(InputError, match=r"1 of 3 values is not such a number, the first -2\.0 in frame 0"):
        encode(encoder, np.array([[0, 1, -2]], np.float32))


def test_the_host_part_is_run_and_cut_at_its_values() -> None:
    """Bits are numbered (cut, element), output after output; a value equal to the cut sets the bit."""
    encoder = Encoder(
        kind="host", shape=(2,), dtype="float32", graph=graph("aten.neg.default"), cuts=((-1.0, 2.0), (0.5,))
    )
    bits = encode(encoder, np.array([[1.0, -2.0], [-3.0, 0.5]], np.float32))
    assert bits.tolist() == [[[1, 1, 0, 1, 1, 0]], [[1, 1, 1, 0, 0, 1]]]


def test_a_host_part_without_cuts_is_compared_with_high() -> None:
    encoder = Encoder(kind="host", shape=(2,), dtype="float32", graph=graph("aten.neg.default"), high=1.0)
    assert encode(encoder, np.array([[-1.0, 2.0]], np.float32)).tolist() == [[[1, 0, 0, 1]]]


def test_many_frames_go_through_the_host_part_in_batches() -> None:
    encoder = Encoder(
        kind="host", shape=(2,), dtype="float32", graph=graph("aten.neg.default"), cuts=((0.0,), ())
    )
    x = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    np.testing.assert_array_equal(encode(encoder, x)[:, 0], -x >= 0)
    assert encode(encoder, x[:0]).shape == (0, 1, 2)


def test_nan_from_or_to_the_host_part_is_refused() -> None:
    encoder = Encoder(
        kind="host", shape=(2,), dtype="float32", graph=graph("aten.neg.default"), cuts=((0.0,), (0.0,))
    )
    with pytest.raises(
        InputError, match="the network takes numbers; 1 of 4 values is not a number, the first nan in frame 1"
    ):
        encode(encoder, np.array([[0, 1], [2, np.nan]], np.float32))
    log = replace(encoder, graph=graph("aten.sub.Tensor", Ref("x")))
    with pytest.raises(
        InputError, match="the host's part of the network answers with NaN at y; 1 of 2 values is"
    ):
        encode(log, np.array([[np.inf, 1]], np.float32))


def test_values_that_the_host_part_may_not_take_are_refused() -> None:
    neg = graph("aten.neg.default")
    encoder = Encoder(
        kind="host", shape=(2,), dtype="float32", graph=neg, cuts=((0.0,), (0.0,)), allowed=((-1.0, 1.0), ())
    )
    assert encode(encoder, np.array([[1, -1]], np.float32)).tolist() == [[[0, 1, 1, 0]]]
    with pytest.raises(
        InputError, match=r"the network takes -1 and 1 only; 1 of 2 values is none of these, the first -3"
    ):
        encode(encoder, np.array([[1, 3]], np.float32))


def test_scores_are_rounded_once_and_the_bias_is_added_in_the_readouts_type() -> None:
    readout = replace(
        plain_readout(2),
        alpha=np.array([0.1, 1 / 3]),
        unit=2.0,
        offset=np.array([-3.0, 1.0]),
        bias=np.array([0.7, 1e-8], np.float32),
    )
    sums = np.array([[5, -2], [0, 7]])
    bias = np.array([0.7, 1e-8], np.float32)
    want = (np.array([0.1, 1 / 3]) * (2.0 * sums + [-3.0, 1.0])).astype(np.float32) + bias
    scores = decode(readout, sums)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, want.astype(np.float64))
    assert want.dtype == np.float32
    double = decode(replace(readout, dtype="float64"), sums)
    assert (double != scores).any()


def test_scores_take_the_shape_of_the_output_and_go_through_the_tail() -> None:
    readout = replace(plain_readout(2), shape=(1, 2))
    assert decode(readout, np.array([[3, 4]])).shape == (1, 1, 2)
    tail = replace(graph("aten.neg.default"), outputs=("y",))
    assert decode(replace(readout, tail=tail), np.array([[3, 4]])).tolist() == [[[-3.0, -4.0]]]
    assert decode(readout, np.zeros((0, 2), np.int64)).shape == (0, 1, 2)
