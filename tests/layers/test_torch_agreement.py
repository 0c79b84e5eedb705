"""An independent opinion: PyTorch, in float64, on every layer, loss and optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from cases import IMAGES, LAYERS, batch

from sgdni.layers import (
    LSTM,
    RNN,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
    Unflatten,
)
from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy
from sgdni.optimizers import SGD, Adam

torch = pytest.importorskip("torch")

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def tensor(array: np.ndarray, **options) -> torch.Tensor:
    return torch.tensor(array, dtype=None if array.dtype.kind == "i" else torch.float64, **options)


def twin(layer):
    """Return PyTorch's layer with the same parameters, and its parameters under our names."""
    if isinstance(layer, Dense):
        other = torch.nn.Linear(layer.n_in, layer.n_out, bias="b" in layer.params).double()
        names = {"W": other.weight, "b": other.bias}
    elif isinstance(layer, BatchNorm):
        other = torch.nn.BatchNorm1d(layer.n, eps=layer.eps, momentum=layer.momentum).double()
        names = {"gamma": other.weight, "beta": other.bias}
    else:
        kinds = {ReLU: torch.nn.ReLU, Tanh: torch.nn.Tanh, Sigmoid: torch.nn.Sigmoid}
        if type(layer) not in kinds:
            pytest.fail(f"{type(layer).__name__} has no twin here: give it one, or, where PyTorch "
                        f"has no such layer, skip it")
        other, names = kinds[type(layer)](), {}
    with torch.no_grad():
        for name, p in layer.params.items():
            names[name].copy_(tensor(p.T))  # PyTorch keeps W as (n_out, n_in)
    return other, names


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_layer(case, rng):
    layer, x = case.make(rng)
    other, names = twin(layer)
    theirs_x = tensor(x, requires_grad=True)
    y, theirs_y = layer.forward(x), other(theirs_x)
    np.testing.assert_allclose(y, theirs_y.detach(), **CLOSE)
    dy = rng.standard_normal(y.shape)
    theirs_y.backward(tensor(dy))
    np.testing.assert_allclose(layer.backward(dy), theirs_x.grad, **CLOSE)
    for name, g in layer.grads.items():
        np.testing.assert_allclose(g, names[name].grad.numpy().T, **CLOSE, err_msg=name)


def channels_first(array):
    """Return images as PyTorch wants them, (B, C, H, W); other arrays as they are."""
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


def channels_last(array):
    return array.permute(0, 2, 3, 1) if array.ndim == 4 else array


def image_twin(layer):
    """As `twin`, for layers of images."""
    if isinstance(layer, Conv2D):
        other = torch.nn.Conv2d(layer.n_in, layer.n_out, layer.size, layer.stride, layer.padding,
                                bias="b" in layer.params).double()
        names = {"W": other.weight, "b": other.bias}
    elif isinstance(layer, BatchNorm):
        other = torch.nn.BatchNorm2d(layer.n, eps=layer.eps, momentum=layer.momentum).double()
        names = {"gamma": other.weight, "beta": other.bias}
    else:
        kind = {MaxPool2D: torch.nn.MaxPool2d, AvgPool2D: torch.nn.AvgPool2d}[type(layer)]
        return kind(layer.size, layer.stride), {}
    with torch.no_grad():
        for name, p in layer.params.items():
            names[name].copy_(tensor(p.transpose(3, 2, 0, 1) if name == "W" else p))
    return other, names


@pytest.mark.parametrize(
    "case", [c for c in IMAGES if not isinstance(c.make(np.random.default_rng(0))[0],
                                                 Flatten | Unflatten)], ids=lambda case: case.name)
def test_layer_of_images(case, rng):
    layer, x = case.make(rng)
    other, names = image_twin(layer)
    theirs_x = tensor(channels_first(x), requires_grad=True)
    y, theirs_y = layer.forward(x), other(theirs_x)
    np.testing.assert_allclose(y, channels_last(theirs_y.detach()), **CLOSE)
    dy = rng.standard_normal(y.shape)
    theirs_y.backward(tensor(channels_first(dy)))
    np.testing.assert_allclose(layer.backward(dy), channels_last(theirs_x.grad), **CLOSE)
    for name, g in layer.grads.items():
        theirs = names[name].grad.numpy()
        theirs = theirs.transpose(2, 3, 1, 0) if name == "W" else theirs
        np.testing.assert_allclose(g, theirs, **CLOSE, err_msg=name)
    if isinstance(layer, BatchNorm):
        np.testing.assert_allclose(layer.buffers["variance"], other.running_var, **CLOSE)


def test_batch_norm_running_statistics_and_evaluation(rng):
    layer = BatchNorm(4, momentum=0.3, eps=1e-3, dtype=np.float64)
    other, _ = twin(layer)
    for _ in range(3):
        x = batch(rng, 4)
        layer.forward(x)
        other(tensor(x))
    np.testing.assert_allclose(layer.buffers["mean"], other.running_mean, **CLOSE)
    np.testing.assert_allclose(layer.buffers["variance"], other.running_var, **CLOSE)
    other.eval()
    x = batch(rng, 4)
    np.testing.assert_allclose(
        layer.forward(x, training=False), other(tensor(x)).detach(), **CLOSE
    )


@pytest.mark.parametrize("ours, theirs, y", [
    (SoftmaxCrossEntropy(), torch.nn.CrossEntropyLoss(), np.array([3, 0, 1, 1, 2, 0, 3])),
    (MeanSquaredError(), torch.nn.MSELoss(), np.linspace(-1, 2, 28).reshape(7, 4)),
], ids=["softmax cross-entropy", "mean squared error"])
def test_loss(ours, theirs, y, rng):
    h = 3 * batch(rng, 4)
    theirs_h = tensor(h, requires_grad=True)
    mean = theirs(theirs_h, tensor(y))
    mean.backward()
    losses, delta = ours(h, y)
    np.testing.assert_allclose(losses.mean(), mean.detach(), **CLOSE)
    np.testing.assert_allclose(delta / len(h), theirs_h.grad, **CLOSE)


@pytest.mark.parametrize("make, theirs, options", [
    (lambda: SGD(0.1), torch.optim.SGD, {}),
    (lambda: SGD(0.1, weight_decay=0.3), torch.optim.SGD, {"weight_decay": 0.3}),
    (lambda: SGD(0.1, momentum=0.9, weight_decay=0.01), torch.optim.SGD,
     {"momentum": 0.9, "weight_decay": 0.01}),
    (lambda: Adam(0.1), torch.optim.Adam, {}),
    (lambda: Adam(0.1, 0.8, 0.95, 1e-3, 0.02), torch.optim.Adam,
     {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.02}),
], ids=["SGD", "SGD, decay", "SGD, momentum, decay", "Adam", "Adam, all options"])
def test_optimizer(make, theirs, options, rng):
    params = {"W": rng.standard_normal((3, 2)), "b": rng.standard_normal(2)}
    tensors = {name: tensor(p, requires_grad=True) for name, p in params.items()}
    ours = make()
    ours.bind(params)
    other = theirs(tensors.values(), lr=0.1, **options)
    for _ in range(6):
        grads = {name: rng.standard_normal(p.shape) for name, p in params.items()}
        for name, t in tensors.items():
            t.grad = tensor(0.5 * grads[name])
        ours.step(grads, scale=0.5)
        other.step()
    for name, p in params.items():
        np.testing.assert_allclose(p, tensors[name].detach(), **CLOSE, err_msg=name)


def recurrent_twin(layer):
    """Return PyTorch's layer, and its gradients under our names; it has (rows, n_in), two biases,
    and gates in the order i, f, g, o."""
    n = layer.n
    if isinstance(layer, LSTM):
        other = torch.nn.LSTM(layer.n_in, n).double()
        order = np.r_[: 2 * n, 3 * n : 4 * n, 2 * n : 3 * n]
    else:
        other, order = torch.nn.RNN(layer.n_in, n).double(), np.arange(n)
    names = {"U": other.weight_ih_l0, "A": other.weight_hh_l0, "b": other.bias_ih_l0}
    with torch.no_grad():
        other.bias_hh_l0.zero_()
        for name, p in layer.params.items():
            names[name].copy_(tensor(p[..., order].T.copy()))
    return other, lambda name: names[name].grad.numpy().T[..., np.argsort(order)]


@pytest.mark.parametrize("kind", [RNN, LSTM])
@pytest.mark.parametrize("steps", [1, 5])
def test_recurrent_layer(kind, steps, rng):
    layer = kind(4, 3, rng, dtype=np.float64)
    layer.params["b"][...] = rng.standard_normal(layer.params["b"].shape)
    x, state = rng.standard_normal((steps, 7, 4)), rng.standard_normal((7, layer.n_state))
    other, gradient = recurrent_twin(layer)
    theirs_x, theirs_state = (tensor(a, requires_grad=True) for a in (x, state))
    parts = tuple(part[None].contiguous() for part in theirs_state.split(3, dim=1))
    theirs_y, theirs_final = other(theirs_x, parts if kind is LSTM else parts[0])
    theirs_final = torch.cat(theirs_final, dim=2)[0] if kind is LSTM else theirs_final[0]
    y, final = layer.forward((x, state))
    np.testing.assert_allclose(y, theirs_y.detach(), **CLOSE)
    np.testing.assert_allclose(final, theirs_final.detach(), **CLOSE)
    dy, d_final = rng.standard_normal(y.shape), rng.standard_normal(final.shape)
    torch.autograd.backward([theirs_y, theirs_final], [tensor(dy), tensor(d_final)])
    dx, d_state = layer.backward((dy, d_final))
    np.testing.assert_allclose(dx, theirs_x.grad, **CLOSE)
    np.testing.assert_allclose(d_state, theirs_state.grad, **CLOSE)
    for name, g in layer.grads.items():
        np.testing.assert_allclose(g, gradient(name), **CLOSE, err_msg=name)
