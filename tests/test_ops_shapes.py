"""Moving, summing, pooling: integers come out exactly as torch's, real numbers close to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikebnn import ops
from spikebnn.network import Node
from tests.strategies_ops import assert_equal

RNG = np.random.default_rng(0)
F32 = np.float32
X = RNG.normal(size=(4, 6, 8, 10)).astype(F32)
INDEX = np.arange(X.size).reshape(X.shape)  # int64: an index map

REWIRE = [
    ("view.default", [4, -1]), ("reshape.default", [4, 2, 3, 80]), ("flatten.using_ints", 1), ("flatten.using_ints", 1, 2),
    ("unflatten.int", 1, [2, 3]), ("permute.default", [0, 2, 3, 1]), ("permute.default", [0, -1, 1, 2]),
    ("transpose.int", 1, -1), ("swapaxes.default", 1, 2), ("mT.default",), ("movedim.int", 1, -1),
    ("unsqueeze.default", -1), ("unsqueeze.default", 1), ("squeeze.default",), ("squeeze.dim", 1),
    ("slice.Tensor", 2, 1, 9223372036854775807, 2), ("slice.Tensor", 3, -4, -1), ("slice.Tensor",),
    ("narrow.default", 1, 2, 3), ("select.int", -1, -2), ("index_select.default", 1, np.array([3, 3, 0])),
    ("index.Tensor", [None, np.array([1, 0])]), ("index.Tensor", [None, None, np.array([1, 0]), np.array([3, 2])]),
    ("index.Tensor", [None, np.array([1, 0]), None, np.array([3, 2])]), ("gather.default", 1, RNG.integers(0, 6, (4, 2, 8, 10))),
    ("pad.default", [1, 2]), ("pad.default", [1, 1, 2, 0], "constant", -1), ("pad.default", [-1, 1, 1, -2]),
    ("constant_pad_nd.default", [1, 1, 1, 1], 7), ("pixel_unshuffle.default", 2), ("channel_shuffle.default", 3),
    ("native_channel_shuffle.default", 2), ("flip.default", [1, -1]), ("roll.default", [1, 2], [1, 2]),
    ("roll.default", [3]), ("roll.default", [2], [1]), ("repeat.default", [1, 2, 1, 1]), ("repeat.default", [2, 1, 1, 1, 3]),
    ("repeat_interleave.self_int", 2, 1), ("expand.default", [2, 4, 6, 8, 10]), ("split.Tensor", 4, 1),
    ("split_with_sizes.default", [1, 2, 3], 1), ("chunk.default", 4, 3), ("chunk.default", 3, 2), ("unbind.int", 1),
]  # fmt: skip
FLOAT_ONLY = [
    ("pad.default", [1, 1, 2, 2], "replicate"), ("pad.default", [1, 1, 2, 2], "reflect"), ("pad.default", [1, 1, 2, 2], "circular"),
    ("replication_pad2d.default", [1, 2, 3, 0]), ("reflection_pad2d.default", [1, 2, 3, 0]),
    ("upsample_nearest2d.vec", None, [2.0, 2.0]), ("upsample_nearest2d.vec", [16, 25], None),
]  # fmt: skip


@pytest.mark.parametrize("row", REWIRE, ids=lambda row: row[0])
def test_moving_elements_is_exact_on_numbers_and_on_index_maps(row):
    op, *args = row
    for x in (X, INDEX, INDEX.astype(np.int32)):
        assert_equal(op, x, *args)


@pytest.mark.parametrize("row", FLOAT_ONLY, ids=lambda row: row[0])
def test_margins_that_torch_knows_for_floats_only_work_on_index_maps_too(row):
    op, *args = row
    assert_equal(op, X, *args)
    node = Node(op=f"aten.{op}", args=(), outs=("y",))
    (moved,) = ops.call(node, (INDEX, *args), {})
    assert moved.dtype == np.int64
    assert np.array_equal(X.ravel()[moved], ops.call(node, (X, *args), {})[0])


def test_joining_and_scattering_is_exact():
    for x in (X, INDEX):
        assert_equal("cat.default", [x, x[:, :2].copy()], 1)
        assert_equal("stack.default", [x, x], -1)
        assert_equal("slice_scatter.default", x, x[:, :2] * 2, 1, 0, 2)
        assert_equal("select_scatter.default", x, x[:, 0] * 2, 1, 3)
        assert_equal("view_as.default", x, x.reshape(4, -1))
        assert_equal("expand_as.default", x[:1].copy(), x)
        assert_equal("pixel_shuffle.default", np.tile(x, (1, 2, 1, 1)), 2)
        assert_equal("t.default", x[0, 0].copy())
        assert_equal("squeeze.dims", x[:1, :1].copy(), [0, 1])


FREE = [row for row in REWIRE if row[0].split(".")[0] not in ("repeat", "expand", "roll", "gather", "flip")]


@pytest.mark.parametrize("row", FREE, ids=lambda row: row[0])
def test_rewiring_works_for_a_batch_of_any_size(row):
    """Where axis 0 is left alone, a batch of another size is rewired frame by frame alike."""
    op, *args = row
    if op in ("view.default", "reshape.default"):
        args = [[-1, 2, 240]]
    node = Node(op=f"aten.{op}", args=(), outs=("y",))
    whole, few = ops.call(node, (X, *args), {}), ops.call(node, (X[:2], *args), {})
    if len(whole) == len(few) and whole[0].shape[0] == 4:
        assert all(np.array_equal(a[:2], b) for a, b in zip(whole, few, strict=True))


def ternary(*shape):
    return RNG.integers(-1, 2, shape).astype(F32)


def signs(*shape):
    return (RNG.integers(0, 2, shape) * 2 - 1).astype(F32)


def bytes_(*shape):
    return RNG.integers(0, 256, shape).astype(F32)


def real(*shape):
    return RNG.normal(size=shape).astype(F32)


CONV = [(1, 0, 1, 1), (2, 1, 1, 1), (1, 2, 2, 3), ([2, 1], [1, 0], 1, 6), (3, 1, 1, 2)]


@pytest.mark.parametrize("make", [signs, ternary, bytes_, real])
@pytest.mark.parametrize("biased", [False, True])
def test_weighted_sums(make, biased):
    """Whole numbers: equal bits. Real ones: torch's own order of summation differs from machine to machine."""
    near = 0 if make is not real else 2e-4
    bias = RNG.integers(-9, 9, 12).astype(F32) if biased else None
    weight = signs if make is bytes_ else make
    assert_equal("linear.default", make(30, 700), weight(12, 700), bias, within=near)
    assert_equal("linear.default", make(3, 5, 70), weight(12, 70), bias, within=near)
    for stride, padding, dilation, groups in CONV:
        pair = [[v] if isinstance(v, int) else v for v in (stride, padding, dilation)]
        assert_equal("conv2d.default", make(5, 6, 11, 9), weight(12, 6 // groups, 3, 3), bias, *pair, groups, within=near)
    assert_equal("conv2d.default", make(6, 11, 9), weight(12, 6, 3, 3), bias, within=near)
    assert_equal("conv1d.default", make(5, 6, 31), weight(12, 3, 5), bias, [2], [2], [1], 2, within=near)
    assert_equal("conv2d.padding", make(5, 6, 11, 9), weight(12, 6, 5, 3), bias, [1, 1], "same", within=near)
    assert_equal("conv2d.padding", make(5, 6, 11, 9), weight(12, 6, 3, 3), bias, [2, 2], "valid", within=near)
    assert_equal("convolution.default", make(5, 6, 11, 9), weight(12, 6, 3, 3), bias, [1, 1], [1, 1], [1, 1], False, [0, 0],
                 1, within=near)  # fmt: skip


@pytest.mark.parametrize("make", [signs, ternary, real])
def test_matrix_products(make):
    near = 0 if make is not real else 2e-4
    assert_equal("mm.default", make(30, 70), make(70, 12), within=near)
    assert_equal("matmul.default", make(3, 4, 70), make(70, 12), within=near)
    assert_equal("matmul.default", make(70), make(70, 12), within=near)
    assert_equal("bmm.default", make(3, 4, 7), make(3, 7, 2), within=near)
    assert_equal("mv.default", make(4, 7), make(7), within=near)
    assert_equal("addmm.default", make(12), make(30, 70), make(70, 12), within=near)
    assert_equal("addmm.default", make(12), make(30, 70), make(70, 12), beta=0.5, alpha=2, within=near)
    assert_equal("einsum.default", "bi,oi->bo", [make(3, 4), make(5, 4)], within=near)


def test_sums_beyond_float32_are_rounded_once():
    """2**24 + 1 is no float32; the carrier is widened before it could matter."""
    x = np.full((1, 3), 2.0**24, F32)
    x[0, 1:] = 1
    (out,) = ops.call(Node(op="aten.linear.default", args=(), outs=("y",)), (x, np.ones((1, 3), F32)), {})
    assert out[0, 0] == 2.0**24 + 2


POOLS = [([2, 2], [], [0], [1], False), ([3], [2], [1], [1], False), ([3, 3], [2, 2], [1, 1], [1, 1], True),
         ([2], [3], [0], [2], True), ([3, 2], [1, 2], [1, 0], [1, 1], False), ([5], [5], [2], [1], True),
         ([2], [2], [0], [1], True)]  # fmt: skip


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_max_pools_are_exact(pool):
    for x in (real(4, 6, 11, 13), signs(4, 6, 11, 13)):
        assert_equal("max_pool2d.default", x, *pool)
        assert_equal("max_pool2d_with_indices.default", x, *pool)
    assert_equal("max_pool1d.default", real(4, 11, 13), [3], [2], [1])


@pytest.mark.parametrize("pool", [p for p in POOLS if set(p[3]) == {1}], ids=str)
def test_average_pools_of_bits_are_exact(pool):
    kernel, stride, padding, _, ceil = pool
    for make in (signs, ternary, real):
        near = 2e-6 if make is real else 0
        x = make(4, 6, 11, 13)
        for count_margin in (True, False):
            assert_equal("avg_pool2d.default", x, kernel, stride, padding, ceil, count_margin, within=near)
        assert_equal("avg_pool2d.default", x, kernel, stride, padding, ceil, True, 7, within=near)
        assert_equal("avg_pool1d.default", x[0], [3], [2], [1], within=near)


@pytest.mark.parametrize("size", [[1, 1], [5, 4], [11, 13], [3, 1]], ids=str)
def test_adaptive_means_of_bits_are_exact(size):
    for make in (signs, real):
        near = 2e-6 if make is real else 0
        assert_equal("adaptive_avg_pool2d.default", make(4, 6, 11, 13), size, within=near)
        assert_equal("adaptive_avg_pool1d.default", make(4, 6, 13), size[:1], within=near)


WHOLE = RNG.integers(-3, 4, (4, 6, 5)).astype(F32)
REDUCE = [
    ("sum.default",), ("sum.dim_IntList", [1], True), ("sum.dim_IntList", [-1, 0]), ("sum.dim_IntList", None),
    ("amax.default", [1]), ("amin.default", [0, 2], True), ("max.default",), ("min.default",), ("max.dim", 1), ("min.dim", -1),
    ("argmax.default",), ("argmax.default", 1, True), ("argmin.default", -1), ("any.dim", 1), ("all.default",),
]  # fmt: skip


@pytest.mark.parametrize("row", REDUCE, ids=lambda row: row[0])
def test_reductions_of_whole_numbers_are_exact(row):
    op, *args = row
    for x in (WHOLE, WHOLE.astype(np.int64), np.abs(WHOLE).astype(np.uint8), WHOLE > 0):
        if not (x.dtype == bool and op.startswith("arg")):  # torch has no argmax of bools
            assert_equal(op, x, *args)


@pytest.mark.parametrize("x", [WHOLE, real(4, 6, 50)], ids=["whole", "real"])
def test_means_deviations_norms_and_softmax_are_close(x):
    near = 2e-6
    for op, *args in [("mean.default",), ("mean.dim", [1]), ("mean.dim", [-1, -2], True), ("std.default",), ("std.default", False),
                      ("std.dim", [1], False, True), ("var.dim", [0]), ("norm.Scalar", 2), ("log_softmax.int", 1),
                      ("softmax.int", -1), ("_softmax.default", 1, False), ("_log_softmax.default", 1, False),
                      ("logsumexp.default", [1]), ("cumsum.default", 1), ("prod.dim_int", 1)]:  # fmt: skip
        assert_equal(op, x, *args, within=2e-5 if op == "cumsum.default" else near)
    for correction in (0, 1.0, None):
        assert_equal("std.correction", x, [1], correction=correction, within=near)
        assert_equal("var.correction", x, correction=correction, within=near)
    for p in (0, 1, 2, 3, float("inf")):
        assert_equal("norm.ScalarOpt_dim", x, p, [1], within=near)
        assert_equal("linalg_vector_norm.default", x, p, [1], True, within=near)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_the_first_of_equal_scores_wins(scores):
    assert_equal("argmax.default", np.array([scores], F32), 1)


@given(st.data())
def test_convolutions_of_bits_are_exact_in_any_geometry(data):
    groups = data.draw(st.sampled_from([1, 2, 3]))
    ins, outs = groups * data.draw(st.integers(1, 3)), groups * data.draw(st.integers(1, 3))
    kernel = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride, padding, dilation = (data.draw(st.tuples(st.integers(low, 3), st.integers(low, 3))) for low in (1, 0, 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = (rng.integers(0, 2, (2, ins, 8, 9)) * 2 - 1).astype(F32)
    w = rng.integers(-1, 2, (outs, ins // groups, *kernel)).astype(F32)
    assert_equal("conv2d.default", x, w, None, list(stride), list(padding), list(dilation), groups)
