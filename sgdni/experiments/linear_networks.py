"""Linear networks and what they are trained on where their optimum is known exactly."""

from __future__ import annotations

import numpy as np

from sgdni.layers import Dense, Flatten, Layer
from sgdni.losses import Loss, MeanSquaredError
from sgdni.networks import Interface, Module, Network
from sgdni.networks.interface import one_hot, values
from sgdni.optimizers import SGD
from sgdni.schedules import Backprop, Decoupled, DivergenceError
from sgdni.synthetic import Fit, FitError, LeastSquaresFit, LinearHead, LinearSG, LocalErrorSG

OUTPUTS = 5
#: name: (widths of the hidden layers, how many layers of weights stand below the interface)
NETWORKS = {"direct": ((), 1), "deep": ((20, 20), 3), "bottleneck": ((4,), 1)}


class OneLogit(Layer):
    """The logits (B, 2) of two classes from one z (B, 1): 0 and z."""

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        return np.column_stack([np.zeros(len(x)), x])

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return dy[:, 1:]


def cloud(kind: str, d: int, n_classes: int, size: int, rng: np.random.Generator
          ) -> tuple[np.ndarray, np.ndarray]:
    """Return x (size, d), white and centred, and labels (size,) that it does not separate.

    Whitening moves no optimum and no end point; it makes the way there equally short from all
    sides.
    """
    x = rng.standard_normal((size, d))
    if kind == "log-normal":
        x = np.exp(x)
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    teacher = rng.standard_normal((d, n_classes)) / np.sqrt(d)
    logits = 2 * x @ teacher
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    if kind == "far cluster":  # right, and far beyond what tells the classes apart
        far = teacher[:, -1] - teacher[:, :-1].mean(axis=1)
        rows = np.arange(size // 10)
        x[rows] += 10 * far / np.linalg.norm(far)
        y[rows] = n_classes - 1
    u, _, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return u * np.sqrt(size), y


def least_squares() -> Fit:
    return LeastSquaresFit(0.9, ridge=1e-8, solve_every=1)


def linear_network(name: str, model: str, d: int, lr: float, rng: np.random.Generator, loss: Loss,
                   *, n_out: int = OUTPUTS, fit: Fit | None = None) -> Network:
    """Return a linear network, its output layer at zero where an SG stands on it.

    The interface of the bottleneck stands on its narrow layer, that of the others on the output;
    what is above is trained truly. One output is a logit of two classes.
    """
    hidden, below = NETWORKS[name]
    widths = [d, *hidden, n_out]
    layers: list[Layer] = [Dense(a, b, rng, gain=1.0, dtype=np.float64)
                           for a, b in zip(widths[:-1], widths[1:], strict=True)]
    if below == len(layers):
        layers[-1].params["W"][...] = 0
    above = layers[below:] or [Flatten()]  # of rows: the identity
    if n_out == 1:
        above = [*above, OneLogit()]
    modules = [Module(layers[:below], SGD(lr)), Module(above, SGD(lr))]
    if model == "backprop":
        return Network(modules, loss)
    squared, n = isinstance(loss, MeanSquaredError), widths[below]
    k = 2 if n_out == 1 else n_out
    context = values(k) if squared else one_hot(k)
    if model == "local error":
        task = "regression" if squared else "classification"
        sg = LocalErrorSG(LinearHead(n, k, rng, task=task, optimizer=SGD(0.1),
                                     dtype=np.float64), rho=0.0)
    else:
        sg = LinearSG(n, k, fit or least_squares(), np.float64)
    return Network(modules, loss, [Interface(sg, context)])


def train(network: Network, x: np.ndarray, y: np.ndarray, steps: int) -> np.ndarray:
    """Return the network's outputs after so many steps on all of x and y."""
    schedule = Decoupled(network) if network.interfaces else Backprop(network)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            schedule.step(x, y)
    return network.forward(x)


def mean_loss(loss: Loss, h: np.ndarray, y: np.ndarray) -> float:
    return float(loss(h, y)[0].mean())


def gap_of(network: Network, x: np.ndarray, y: np.ndarray, steps: int, best: float) -> float:
    """Return by how much the loss ends above the best one; infinite if training diverged."""
    try:
        return mean_loss(network.loss, train(network, x, y, steps), y) - best
    except (DivergenceError, FitError):
        return np.inf
