"""Local heads: small networks on an interface that guess c from h and learn from it at once.

A head needs no message from above. What it gives to an SG model is its *error signal* b: the
gradient of its own loss at the output of its first layer. With W the weights of that layer,
transposed, b W is the gradient of the head's loss with respect to h: what a module trained by a
local loss would follow. Heads learn by their own gradient, made by the layers that everything else
is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.checks import check_count, check_same_shape
from sgdni._util.products import Product
from sgdni.layers import Dense, Layer, ReLU
from sgdni.losses import MeanSquaredError
from sgdni.optimizers import SGD, Optimizer


def softmax_error(z: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return softmax(z) - c: the gradient of the cross-entropy, for c (B, classes) one-hot."""
    error = z.T.copy()  # examples side by side: reductions are much faster so
    error -= error.max(axis=0)
    np.exp(error, out=error)
    error /= error.sum(axis=0)
    error = np.ascontiguousarray(error.T)
    error -= c
    return error


#: What a head can be for: the kind of context that it learns from, and its error.
TASKS: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "classification": ("labels", softmax_error),
    "regression": ("values", lambda z, c: MeanSquaredError()(z, c)[1]),
}


class Head:
    """Layers from h (B, n) to a guess at c (B, n_out), and the steps by which they learn.

    Parameters
    ----------
    layers : sequence of Layer, the first a Dense
    n_out : width of c, and of the last layer's output
    task : "classification" (c are one-hot labels) or "regression" (c are the targets' values)
    optimizer : Optimizer, by default SGD with momentum .9 for each layer, and lr .1 or less
        Its steps take the mean over the minibatch. A step changes what a layer puts out by about
        lr times the square of the norm of its input, which grows with the width: so lr is .1 * 256
        / width for layers wider than 256 below, or a head on an image would be unstable.

    Attributes
    ----------
    n, n_out, width : widths of h, of c and of b
    context_kind : what c holds, as a SyntheticGradient says it
    optimizers : the one that was given, or one for each layer

    Raises
    ------
    ValueError
        For an unknown task, a first layer of another kind, and for h or c of the wrong shape or
        dtype.
    """

    def __init__(self, layers: Sequence[Layer], n_out: int, task: str = "classification",
                 optimizer: Optimizer | None = None) -> None:
        if task not in TASKS:
            raise ValueError(f"head's task: expected one of {', '.join(TASKS)}, got {task}")
        self.layers, self.n_out = list(layers), n_out
        self.context_kind, self.error = TASKS[task]
        first = self.layers[0]
        if not isinstance(first, Dense):
            raise ValueError(f"head's layers: expected a Dense first, got {type(first).__name__}")
        self.n, self.width, self.dtype = first.n_in, first.n_out, first.dtype
        learning = {i: layer for i, layer in enumerate(self.layers) if layer.params}
        parts = [{f"{i}.{name}": p for name, p in layer.params.items()}
                 for i, layer in learning.items()]
        self.params = {name: p for part in parts for name, p in part.items()}
        self.optimizers = [optimizer] if optimizer else [
            SGD(0.1 * min(1, 256 / _width_below(layer)), 0.9) for layer in learning.values()]
        for each, mine in zip(self.optimizers, [self.params] if optimizer else parts, strict=True):
            each.bind(mine)
        self._signal: np.ndarray  # b of the h and c that `signal` was last asked about

    @property
    def W(self) -> np.ndarray:
        """Weights of the first layer, transposed: (width, n), a view."""
        return self.layers[0].params["W"].T

    def signal(self, h: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Return b (B, width) for h (B, n) and c (B, n_out), per example; valid until the next
        call. What is needed to learn from them is remembered."""
        z = h
        for layer in self.layers:
            z = layer.forward(z)
        check_same_shape("local head's context", c, z.shape)
        b = self.error(z, c)
        for layer in reversed(self.layers[1:]):
            b = layer.backward(b)
        self._signal = b
        return b

    def learn(self) -> None:
        """Take one step for the h and c that `signal` was last asked about.

        That h must not have changed since.
        """
        self.layers[0].backward_params(self._signal)
        grads = {f"{i}.{name}": g for i, layer in enumerate(self.layers)
                 for name, g in layer.grads.items()}
        for optimizer in self.optimizers:
            optimizer.step(grads, scale=1 / len(self._signal))

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        """Return the matrix products of one "signal" and of one "learn"."""
        signal = []
        for i, layer in enumerate(self.layers):
            made = layer.products(batch_size)
            signal += made["forward"] + (made["params"] + made["input"] if i else [])
        return {"signal": signal, "learn": self.layers[0].products(batch_size)["params"]}

    def state(self) -> dict[str, np.ndarray]:
        """Every array that learning changes, live."""
        return {**{f"params.{k}": p for k, p in self.params.items()},
                **{f"optimizer.{k}": a for optimizer in self.optimizers
                   for k, a in optimizer.state.items()}}


def _width_below(layer: Layer) -> int:
    return layer.n_in if isinstance(layer, Dense) else 1


class LinearHead(Head):
    """One layer: z = h R + r, so b = e, the error itself, and W = R'.

    R starts at zero, though `rng` is drawn from as for any layer: the first updates are harmless
    then. ``n, n_out, dtype`` are the widths of h and of c, and the dtype of h; the rest as in Head.
    """

    def __init__(self, n: int, n_out: int, rng: np.random.Generator, *,
                 task: str = "classification", optimizer: Optimizer | None = None,
                 dtype: DTypeLike = np.float32) -> None:
        super().__init__([_zero(n, n_out, rng, dtype)], n_out, task, optimizer)


class HiddenHead(Head):
    """One hidden layer of m units: a = relu(h U + u), z = a R + r; b = (e R') * (a > 0), W = U'.

    `rng` draws U, R starts at zero; the other parameters as in LinearHead.
    """

    def __init__(self, n: int, n_out: int, rng: np.random.Generator, *, m: int = 64,
                 task: str = "classification", optimizer: Optimizer | None = None,
                 dtype: DTypeLike = np.float32) -> None:
        check_count("head's units", m)
        layers = [Dense(n, m, rng, dtype=dtype), ReLU(), _zero(m, n_out, rng, dtype)]
        super().__init__(layers, n_out, task, optimizer)


def _zero(n_in: int, n_out: int, rng: np.random.Generator, dtype: DTypeLike) -> Dense:
    return Dense(n_in, n_out, rng, gain=0.0, dtype=dtype)
