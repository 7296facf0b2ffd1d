"""Layers of ±1 weights and ±1 activations for PyTorch, with straight-through gradients.

A latent weight must cross zero to change anything, so a high learning rate (2e-2, one cycle) matters.
Straight-through gradients: Hubara et al. 2016 (hardtanh), Liu et al. 2018 "Bi-Real Net" (poly).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Model = TypeVar("Model", bound=nn.Module)
STES = ("poly", "hardtanh", "identity")


class _Sign(torch.autograd.Function):
    """Forward: +1 where x >= 0, else -1. Backward: the gradient times the slope of the `ste`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ste: str) -> Tensor:
        ctx.save_for_backward(x)
        ctx.ste = ste
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        if ctx.ste == "poly":
            return grads[0] * (2 - 2 * x.abs()).clamp(min=0), None
        if ctx.ste == "hardtanh":
            return grads[0] * (x.abs() <= 1), None
        return grads[0], None


def sign(x: Tensor, ste: str = "poly") -> Tensor:
    """The sign of x as ±1, with sign(0) = +1, and a straight-through gradient: "poly", "hardtanh" or "identity"."""
    out: Tensor = _Sign.apply(x, ste)  # type: ignore[no-untyped-call]
    return out


class Sign(nn.Module):
    """The activation: +1 where x >= 0, else -1. Put it behind a batch norm, which sets the threshold."""

    def __init__(self, ste: str = "poly") -> None:
        super().__init__()
        if ste not in STES:
            raise ValueError(f"ste {ste!r} is none of {', '.join(STES)}")
        self.ste = ste

    def forward(self, x: Tensor) -> Tensor:
        return sign(x, self.ste)

    def extra_repr(self) -> str:
        return self.ste


class _Binary(nn.Module):
    """A latent weight of which only the sign is used; `freeze` replaces it by its sign, in one byte each."""

    weight: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(*shape).uniform_(-0.5, 0.5))

    def binary(self) -> Tensor:
        """The weights as ±1.0."""
        if self.weight.is_floating_point():
            return sign(self.weight, "identity")
        return self.weight.to(torch.float32)

    def freeze(self) -> None:
        weight = self.weight
        if weight.is_floating_point():
            del self.weight
            self.register_buffer("weight", torch.where(weight.detach() >= 0, 1, -1).to(torch.int8))


def groups_for(inputs: int, outputs: int, fan_in: int | None, area: int = 1) -> int:
    """The fewest groups in which no neuron reads more than `fan_in` inputs, each group with its share of the outputs.

    `inputs` are features, or channels of which a neuron reads `area` pixels each. The groups divide the outputs, and
    none is empty. Raises ValueError where no number of groups will do, with what would.
    """
    if fan_in is None:
        return 1
    if fan_in < area:
        raise ValueError(f"fan_in={fan_in} is less than the {area} pixels that a neuron reads of one channel; "
                         f"take a fan_in of {area} or more, or a smaller kernel")
    needed = -(-inputs // (fan_in // area))
    most = max(n for n in range(1, min(inputs, outputs) + 1) if outputs % n == 0)
    if needed > most:
        of, each = ("channels", f"{-(-inputs // most) * area} inputs") if area > 1 else ("inputs", f"{-(-inputs // most)}")
        raise ValueError(f"{outputs} outputs can be shared by at most {most} groups, which read {each} each, and "
                         f"fan_in={fan_in} needs {needed} groups of the {inputs} {of}; take {needed} outputs or a multiple")
    return next(n for n in range(needed, most + 1) if outputs % n == 0)


def dealt(inputs: int, groups: int, seed: int) -> Tensor:
    """An order that deals `inputs` to `groups` of equal size, at random; where they do not divide, some come twice."""
    order = torch.randperm(inputs, generator=torch.Generator().manual_seed(seed))
    return torch.cat([order, order[: groups * -(-inputs // groups) - inputs]])


class BinLinear(_Binary):
    """A dense layer of ±1 weights without bias: (frames, inputs) to (frames, outputs).

    With `fan_in` the inputs are dealt (in an order drawn from `seed`) into groups of at most `fan_in`, and each
    group feeds its own share of the outputs, so that no neuron sees more than `fan_in` inputs: the fewest groups
    that divide the outputs. Group g makes the outputs from g * outputs / groups on; the next layer with a `fan_in`
    deals them anew, so that after two such layers an output hears most inputs, and after three all, unless there are
    more groups than a neuron has inputs. Groups instead of splits are Eedn's way: Esser et al. 2016.
    """

    order: Tensor

    def __init__(self, inputs: int, outputs: int, fan_in: int | None = None, seed: int = 0) -> None:
        blocks = groups_for(inputs, outputs, fan_in)
        width = -(-inputs // blocks)
        super().__init__(outputs, width)
        self.inputs, self.outputs, self.blocks, self.fan_in = inputs, outputs, blocks, width
        if blocks > 1:
            self.register_buffer("order", dealt(inputs, blocks, seed))

    def forward(self, x: Tensor) -> Tensor:
        if self.blocks == 1:
            return functional.linear(x, self.binary())
        chosen = x.index_select(1, self.order)[:, :, None, None]
        return functional.conv2d(chosen, self.binary()[:, :, None, None], groups=self.blocks).flatten(1)

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.outputs}, blocks={self.blocks}, fan_in={self.fan_in}"


class BinConv2d(_Binary):
    """A 2-D convolution of ±1 weights without bias; zeros at the border are absent inputs, not -1.

    `groups` takes channels in a row, as PyTorch does. With `fan_in` the layer chooses its groups itself, the fewest
    in which no neuron reads more than `fan_in` inputs (channels of its group times pixels of the kernel), and deals
    the channels to them in an order drawn from `seed`, so that no Shuffle is needed between such layers.
    """

    order: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0,
                 groups: int = 1, fan_in: int | None = None, seed: int = 0) -> None:
        if groups > 1 and fan_in is not None:
            raise ValueError(f"groups={groups} and fan_in={fan_in} both say how channels are grouped; give one of them")
        if inputs % groups or outputs % groups:
            raise ValueError(f"{inputs} inputs and {outputs} outputs cannot be split into {groups} groups")
        own = groups_for(inputs, outputs, fan_in, kernel * kernel)
        width = -(-inputs // max(groups, own))
        super().__init__(outputs, width, kernel, kernel)
        self.inputs, self.stride, self.padding, self.groups = inputs, stride, padding, max(groups, own)
        self.fan_in, self.deals = width * kernel * kernel, own > 1
        if self.deals:
            self.register_buffer("order", dealt(inputs, own, seed))

    def forward(self, x: Tensor) -> Tensor:
        chosen = x.index_select(1, self.order) if self.deals else x
        return functional.conv2d(chosen, self.binary(), None, self.stride, self.padding, 1, self.groups)

    def extra_repr(self) -> str:
        out, _, k, _ = self.weight.shape
        return (f"{self.inputs}, {out}, {k}, stride={self.stride}, padding={self.padding}, "
                f"groups={self.groups}, fan_in={self.fan_in}")


class Thermometer(nn.Module):
    """The input layer: every value becomes one ±1 per level, +1 where the value reaches the level.

    `levels` is a list of L numbers, shared by all: an image (frames, 1, height, width) becomes
    (frames, L, height, width), a row (frames, features) becomes (frames, L * features), level by level.
    With an array (L, features) each feature of a row has levels of its own.
    """

    levels: Tensor

    def __init__(self, levels: Sequence[float] | Tensor) -> None:
        super().__init__()
        self.register_buffer("levels", torch.as_tensor(levels, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:
            return torch.where(x >= self.levels.view(1, -1, 1, 1), 1.0, -1.0)
        levels = self.levels if self.levels.dim() == 2 else self.levels[:, None]
        return torch.where(x[:, None, :] >= levels, 1.0, -1.0).flatten(1)

    def extra_repr(self) -> str:
        return "x".join(str(n) for n in self.levels.shape)


class Shuffle(nn.Module):
    """Deal the channels (axis 1) of `groups` groups in turn, so that the next grouped layer sees all of them."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        rest = x.shape[2:]
        return x.reshape(-1, self.groups, x.shape[1] // self.groups, *rest).transpose(1, 2).reshape(
            -1, x.shape[1], *rest)

    def extra_repr(self) -> str:
        return str(self.groups)


class Votes(nn.Module):
    """The readout: neuron j votes for class j % classes with its ±1; the score is the sum of votes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).reshape(-1, x.shape[1] // self.classes, self.classes).sum(1)

    def extra_repr(self) -> str:
        return str(self.classes)


class Scale(nn.Module):
    """One positive temperature on the integer scores, learned, so that the largest score stays the largest.

    It starts at 1 / sqrt(fan_in), which makes the scores of a fresh net about 1 in size.
    """

    def __init__(self, fan_in: int) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(-0.5 * math.log(fan_in)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.log.exp()


def clip_(model: nn.Module) -> None:
    """Clip the latent weights to -1..1, in place; call it after every step of the optimizer."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, _Binary):
                module.weight.clamp_(-1, 1)


def freeze(model: Model) -> Model:
    """Replace every latent weight by its sign in one byte, in place; the outputs stay the same, bit for bit."""
    for module in model.modules():
        if isinstance(module, _Binary):
            module.freeze()
    return model


def widest(model: nn.Module) -> int:
    """The largest number of inputs of any neuron in a model of binary layers."""
    return max((int(m.fan_in) for m in model.modules() if isinstance(m, (BinLinear, BinConv2d))), default=0)
