"""Binary networks as different people write them, each small enough to export in a second.

`zoo()` gives name -> (model in eval mode, example input); `refused()` gives networks that cannot be
mapped, with a part of the sentence that says why. Every class is our own; names say whose style it is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

Entry = tuple[nn.Module, Tensor]


# ------------------------------------------------------------------ how people binarise
class SignSTE(torch.autograd.Function):
    """BinaryNet.pytorch: sign(0) = 0, gradient cut outside [-1, 1]."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1)


class HeavisideSTE(torch.autograd.Function):
    """snnTorch: a spike where the membrane is strictly above zero."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0).float()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / (1 + 10 * x.abs()) ** 2


def sign_detach(x):
    """The detach trick; sign(0) = +1."""
    b = torch.where(x >= 0, 1.0, -1.0)
    return (b - x).detach() + x


def sign_likes(x):
    """With tensors of ones made on the way."""
    return torch.where(x >= 0, torch.ones_like(x), -torch.ones_like(x))


def sign_times_two(x):
    return (x >= 0).to(x.dtype) * 2 - 1


class Detached(nn.Module):
    def forward(self, x):
        return sign_detach(x)


class BConv(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, sign_detach(self.weight), self.bias, self.stride, self.padding, self.dilation, self.groups)


class BLinear(nn.Linear):
    def forward(self, x):
        return F.linear(x, sign_detach(self.weight), self.bias)


# ------------------------------------------------------------------ the networks
class BinarizeLinear(nn.Linear):
    first = False

    def forward(self, x):
        if not self.first:
            x = SignSTE.apply(x)
        out = F.linear(x, SignSTE.apply(self.weight))
        if self.bias is not None:
            out = out + self.bias.view(1, -1).expand_as(out)
        return out


class BinaryNetMLP(nn.Module):
    """BinaryNet.pytorch: the sign stands at the input of the next layer, hardtanh and dropout between."""

    def __init__(self, inputs=64, hidden=48, classes=10):
        super().__init__()
        self.fc1, self.bn1 = BinarizeLinear(inputs, hidden), nn.BatchNorm1d(hidden)
        self.fc2, self.bn2 = BinarizeLinear(hidden, hidden), nn.BatchNorm1d(hidden)
        self.fc3 = BinarizeLinear(hidden, classes)
        self.fc1.first = True
        self.act, self.drop = nn.Hardtanh(), nn.Dropout(0.1)

    def forward(self, x):
        x = x.view(x.size(0), -1)
        x = self.act(self.bn1(self.fc1(x)))
        x = self.act(self.bn2(self.drop(self.fc2(x))))
        return F.log_softmax(self.fc3(x), dim=1)


class XnorLayer(nn.Module):
    """XNOR-Net-PyTorch: batch norm, sign, convolution with alpha * sign(W - mean), ReLU."""

    def __init__(self, ins, outs, kernel=None, padding=0):
        super().__init__()
        self.bn = nn.BatchNorm2d(ins, eps=1e-4) if kernel else nn.BatchNorm1d(ins, eps=1e-4)
        self.op = nn.Conv2d(ins, outs, kernel, padding=padding) if kernel else nn.Linear(ins, outs)

    def forward(self, x):
        x = SignSTE.apply(self.bn(x))
        w = self.op.weight
        w = (w - w.mean(1, keepdim=True)).clamp(-1, 1)
        alpha = w.abs().mean(tuple(range(1, w.dim())), keepdim=True)
        w = SignSTE.apply(w) * alpha
        y = F.conv2d(x, w, self.op.bias, padding=self.op.padding) if w.dim() == 4 else F.linear(x, w, self.op.bias)
        return F.relu(y)


class XnorNet(nn.Module):
    """Real first and last layers around binary ones."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.b2 = XnorLayer(8, 16, 3, padding=1)
        self.b3 = XnorLayer(16 * 4 * 4, 32)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(self.b2(x), 2)
        return self.fc(self.b3(x.flatten(1)))


class NegativeGamma(nn.Module):
    """Max-pool on integers, before the batch norm; gamma of every sign; a grouped convolution; strides."""

    def __init__(self):
        super().__init__()
        self.c1, self.n1 = BConv(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.c2, self.n2 = BConv(16, 32, 3, padding=1, groups=2, bias=True), nn.BatchNorm2d(32)
        self.c3, self.n3 = BConv(32, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32)
        self.fc, self.out = BLinear(32 * 2 * 2, 10, bias=False), nn.BatchNorm1d(10, affine=False)

    def forward(self, x):
        x = sign_detach(self.n1(self.c1(x)))
        x = sign_detach(self.n2(F.max_pool2d(self.c2(x), 2)))
        x = sign_detach(self.n3(self.c3(x)))
        return self.out(self.fc(torch.flatten(x, 1)))


class ZeroOne(nn.Module):
    """Weights and activations in {0, 1}; the pool stands behind the activation."""

    def __init__(self):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(24, 1, 3, 3))
        self.w2 = nn.Parameter(torch.randn(10, 24 * 9))
        self.n1, self.n2 = nn.BatchNorm2d(24), nn.BatchNorm1d(10)

    def forward(self, x):
        y = F.conv2d(x, (self.w1 > 0).float())
        y = F.max_pool2d(HeavisideSTE.apply(self.n1(y)), 2)
        return self.n2(F.linear(y.reshape(y.shape[0], -1), (self.w2 > 0).float()))


class StrictHeaviside(nn.Module):
    """x > threshold, membranes without batch norm, ±1 weights."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.out = (nn.Linear(a, b, bias=False) for a, b in ((64, 40), (40, 30), (30, 10)))
        self.register_buffer("threshold", torch.tensor(2.5))

    def forward(self, x):
        for layer in (self.fc1, self.fc2):
            x = (F.linear(x, torch.sign(layer.weight)) > self.threshold).float()
        return F.linear(x, torch.sign(self.out.weight))


class IRConv(nn.Conv2d):
    """IR-Net: weights centred and divided by their deviation, a power of two as scale."""

    def forward(self, x):
        w = self.weight
        w = w - w.view(w.size(0), -1).mean(-1).view(-1, 1, 1, 1)
        w = w / w.view(w.size(0), -1).std(-1).view(-1, 1, 1, 1)
        scale = torch.pow(2.0, torch.log2(w.abs().flatten(1).mean(-1)).round()).view(-1, 1, 1, 1)
        return F.conv2d(SignSTE.apply(x), SignSTE.apply(w) * scale, self.bias, self.stride, self.padding)


class RSign(nn.Module):
    """ReActNet: a learnable shift in front of the sign."""

    def __init__(self, channels):
        super().__init__()
        self.shift = nn.Parameter(torch.randn(1, channels, 1, 1) * 0.3)

    def forward(self, x):
        return sign_detach(x + self.shift.expand_as(x))


class RPReLU(nn.Module):
    """ReActNet: PReLU with a shift before and after."""

    def __init__(self, channels):
        super().__init__()
        self.before = nn.Parameter(torch.randn(1, channels, 1, 1) * 0.3)
        self.after = nn.Parameter(torch.randn(1, channels, 1, 1) * 0.3)
        self.act = nn.PReLU(channels)

    def forward(self, x):
        return self.act(x - self.before) + self.after


class Ternary(nn.Module):
    """Weights in {-1, 0, +1}: small ones are dropped."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(2, 8, 3, bias=False), nn.BatchNorm2d(8), BLinear(288, 10, bias=False)

    def forward(self, x):
        w = self.conv.weight
        w = torch.where(w.abs() > 0.7 * w.abs().mean(), w.sign(), torch.zeros_like(w))
        return self.fc(sign_likes(self.bn(F.conv2d(x, w))).flatten(1))


class ChannelsLast(nn.Module):
    """Depthwise and pointwise convolutions; flattened with the channels last, as Keras nets are."""

    def __init__(self):
        super().__init__()
        self.depth = BConv(4, 8, 3, groups=4, padding=1, bias=False)
        self.point = BConv(8, 12, 1, bias=False)
        self.n1, self.n2 = nn.BatchNorm2d(8), nn.BatchNorm2d(12)
        self.fc = BLinear(12 * 36, 10, bias=False)

    def forward(self, x):
        x = sign_detach(self.n1(self.depth(x)))
        x = sign_detach(self.n2(self.point(x)))
        return self.fc(x.permute(0, 2, 3, 1).reshape(x.shape[0], -1))


class OnePadding(nn.Module):
    """larq pad_values=1, bitorch: the margin is a constant +1 or -1, not zero."""

    def __init__(self, value=-1.0):
        super().__init__()
        self.value = value
        self.conv, self.bn, self.fc = BConv(2, 8, 3, bias=False), nn.BatchNorm2d(8), BLinear(8 * 36, 10, bias=False)

    def forward(self, x):
        x = self.conv(F.pad(x, (1, 1, 1, 1), value=self.value))
        return self.fc(torch.flatten(sign_detach(self.bn(x)), start_dim=1))


class ReplicatePadding(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = BConv(2, 8, 3, bias=False), nn.BatchNorm2d(8), BLinear(8 * 36, 10, bias=False)

    def forward(self, x):
        x = self.conv(F.pad(x, (1, 1, 1, 1), mode="replicate"))
        return self.fc(torch.flatten(sign_detach(self.bn(x)), 1))


class Branches(nn.Module):
    """Two branches of different kernels, joined along the channels."""

    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(BConv(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), Detached())
        self.b = nn.Sequential(BConv(2, 6, 5, padding=2, bias=False), nn.BatchNorm2d(6), Detached())
        self.mix = nn.Sequential(BConv(10, 8, 3, bias=False), nn.BatchNorm2d(8), Detached())
        self.out = BLinear(8 * 16, 10, bias=False)

    def forward(self, x):
        return self.out(self.mix(torch.cat([self.a(x), self.b(x)], dim=1)).flatten(1))


class StoredSigns(nn.Module):
    """Deployed form: int8 signs and integer thresholds in buffers, no latent weights."""

    def __init__(self):
        super().__init__()
        for name, shape in (("w1", (32, 64)), ("w2", (10, 32))):
            self.register_buffer(name, torch.where(torch.rand(shape) > 0.5, 1, -1).to(torch.int8))
        self.register_buffer("threshold", torch.randint(-6, 6, (32,)).float() + 0.5)

    def forward(self, x):
        x = torch.flatten(x, 1) @ self.w1.float().t()
        x = sign_times_two(x - self.threshold)
        return torch.matmul(x, self.w2.to(torch.float32).T)


class Thermometer(nn.Module):
    """A grey image in [0, 1] becomes one ±1 channel for each level."""

    def __init__(self, levels=4):
        super().__init__()
        self.register_buffer("levels", (torch.arange(levels) + 0.5) / levels)
        self.conv, self.bn = BConv(levels, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8)
        self.fc = BLinear(8 * 9, 10, bias=False)

    def forward(self, x):
        x = torch.where(x >= self.levels.view(1, -1, 1, 1), 1.0, -1.0)
        return self.fc(sign_detach(self.bn(self.conv(x))).flatten(1))


class Votes(nn.Module):
    """Several neurons for each class; the score is the number of them that fire, at a temperature."""

    def __init__(self, classes=10, each=6):
        super().__init__()
        self.classes = classes
        self.fc1, self.n1 = BLinear(64, 48, bias=False), nn.BatchNorm1d(48)
        self.fc2, self.n2 = BLinear(48, classes * each, bias=False), nn.BatchNorm1d(classes * each)
        self.log_scale = nn.Parameter(torch.tensor(-1.5))

    def forward(self, x):
        x = sign_detach(self.n1(self.fc1(x)))
        x = sign_detach(self.n2(self.fc2(x)))
        return x.view(len(x), self.classes, -1).sum(2) * self.log_scale.exp()


class Shuffled(nn.Module):
    """ShuffleNet: grouped convolutions with the channels dealt anew in between; pooled bits."""

    def __init__(self, groups=2):
        super().__init__()
        self.groups = groups
        self.c1, self.n1 = BConv(2, 8, 3, groups=groups, bias=False), nn.BatchNorm2d(8)
        self.c2, self.n2 = BConv(8, 12, 3, groups=groups, bias=False), nn.BatchNorm2d(12)
        self.fc = BLinear(12 * 4, 10, bias=False)

    def forward(self, x):
        x = sign_detach(self.n1(self.c1(x)))
        b, c, h, w = x.shape
        x = x.view(b, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(b, c, h, w)
        x = F.max_pool2d(sign_detach(self.n2(self.c2(x))), 2)
        return self.fc(x.flatten(1))


class AverageOfBits(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.n1 = BConv(2, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.pool, self.n2 = nn.AvgPool2d(2), nn.BatchNorm2d(8)
        self.fc = BLinear(8 * 9, 10, bias=False)

    def forward(self, x):
        x = self.pool(sign_detach(self.n1(self.c1(x))))
        return self.fc(sign_detach(self.n2(x)).flatten(1))


class AtSign(nn.Module):
    """Plain matrix products with @, weights stored inputs first, a real bias."""

    def __init__(self):
        super().__init__()
        self.w, self.v = nn.Parameter(torch.randn(64, 32)), nn.Parameter(torch.randn(32, 10))
        self.b, self.norm = nn.Parameter(torch.randn(32)), nn.BatchNorm1d(32)

    def forward(self, x):
        return torch.sign(self.norm(x @ torch.sign(self.w) + self.b)) @ torch.sign(self.v)


class InPlace(nn.Module):
    """Everything that can be done in place is; weights are clamped under no_grad."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(2, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.shift, self.fc = nn.Parameter(torch.randn(8, 1, 1)), BLinear(8 * 16, 10, bias=False)

    def forward(self, x):
        with torch.no_grad():
            self.conv.weight.clamp_(-1, 1)
        y = self.bn(F.conv2d(x, SignSTE.apply(self.conv.weight)))
        y += self.shift
        F.hardtanh_(y)
        return self.fc(sign_detach(F.dropout(y, 0.2, self.training, inplace=True)).flatten(1))


class Sliced(nn.Module):
    """Halves of the channels go through different layers: chunk, slices, stack, index."""

    def __init__(self):
        super().__init__()
        self.a, self.b = BLinear(32, 24, bias=False), BLinear(32, 24, bias=False)
        self.na, self.nb, self.fc = nn.BatchNorm1d(24), nn.BatchNorm1d(24), BLinear(48, 10, bias=False)
        self.register_buffer("order", torch.randperm(48))

    def forward(self, x):
        left, right = x.chunk(2, dim=1)
        y = torch.stack([sign_detach(self.na(self.a(left))), sign_detach(self.nb(self.b(right)))], dim=2)
        return self.fc(y.reshape(x.size(0), 48)[:, self.order])


def brevitas_mlp(scale: float = 1.0) -> nn.Module:
    """FINN's TFC_1W1A: one-bit input, weights and activations."""
    from brevitas.nn import QuantIdentity, QuantLinear
    from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst

    act = {"act_quant": SignedBinaryActPerTensorConst, "bit_width": 1, "min_val": -scale, "max_val": scale}
    weight = {"bias": False, "weight_quant": SignedBinaryWeightPerTensorConst, "weight_scaling_const": scale}
    return nn.Sequential(
        QuantIdentity(**act), QuantLinear(64, 48, **weight), nn.BatchNorm1d(48),
        QuantIdentity(**act), QuantLinear(48, 48, **weight), nn.BatchNorm1d(48),
        QuantIdentity(**act), QuantLinear(48, 10, **weight),
    )  # fmt: skip


def brevitas_conv(scale: float = 1.0) -> nn.Module:
    """FINN's CNV_1W1A: no padding, the pool behind the sign."""
    from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
    from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst

    act = {"act_quant": SignedBinaryActPerTensorConst, "bit_width": 1, "min_val": -scale, "max_val": scale}
    weight = {"bias": False, "weight_quant": SignedBinaryWeightPerTensorConst, "weight_scaling_const": scale}
    return nn.Sequential(
        QuantIdentity(**act), QuantConv2d(1, 8, 3, **weight), nn.BatchNorm2d(8, eps=1e-4),
        QuantIdentity(**act), nn.MaxPool2d(2),
        QuantConv2d(8, 16, 3, **weight), nn.BatchNorm2d(16, eps=1e-4), QuantIdentity(**act),
        nn.Flatten(), QuantLinear(16, 10, **weight),
    )  # fmt: skip


# ------------------------------------------------------------------ networks that are refused
class RealSkip(nn.Module):
    """Bi-Real, ReActNet: the real-valued input of a block is added to its output."""

    def __init__(self, channels=8):
        super().__init__()
        self.stem, self.n0 = BConv(2, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv, self.n1 = BConv(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.fc = BLinear(channels * 36, 10, bias=False)

    def forward(self, x):
        x = self.n0(self.stem(x))
        x = x + self.n1(self.conv(sign_detach(x)))
        return self.fc(sign_detach(x).flatten(1))


class FloatNet(nn.Module):
    """An ordinary network, nothing of it binary."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 20), nn.Linear(20, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class Falling(nn.Module):
    """A PReLU with a negative slope: not monotone, so no threshold gives it."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.act = BConv(2, 8, 3, bias=False), nn.BatchNorm2d(8), nn.PReLU(8, init=-1.0)
        self.fc = BLinear(8 * 16, 10, bias=False)

    def forward(self, x):
        return self.fc(sign_detach(self.act(self.bn(self.conv(x))) - 0.5).flatten(1))


class Stateful(nn.Module):
    """A membrane kept in a buffer from one call to the next."""

    def __init__(self):
        super().__init__()
        self.fc = BLinear(64, 10, bias=False)
        self.register_buffer("membrane", torch.zeros(10))

    def forward(self, x):
        self.membrane.copy_(self.membrane * 0.5 + self.fc(x).mean(0))
        return sign_detach(self.membrane + self.fc(x))


class Unknown(nn.Module):
    """Uses an operation that no threshold unit computes."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(BLinear(64, 32, bias=False), nn.GELU(), nn.Linear(32, 10))

    def forward(self, x):
        return torch.fft.rfft(self.inner(x)).real


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give batch norms statistics as training leaves them: gamma of both signs, one exactly zero."""
    g = torch.Generator().manual_seed(seed)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            n = norm.num_features
            norm.running_mean.copy_(torch.randn(n, generator=g) * 2)
            norm.running_var.copy_(torch.rand(n, generator=g) * 20 + 0.5)
            if norm.affine:
                with torch.no_grad():
                    norm.weight.copy_(torch.randn(n, generator=g))
                    norm.bias.copy_(torch.randn(n, generator=g) * 0.5)
                    norm.weight[0] = 0.0
    return model.eval()


def signs(*shape: int, seed: int = 1) -> Tensor:
    """Random ±1."""
    return torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(seed)).float() * 2 - 1


def bits(*shape: int, seed: int = 1) -> Tensor:
    """Random 0/1."""
    return torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(seed)).float()


def grey(*shape: int, seed: int = 1) -> Tensor:
    """Random numbers in [0, 1)."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


FRAMES = 5
_IMAGE = (FRAMES, 2, 6, 6)
_MAKERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "binarynet_mlp": (BinaryNetMLP, lambda: signs(FRAMES, 1, 8, 8)),
    "xnor_alpha": (XnorNet, lambda: grey(FRAMES, 1, 8, 8)),
    "negative_gamma": (NegativeGamma, lambda: signs(FRAMES, 1, 8, 8)),
    "zero_one": (ZeroOne, lambda: bits(FRAMES, 1, 8, 8)),
    "strict_heaviside": (StrictHeaviside, lambda: bits(FRAMES, 64)),
    "irnet_power_of_two": (
        lambda: nn.Sequential(IRConv(2, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Hardtanh(), Detached(), nn.Flatten(),
                              BLinear(8 * 16, 10, bias=False)), lambda: signs(*_IMAGE)),
    "react_shifts": (
        lambda: nn.Sequential(BConv(2, 8, 3, bias=False), nn.BatchNorm2d(8), RPReLU(8), RSign(8), nn.Flatten(),
                              BLinear(8 * 16, 10, bias=False)), lambda: signs(*_IMAGE)),
    "brevitas_mlp": (brevitas_mlp, lambda: signs(FRAMES, 64)),
    "brevitas_conv": (brevitas_conv, lambda: signs(FRAMES, 1, 8, 8)),
    "ternary_weights": (Ternary, lambda: signs(FRAMES, 2, 8, 8)),
    "depthwise_channels_last": (ChannelsLast, lambda: signs(FRAMES, 4, 6, 6)),
    "one_padding": (OnePadding, lambda: signs(*_IMAGE)),
    "replicate_padding": (ReplicatePadding, lambda: signs(*_IMAGE)),
    "overlapping_pool": (
        lambda: nn.Sequential(BConv(2, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), Detached(), nn.MaxPool2d(3, 2),
                              nn.Flatten(), BLinear(8 * 4, 10, bias=False)), lambda: signs(*_IMAGE)),
    "concat_branches": (Branches, lambda: signs(*_IMAGE)),
    "stored_signs": (StoredSigns, lambda: signs(FRAMES, 1, 8, 8)),
    "thermometer": (Thermometer, lambda: grey(FRAMES, 1, 8, 8)),
    "votes": (Votes, lambda: signs(FRAMES, 64)),
    "grouped_shuffle": (Shuffled, lambda: signs(FRAMES, 2, 8, 8)),
    "average_of_bits": (AverageOfBits, lambda: signs(*_IMAGE)),
    "at_sign": (AtSign, lambda: signs(FRAMES, 64)),
    "in_place": (InPlace, lambda: signs(*_IMAGE)),
    "sliced": (Sliced, lambda: signs(FRAMES, 64)),
}  # fmt: skip
_REFUSED: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor], str]] = {
    "half_precision": (lambda: ZeroOne().half(), lambda: bits(FRAMES, 1, 8, 8).half(), "export model.float()"),
    "stateful": (Stateful, lambda: signs(FRAMES, 64), "keeps state"),
    "unknown_operation": (Unknown, lambda: signs(FRAMES, 64), "is not known"),
    "real_skip": (RealSkip, lambda: signs(*_IMAGE), "skip"),
    "float_net": (FloatNet, lambda: grey(FRAMES, 64), "not a binary network"),
    "falling_prelu": (Falling, lambda: signs(*_IMAGE), "is not monotone"),
}
ZOO = tuple(_MAKERS)
REFUSED = tuple(_REFUSED)
REFUSED_AT_IMPORT = ("half_precision", "stateful", "unknown_operation")  # the rest is refused by the fold


def member(name: str) -> Entry:
    """One network of the zoo, always the same, in eval mode, with its example input."""
    make, example = _MAKERS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(ZOO.index(name))
        return randomise(make(), ZOO.index(name)), example()


def zoo() -> dict[str, Entry]:
    """All networks that can be mapped, some with real layers left on the host."""
    return {name: member(name) for name in ZOO}


def refused() -> dict[str, tuple[nn.Module, Tensor, str]]:
    """Networks that cannot be mapped exactly, with a part of the sentence that says so."""
    out: dict[str, tuple[nn.Module, Tensor, str]] = {}
    for name, (make, example, fragment) in _REFUSED.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            out[name] = (randomise(make()), example(), fragment)
    return out


def more_input(example: Tensor, frames: int, seed: int = 7) -> Tensor:
    """Fresh frames that take the same kind of values as the example."""
    values = example.unique()
    shape = (frames, *example.shape[1:])
    g = torch.Generator().manual_seed(seed)
    if len(values) == 2:
        return values[torch.randint(0, 2, shape, generator=g)]
    return torch.rand(shape, generator=g).to(example.dtype)
