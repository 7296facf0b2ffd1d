"""Every pointwise operation gives the bits that PyTorch's CPU kernels give."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from spikebnn import ops
from spikebnn.errors import ImportRefused
from spikebnn.network import Node
from spikebnn.ops.dtypes import result_type
from spikebnn.ops.fused import fma
from tests.strategies_ops import assert_equal, float32s

RNG = np.random.default_rng(0)
F32 = np.float32
X = (RNG.normal(size=(4, 6, 5, 3)) * 10).astype(F32)
X[0, :3] = np.array([0, -0.0, 1, -1, 0.5], F32)[None, :, None]
Y = (RNG.normal(size=(4, 6, 5, 3)) * 3).astype(F32)
I64 = RNG.integers(-20, 20, (4, 6, 5, 3))
U8 = RNG.integers(0, 256, (4, 6, 5, 3)).astype(np.uint8)
BOOL = X > 0
CHANNEL = RNG.normal(size=(6, 1, 1)).astype(F32)
SCALAR, WIDE_SCALAR = np.array(1.5, F32), np.array(0.3, np.float64)

UNARY = ("neg", "abs", "sign", "sgn", "square", "rsqrt", "reciprocal", "floor", "ceil", "round", "trunc", "relu", "relu6",
         "hardtanh", "hardsigmoid", "leaky_relu", "logical_not", "detach", "clone", "alias")  # fmt: skip
COMPARE = ("ge", "gt", "le", "lt", "eq", "ne")
BINARY = [f"{n}.Tensor" for n in ("add", "sub", "mul", "div", "rsub", *COMPARE)] + ["minimum.default", "maximum.default"]
SMOOTH = ("sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh", "sigmoid", "atan", "sin", "cos", "silu",
          "softplus", "elu")  # fmt: skip


@pytest.mark.parametrize("op", UNARY)
@given(x=float32s(3, 7))
def test_unary_operations_are_bit_equal(op, x):
    assert_equal(f"{op}.default", x)


@pytest.mark.parametrize("op", BINARY)
@given(x=float32s(2, 5), y=float32s(2, 5))
def test_binary_operations_are_bit_equal(op, x, y):
    assert_equal(op, x, y)


@given(x=float32s(2, 5), y=float32s(2, 5), alpha=st.sampled_from([1, 2, 0.3, -0.7, -1]))
def test_a_scaled_sum_is_rounded_once(x, y, alpha):
    assert_equal("add.Tensor", x, y, alpha=alpha)
    assert_equal("sub.Tensor", x, y, alpha=alpha)


@given(x=float32s(3, 4, 2), low=st.none() | st.floats(-5, 5), high=st.none() | st.floats(-5, 5))
def test_clamps_are_bit_equal_even_where_the_bounds_cross(x, low, high):
    assume(low is not None or high is not None)
    assert_equal("clamp.default", x, low, high)
    if low is not None and high is not None and low <= high:
        assert_equal("hardtanh.default", x, low, high)


@given(x=float32s(3, 4, 2), slope=float32s(4), number=st.floats(-100, 100))
def test_slopes_thresholds_and_steps_are_bit_equal(x, slope, number):
    assert_equal("prelu.default", x, slope)
    assert_equal("prelu.default", x, slope[:1])
    assert_equal("leaky_relu.default", x, number)
    assert_equal("threshold.default", x, number, -3.0)
    assert_equal("heaviside.default", x, np.array(number, F32))
    for op in COMPARE:
        assert_equal(f"{op}.Scalar", x, number)
    for op in ("add", "mul", "div", "sub"):
        assert_equal(f"{op}.Scalar", x, number)
    assert_equal("rsub.Scalar", x, number)


MIXED = [(X, CHANNEL), (X, SCALAR), (X, WIDE_SCALAR), (X, I64), (I64, X), (I64, I64), (X, X.astype(np.float64)),
         (I64, SCALAR), (I64, WIDE_SCALAR), (X, BOOL), (U8, I64), (U8, X), (BOOL, I64), (BOOL, X)]  # fmt: skip


@pytest.mark.parametrize("op", ["add.Tensor", "mul.Tensor", "div.Tensor", "minimum.default", "ge.Tensor", "eq.Tensor"])
@pytest.mark.parametrize("pair", range(len(MIXED)))
def test_mixed_number_types_are_promoted_as_in_torch(op, pair):
    assert_equal(op, *MIXED[pair])
    assert_equal(op, *MIXED[pair][::-1])


@pytest.mark.parametrize("number", [0.1, 3, -1.5, 256, -1, 1e-3])
@pytest.mark.parametrize("op", ["add", "mul", "div", "rsub", "ge", "lt", "eq"])
def test_plain_numbers_are_weak(op, number):
    for x in (X, I64, U8, X.astype(np.float64)):
        assert_equal(f"{op}.Scalar", x, number)


@pytest.mark.parametrize("op", SMOOTH)
def test_transcendental_functions_are_within_two_last_places(op):
    """torch takes them from a vector library whose last bit depends on the processor."""
    assert_equal(f"{op}.default", X, within=2.5e-7)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_is_close(approximate):
    assert_equal("gelu.default", X, approximate=approximate, within=2e-6)


@pytest.mark.parametrize("exponent", [2, 2.0, 3, 3.0, -0.5, -1, -2, 0, 1])
def test_small_powers_are_multiplied_out(exponent):
    assert_equal("pow.Tensor_Scalar", X, exponent)


def test_powers_of_two_are_exact():
    assert_equal("pow.Scalar", 2.0, np.arange(-140, 128).astype(F32))
    assert_equal("exp2.default", np.arange(-120, 127).astype(F32))


TABLE = [
    ("where.self", BOOL, X, Y), ("where.self", BOOL, X, WIDE_SCALAR), ("where.self", BOOL, I64, SCALAR),
    ("where.Scalar", BOOL, 1.0, -1.0), ("where.Scalar", BOOL, 1, -1), ("where.Scalar", BOOL, 1, -1.0),
    ("where.ScalarOther", BOOL, X, -1), ("where.ScalarSelf", BOOL, 1.0, I64),
    ("masked_fill.Scalar", X, BOOL, 0.1), ("masked_fill.Tensor", X, BOOL, WIDE_SCALAR),
    ("clamp.Tensor", X, CHANNEL, None), ("clamp.Tensor", X, CHANNEL, Y), ("clamp.default", I64, -1.5, 2),
    ("clamp_min.default", X, 0.1), ("clamp_max.default", X, 0.1), ("_prelu_kernel.default", X, CHANNEL),
    ("min.other", I64, X), ("max.other", X, CHANNEL), ("heaviside.default", X, CHANNEL),
    ("floor_divide.default", X, Y), ("remainder.Scalar", X, 0.7),
    ("remainder.Scalar", I64, 7), ("fmod.Scalar", X, 0.7), ("addcmul.default", X, Y, CHANNEL),
    ("addcdiv.default", X, Y, CHANNEL), ("lerp.Scalar", X, Y, 0.3), ("lerp.Scalar", X, Y, 0.7),
    ("bitwise_not.default", BOOL), ("bitwise_not.default", I64), ("bitwise_and.Tensor", BOOL, Y > 0),
    ("bitwise_xor.Scalar", I64, 3), ("logical_and.default", X, I64), ("logical_or.default", X, BOOL),
    ("logical_xor.default", X, BOOL), ("sign.default", BOOL), ("sign.default", I64), ("neg.default", I64),
    ("relu.default", I64), ("abs.default", I64), ("fill.Scalar", X, 0.3), ("copy.default", X, I64[0].copy()),
    ("type_as.default", X, I64), ("to.other", X, BOOL), ("contiguous.default", X), ("dropout.default", X, 0.5, False),
    ("zeros_like.default", X), ("ones_like.default", I64), ("full_like.default", X, 2), ("full_like.default", I64, 2),
    ("ones.default", [2, 3]), ("zeros.default", [2, 3]), ("full.default", [2], 3), ("full.default", [2], 0.5),
    ("full.default", [2], True), ("scalar_tensor.default", 3), ("arange.default", 5), ("arange.start", 2, 7),
    ("arange.start_step", 0, 1.0, 0.25), ("eye.default", 3), ("new_full.default", X, [2], 3), ("new_ones.default", I64, [2]),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_the_table_is_bit_equal(row):
    assert_equal(*row)


@pytest.mark.parametrize("mode", ["trunc", "floor"])
def test_divisions_are_rounded_by_name(mode):
    assert_equal("div.Tensor_mode", X, Y, rounding_mode=mode)
    assert_equal("div.Scalar_mode", I64, 3, rounding_mode=mode)
    assert_equal("div.Scalar_mode", X, 0.3, rounding_mode=mode)


@pytest.mark.parametrize("decimals", [0, 1, 3, -1])
def test_rounding_goes_half_to_even(decimals):
    assert_equal("round.decimals", X, decimals=decimals)
    assert_equal("round.default", np.arange(-4, 4.5, 0.5).astype(F32))


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7, 8, 12])
def test_casts_by_scalar_type_number(number):
    for x in (np.abs(X), np.abs(I64), U8, BOOL, np.abs(X).astype(np.float64)):
        assert_equal("_to_copy.default", x, dtype=number)
        assert_equal("to.dtype", x, number)


@given(a=float32s(6), b=float32s(6), c=float32s(6))
def test_a_fused_multiply_add_is_rounded_once(a, b, c):
    """Against exact fractions: no float32 is nearer to a * b + c, and ties go to the even one."""
    with np.errstate(all="ignore"):
        got = fma(a, b, c)
        plain = (a.astype(np.float64) * b + c).astype(F32)
    for x, y, z, r, p in zip(a, b, c, got, plain, strict=True):
        if not np.isfinite([x, y, z, p]).all():
            assert np.array_equal(r, p, equal_nan=True) or not np.isfinite(p)
            continue
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        near = [n for n in (np.nextafter(r, F32(-np.inf)), r, np.nextafter(r, F32(np.inf))) if np.isfinite(n)]
        gaps = {float(n): abs(Fraction(float(n)) - exact) for n in near}
        assert gaps[float(r)] == min(gaps.values())
        ties = [n for n in near if gaps[float(n)] == min(gaps.values())]
        if len(ties) > 1:
            assert not int(np.asarray(r).view(np.int32)) & 1


def test_fused_multiply_add_does_not_round_twice():
    """1 + 2**-24 + 2**-60 lies above the middle of two float32; rounded to float64 first, it is the middle."""
    a, b, c = F32(2**-30), F32(2**-30), F32(1 + 2**-23)
    start = np.array([1.0], F32)
    assert fma(a, b, start)[0] == 1.0
    middle = fma(np.array([2.0**-12], F32), np.array([2.0**-12 + 2.0**-35], F32), start)
    exact = torch.addcmul(torch.tensor([1.0]), torch.tensor([2.0**-12]), torch.tensor([2.0**-12 + 2.0**-35]))
    assert middle[0] == exact[0].item() == np.nextafter(F32(1), F32(2))
    assert c == np.nextafter(F32(1), F32(2))


SHAPES = [(2000, 96), (3, 7), (20, 64, 9, 9), (2, 5, 3, 3), (64, 33, 17), (1, 512), (512, 1), (1, 3, 1, 1), (1, 16, 28, 28)]


@pytest.mark.parametrize("tie", [False, True], ids=["real", "ties"])
@pytest.mark.parametrize("affine", [(True, True), (False, False), (True, False), (False, True)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_decides_as_torch_does(shape, affine, tie):
    """At x = mean the sign is a rounding residue; it must be torch's residue. Any memory layout."""
    rng = np.random.default_rng(len(shape) * 8 + tie)
    n = shape[1]
    x = rng.integers(-200, 200, shape).astype(F32)
    if not tie:
        x = x + rng.normal(size=shape).astype(F32)
    mean = (rng.integers(-200, 200, n) if tie else rng.normal(size=n) * 20).astype(F32)
    var = (rng.random(n) * 300 + 0.1).astype(F32)
    weight = rng.normal(size=n).astype(F32) if affine[0] else None
    bias = (np.zeros(n) if tie else rng.normal(size=n)).astype(F32) if affine[1] else None
    for eps in (1e-5, 1e-4, 1e-3):
        assert_equal("batch_norm.default", x, weight, bias, mean, var, False, 0.1, eps, True)
        assert_equal("_native_batch_norm_legit_no_training.default", x, weight, bias, mean, var, 0.1, eps)
    if len(shape) == 4:  # torch has another kernel for channels-last memory
        node = Node(op="aten.batch_norm.default", args=(), outs=("y",))
        (ours,) = ops.call(node, (x, weight, bias, mean, var, False, 0.1, 1e-5, True), {})
        lift = [None if a is None else torch.from_numpy(a) for a in (weight, bias, mean, var)]
        last = torch.from_numpy(x).to(memory_format=torch.channels_last)
        assert np.array_equal(torch.batch_norm(last, *lift, False, 0.1, 1e-5, True).numpy(), ours)


def test_ties_of_batch_norm_are_really_met():
    """On ties the textbook order of operations decides otherwise in many places: the test above bites."""
    rng = np.random.default_rng(3)
    mean = rng.integers(-40, 40, 4000).astype(F32)
    var, gamma = (rng.random(4000) * 300 + 0.1).astype(F32), rng.normal(size=4000).astype(F32)
    node = Node(op="aten.batch_norm.default", args=(), outs=("y",))
    (ours,) = ops.call(node, (mean[None], gamma, None, mean, var, False, 0.1, 1e-5, True), {})
    textbook = (mean - mean) / np.sqrt(var + F32(1e-5)) * gamma
    assert ((ours[0] >= 0) != (textbook >= 0)).mean() > 0.1


def test_float64_stays_float64_through_pointwise_operations():
    x = X.astype(np.float64)
    rows = [("batch_norm.default", x, *(np.ones(6, F32),) * 4, False, 0.1, 1e-5, True), ("prelu.default", x, CHANNEL.ravel()),
            ("hardtanh.default", x, -1, 1), ("add.Tensor", x, CHANNEL), ("where.self", BOOL, x, SCALAR),
            ("clamp.default", x, -1.0, 1.0), ("leaky_relu.default", x, 0.1), ("addcmul.default", x, CHANNEL, SCALAR)]  # fmt: skip
    for op, *args in rows:
        assert ops.call(Node(op=f"aten.{op}", args=(), outs=("y",)), args, {})[0].dtype == np.float64
    cast = Node(op="aten._to_copy.default", args=(), outs=("y",))
    assert ops.call(cast, (x,), {"dtype": 7})[0].dtype == np.float32
    assert ops.call(cast, (x,), {"dtype": 7}, wide=True)[0].dtype == np.float64


def test_the_sets_are_disjoint_and_cover_the_table():
    sets = [ops.POINTWISE, ops.REWIRE, ops.COPY, ops.CONTRACT, ops.POOL, ops.AVERAGE, ops.REDUCE, ops.TAIL, ops.CONSTANT]
    names = [name for group in sets for name in group]
    assert len(names) == len(set(names))
    assert set(names) == set(ops.OPS) - {"aten.sym_size.int"}
    assert not ops.TRAINING & set(ops.OPS)


def test_every_name_in_the_table_is_an_operation_of_torch():
    for name in ops.OPS:
        _, op, overload = name.split(".")
        assert hasattr(getattr(torch.ops.aten, op), overload), name


@pytest.mark.parametrize(
    ("op", "args", "sentence"),
    [
        ("aten.dropout.default", (X, 0.5, True), "a dropout was exported in training mode; call model.eval()"),
        ("aten.batch_norm.default", (X, None, None, None, None, True, 0.1, 1e-5, True), "exported in training mode"),
        ("aten.native_dropout.default", (X, 0.5, True), "belongs to training; call model.eval() before the export"),
        ("aten._to_copy.default", (X,), "uses float16, where sums are not exact; export model.float() instead"),
        ("aten.made_up.default", (X,), "is not known; write it with basic tensor operations"),
        ("aten.add.Tensor", (X, "three"), "does not fit its arguments"),
        ("aten.view.default", (X, (7, 7)), "does not fit its arguments"),
    ],
)
def test_what_cannot_be_run_is_one_sentence_with_the_module_path(op, args, sentence):
    node = Node(op=op, args=(), outs=("y",), where="block.2")
    with pytest.raises(ImportRefused) as caught:
        ops.call(node, args, {"dtype": 6} if "_to_copy" in op else {})
    assert sentence in str(caught.value)
    assert "'block.2'" in str(caught.value)


def test_result_types_are_those_of_torch():
    for a in (X, I64, U8, BOOL, SCALAR, WIDE_SCALAR, np.array(3), np.array(True), 2, 0.5, True):
        for b in (X, I64, U8, BOOL, SCALAR, WIDE_SCALAR, np.array(3), np.array(True), 2, 0.5, True):
            lift = [torch.from_numpy(np.array(v)) if isinstance(v, np.ndarray) else v for v in (a, b)]
            assert str(torch.result_type(*lift)) == f"torch.{result_type(a, b).name}"
