"""What an interface gives its model: the context that it asks for, and each call in its turn."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni import (
    SGD,
    Decoupled,
    Interface,
    LocalErrorSG,
    MeanSquaredError,
    Network,
    SyntheticGradient,
    build_mlp,
)
from sgdni.analysis.quality import measure
from sgdni.networks.interface import one_hot, values
from sgdni.synthetic import LinearHead


def regression(rng):
    """Return a network with a local-error model after each hidden layer, and its minibatches."""
    modules = build_mlp(5, (8, 7), 2, rng, lambda: SGD(0.05, 0.9))
    models = [LocalErrorSG(LinearHead(n, 2, rng, task="regression")) for n in (8, 7)]
    network = Network(modules, MeanSquaredError(), [Interface(model) for model in models])
    true = rng.standard_normal((5, 2)).astype(np.float32)

    def batches(count):
        for _ in range(count):
            x = rng.standard_normal((16, 5)).astype(np.float32)
            yield x, np.tanh(x @ true)
    return network, batches


def test_values_are_the_context_of_a_regression(rng):
    network, batches = regression(rng)
    [(x, y)] = batches(1)
    for c in network.context(x, y.astype(np.float64)):
        assert c.dtype == np.float32 and np.array_equal(c, y) and not np.shares_memory(c, y)
    with pytest.raises(ValueError, match=r"values .*: expected shape \(16, 2\), got \(16, 1\)"):
        network.context(x, y[:, :1])


def test_a_regression_learns_from_local_errors(rng):
    network, batches = regression(rng)
    losses = [result.loss for result in Decoupled(network).run(batches(300))]
    assert np.mean(losses[-30:]) < 0.3 * np.mean(losses[:30])
    [lower, upper] = measure(network, batches(8))
    assert lower.cosine > 0.2 and upper.cosine > 0.5


def test_interfaces_of_one_kind_share_their_context(rng):
    assert one_hot(3) is one_hot(3) and values(3) is values(3)
    network, batches = regression(rng)
    first, second = network.context(*next(batches(1)))
    assert first is second


class Watched(SyntheticGradient):
    """Notes what is asked of it."""

    def __init__(self):
        self.calls = []

    def predict(self, h, c):
        self.calls.append("predict")
        return 0 * h

    def learn_locally(self, h, c):
        self.calls.append("learn locally")

    def fit(self, h, c, target):
        self.calls.append("fit")


def test_local_learning_comes_right_after_each_prediction_in_training_and_in_nothing_else(rng):
    network, batches = regression(rng)
    watched = Watched()
    network.interfaces[0] = Interface(watched)
    for x, y in batches(2):
        Decoupled(network, fit_every=2).step(x, y)
    assert watched.calls == ["predict", "learn locally", "fit"] * 2
    watched.calls.clear()
    measure(network, batches(2))
    assert watched.calls == ["predict"] * 2
