"""The one list of what is gradient-checked. A new layer, loss or module adds one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sgdni.gradcheck import Report, check_layer, check_loss, check_synthetic
from sgdni.layers import (
    LSTM,
    RNN,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
    Unflatten,
)
from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy
from sgdni.networks import Module
from sgdni.optimizers import SGD
from sgdni.synthetic import (
    ChannelMeans,
    ConvSG,
    GradientFit,
    Head,
    HiddenHead,
    KickbackSG,
    LinearHead,
    LinearSG,
    LocalErrorSG,
    PerPixel,
    SignSymmetricSG,
)

F64 = np.float64


@dataclass(frozen=True)
class Case:
    """`check` is called with what `make` returns (the thing to check first) and a generator."""

    name: str
    check: Callable[..., Report]
    make: Callable[[np.random.Generator], tuple]

    def run(self, rng: np.random.Generator) -> Report:
        return self.check(*self.make(rng), rng)


def batch(rng: np.random.Generator, n: int, size: int = 7) -> np.ndarray:
    """Return inputs of unequal scale and mean, as activations are."""
    return rng.standard_normal((size, n)) * rng.uniform(0.5, 2, n) + rng.standard_normal(n)


def layer_case(name: str, make_layer: Callable[[np.random.Generator], Layer | Module],
               n_in: int = 4, steps: int = 0) -> Case:
    """Parameters, biases and gains too, are drawn at random."""

    def make(rng):
        layer = make_layer(rng)
        for p in layer.params.values():
            p[...] = rng.standard_normal(p.shape)
        x = batch(rng, n_in, 7 * max(1, steps))
        return layer, x.reshape(steps, 7, n_in) if steps else x

    return Case(name, check_layer, make)


def module(*make_layers: Callable[[np.random.Generator], Layer]):
    return lambda rng: Module([make(rng) for make in make_layers], SGD(0.1))


def dense(n_in: int, n_out: int, **options):
    return lambda rng: Dense(n_in, n_out, rng, dtype=F64, **options)


def batch_norm(n: int, **options):
    return lambda rng: BatchNorm(n, dtype=F64, **options)


def elementwise(kind: type[Layer]):
    return lambda rng: kind()


def recurrent_case(name: str, kind: type[Layer], starts: bool = False, steps: int = 4,
                   in_module: bool = False, **options) -> Case:
    """A window of 3 streams, of 4 steps as a rule; two of the streams start anew in it."""
    def make(rng):
        layer = kind(2, 3, rng, dtype=F64, **options)
        for p in layer.params.values():
            p[...] = rng.standard_normal(p.shape)
        x = rng.standard_normal((steps, 3, 2)), rng.standard_normal((3, layer.n_state))
        if starts:
            begins = np.zeros((steps, 3), bool)
            begins[0, 1] = begins[-1, 2] = begins[-2, 1] = True
            x = *x, begins
        return Module([layer], SGD(0.1), batch_axis=1) if in_module else layer, x

    return Case(name, check_layer, make)


def image_case(name: str, make_layer: Callable[[np.random.Generator], Layer | Module],
               shape: tuple[int, int, int]) -> Case:
    """Three images (height, width, channels), not square; parameters drawn at random."""
    def make(rng):
        layer = make_layer(rng)
        for p in layer.params.values():
            p[...] = rng.standard_normal(p.shape)
        return layer, rng.standard_normal((3, *shape))

    return Case(name, check_layer, make)


def conv(*sizes: int, **options):
    return lambda rng: Conv2D(*sizes, rng, dtype=F64, **options)


def pool(kind: type[Layer], size: int, **options):
    return lambda rng: kind(size, **options)


def synthetic(n_context: int):
    def make(rng):
        model = LinearSG(4, n_context, GradientFit(SGD(0.1)), F64)
        model.W[...] = rng.standard_normal(model.W.shape)
        c = np.eye(n_context)[rng.integers(0, n_context, 7)] if n_context else None
        return model, batch(rng, 4), c, batch(rng, 4)

    return make


def local_error(kind: type[Head], shape: tuple[int, ...] = (4,), **options):
    """With weights of the head drawn, and targets seen already: there is little at the start."""
    def make(rng):
        n = int(np.prod(shape))
        model = LocalErrorSG(kind(n, 3, rng, dtype=F64, **options), rho=0.5)
        for array in (*model.head.params.values(), model.A):
            array[...] = rng.standard_normal(array.shape)
        c = np.eye(3)[rng.integers(0, 3, 7)]
        h, target = (batch(rng, n).reshape(7, *shape) for _ in range(2))
        model.fit(h, c, -target)
        return model, h, c, target

    return make


def channel_means(rng):
    model, *_ = local_error(LinearHead, (2,))(rng)
    c = np.eye(3)[rng.integers(0, 3, 7)]
    h, target = (rng.standard_normal((7, 2, 3, 2)) for _ in range(2))
    return ChannelMeans(model, 6), h, c, target


LAYERS = [
    layer_case("Dense", dense(4, 3)),
    layer_case("Dense, square", dense(4, 4)),
    layer_case("Dense, no bias", dense(4, 3, bias=False)),
    layer_case("Dense, in time", dense(4, 3), steps=2),
    layer_case("ReLU", elementwise(ReLU)),
    layer_case("Tanh", elementwise(Tanh)),
    layer_case("Sigmoid", elementwise(Sigmoid)),
    layer_case("BatchNorm", batch_norm(4)),
    layer_case("BatchNorm, large eps", batch_norm(4, eps=0.5)),
]

RECURRENT = [
    recurrent_case("RNN", RNN),
    recurrent_case("RNN, episodes", RNN, starts=True),
    recurrent_case("RNN, one step", RNN, steps=1),
    recurrent_case("RNN, linear", RNN, starts=True, activation="identity"),
    recurrent_case("LSTM", LSTM),
    recurrent_case("LSTM, episodes", LSTM, starts=True),
    recurrent_case("LSTM, one step", LSTM, steps=1),
    recurrent_case("module: LSTM, episodes", LSTM, starts=True, in_module=True),
]

#: A convolution of few channels takes whole patches, one of many a row of them at a time.
IMAGES = [
    image_case("Conv2D", conv(2, 3, 3), (5, 4, 2)),
    image_case("Conv2D, padded", conv(2, 3, 3, padding=1), (4, 3, 2)),
    image_case("Conv2D, padded to the full", conv(2, 3, 3, padding=2), (2, 3, 2)),
    image_case("Conv2D, no bias", conv(2, 3, 2, bias=False), (3, 4, 2)),
    image_case("Conv2D, 1 x 1", conv(2, 3, 1), (3, 2, 2)),
    image_case("Conv2D, strides", conv(2, 3, 3, stride=2, padding=1), (6, 5, 2)),
    image_case("Conv2D, strides with a rest", conv(2, 2, 2, stride=3), (7, 6, 2)),
    image_case("Conv2D, many channels", conv(34, 2, 2, padding=1), (3, 2, 34)),
    image_case("MaxPool2D", pool(MaxPool2D, 2), (4, 6, 2)),
    image_case("MaxPool2D, overlapping", pool(MaxPool2D, 3, stride=2), (7, 6, 2)),
    image_case("MaxPool2D, apart", pool(MaxPool2D, 2, stride=3), (7, 6, 2)),
    image_case("AvgPool2D", pool(AvgPool2D, 2), (4, 6, 2)),
    image_case("AvgPool2D, overlapping", pool(AvgPool2D, 3, stride=2), (6, 7, 2)),
    image_case("BatchNorm, images", batch_norm(2), (3, 2, 2)),
    image_case("Flatten", elementwise(Flatten), (2, 3, 2)),
    layer_case("Unflatten", lambda rng: Unflatten(2, 3, 2), n_in=12),
]

RELU, TANH, SIGMOID = map(elementwise, (ReLU, Tanh, Sigmoid))
MODULES = [
    layer_case("module: ReLU block", module(dense(4, 3), RELU)),
    layer_case("module: ReLU block, normalised", module(dense(4, 5), batch_norm(5), RELU)),
    layer_case("module: hidden and output",
               module(dense(4, 5), batch_norm(5), TANH, dense(5, 3))),
    layer_case("module: two hidden",
               module(dense(4, 6, bias=False), batch_norm(6), SIGMOID, dense(6, 3), TANH)),
    layer_case("module: convolution", module(
        lambda rng: Unflatten(4, 3, 2), conv(2, 3, 3, padding=1), batch_norm(3), TANH,
        pool(MaxPool2D, 2), elementwise(Flatten), dense(6, 2)), n_in=24),
]

LOSSES = [
    Case("SoftmaxCrossEntropy", check_loss,
         lambda rng: (SoftmaxCrossEntropy(), batch(rng, 4), rng.integers(0, 4, 7))),
    Case("MeanSquaredError", check_loss,
         lambda rng: (MeanSquaredError(), batch(rng, 3), batch(rng, 3))),
    Case("SoftmaxCrossEntropy, in time", check_loss, lambda rng: (
        SoftmaxCrossEntropy(), rng.standard_normal((3, 2, 4)), rng.integers(0, 4, (3, 2)))),
    Case("SoftmaxCrossEntropy, not everything asked", check_loss, lambda rng: (
        SoftmaxCrossEntropy(ignore_index=-1), rng.standard_normal((4, 3, 4)),
        rng.integers(-1, 4, (4, 3)))),
    Case("MeanSquaredError, in time", check_loss, lambda rng: (
        MeanSquaredError(), rng.standard_normal((3, 2, 4)), rng.standard_normal((3, 2, 4)))),
]

SYNTHETIC = [
    Case("LinearSG", check_synthetic, synthetic(0)),
    Case("LinearSG, conditioned", check_synthetic, synthetic(3)),
    Case("LinearSG, images", check_synthetic, lambda rng: (
        LinearSG(8, 0, GradientFit(SGD(0.01)), F64), rng.standard_normal((5, 2, 2, 2)), None,
        rng.standard_normal((5, 2, 2, 2)))),
    Case("ConvSG", check_synthetic, ConvSG.example),
    Case("PerPixel", check_synthetic, lambda rng: (
        PerPixel(LinearSG(2, 3, GradientFit(SGD(0.1)), F64), 6), rng.standard_normal((4, 2, 3, 2)),
        np.eye(3)[rng.integers(0, 3, 4)], rng.standard_normal((4, 2, 3, 2)))),
    Case("ChannelMeans", check_synthetic, channel_means),
    Case("LocalErrorSG", check_synthetic, local_error(LinearHead)),
    Case("LocalErrorSG, images", check_synthetic, local_error(LinearHead, (2, 2, 2))),
    Case("LocalErrorSG, regression", check_synthetic, local_error(LinearHead, task="regression")),
    Case("LocalErrorSG, hidden head", check_synthetic, local_error(HiddenHead, m=6)),
    Case("SignSymmetricSG", check_synthetic, SignSymmetricSG.example),
    Case("KickbackSG", check_synthetic, KickbackSG.example),
]

CASES = LAYERS + IMAGES + RECURRENT + MODULES + LOSSES + SYNTHETIC
