"""How good the synthetic gradients are, measured against the truth and against their targets.

The truth is what backpropagation through every module above would give now, with nothing updated
meanwhile. It is computed for this measurement only: no schedule trains with it. A target is what
the model is fitted to: the error signal of the module above, itself synthetic unless that module
is the top one, carried back through that one module (bootstrapping). A model can be close to its
target and yet far from the truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sgdni.networks import Network


@dataclass(frozen=True)
class Quality:
    """One interface's synthetic gradient delta^ over some minibatches.

    relative_error : sum ||delta^ - delta||^2 / sum ||delta||^2 against the true gradient delta.
        0 is perfect; predicting zero scores 1.
    cosine : sum <delta^, delta> / sqrt(sum ||delta^||^2 sum ||delta||^2). 1 is the right
        direction; 0 when delta^ is zero.
    target_error : as relative_error, against the bootstrapped target.

    Where the reference itself is zero, as a target is while the SG model above is untaught, the
    error is given as 1.
    """

    relative_error: float
    cosine: float
    target_error: float


def measure(network: Network, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> list[Quality]:
    """Return the quality of every SG model over the minibatches, bottom to top.

    Runs the modules in training mode (batch statistics, as the SG models see them) and puts their
    running statistics back afterwards; nothing is updated, but gradients held by the layers are
    overwritten.
    """
    buffers = [array for module in network.modules for array in module.buffers.values()]
    kept = [array.copy() for array in buffers]
    sums = np.zeros((len(network.interfaces), 6))
    for x, y in batches:
        sums += [_products(*compared) for compared in _compare(network, x, y)]
    for array, value in zip(buffers, kept, strict=True):
        array[...] = value
    return [_quality(*six) for six in sums.tolist()]


def _compare(network: Network, x: np.ndarray, y: np.ndarray
             ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return (delta^_i, true delta_i, target for M_i) at every interface, bottom to top."""
    c = network.context(x, y)
    guesses, inputs = [], []
    h = x
    for i, module in enumerate(network.modules):
        inputs.append(h.copy())
        h = module.forward(h)
        if i < len(network.interfaces):
            guesses.append(network.interfaces[i].predict(h, c[i]).copy())
    _, delta = network.loss(h, y)
    compared = []
    error_signals = [*guesses[1:], delta]  # what modules 2 .. K learn from
    for i in range(len(network.interfaces), 0, -1):
        module = network.modules[i]
        target = module.backward(error_signals[i - 1]).copy()
        module.forward(inputs[i])  # a layer promises one backward for each forward
        delta = module.backward(delta).copy()
        compared.append((guesses[i - 1], delta, target))
    return compared[::-1]


def _products(guess: np.ndarray, true: np.ndarray, target: np.ndarray) -> list[float]:
    """Return the sums over a minibatch from which the quality follows."""
    off, missed = guess - true, guess - target
    pairs = ((guess, guess), (true, true), (guess, true), (off, off), (target, target),
             (missed, missed))
    return [float(np.vdot(a, b)) for a, b in pairs]


def _quality(own: float, true: float, inner: float, off: float, target: float, missed: float
             ) -> Quality:
    norms = np.sqrt(own * true)
    return Quality(
        relative_error=off / true if true else 1.0,
        cosine=float(inner / norms) if norms else 0.0,
        target_error=missed / target if target else 1.0,
    )
