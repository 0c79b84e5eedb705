"""The loss that a model implies: exact where it is known, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.analysis.implicit_loss import along, antisymmetric_share, jacobian, true_along
from sgdni.layers import Dense, Tanh
from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks import Module
from sgdni.optimizers import SGD
from sgdni.synthetic import HiddenHead, LeastSquaresFit, LinearSG, LocalErrorSG, SyntheticGradient

F64, N, CLASSES = np.float64, 4, 3
AMOUNTS = np.linspace(-2, 2, 401)


class TrueGradient(SyntheticGradient):
    """What is above, asked for its exact gradient."""

    n_context = CLASSES

    def __init__(self, above):
        self.above = above

    def predict(self, h, c):
        _, delta = SoftmaxCrossEntropy()(self.above.forward(h), c.argmax(axis=1))
        return self.above.backward(delta)


@pytest.fixture
def above(rng):
    return Module([Dense(N, 6, rng, dtype=F64), Tanh(), Dense(6, CLASSES, rng, dtype=F64)],
                  SGD(0.1))


def linear(rng):
    model = LinearSG(N, CLASSES, LeastSquaresFit(), F64)
    model.W[...] = rng.standard_normal(model.W.shape)
    return model


def test_the_exact_model_implies_the_true_loss(above, rng):
    h, direction, c = rng.standard_normal(N), rng.standard_normal(N), np.eye(CLASSES)[1]
    slope, loss = along(TrueGradient(above), h, c, direction, AMOUNTS)
    true = true_along([above], SoftmaxCrossEntropy(), h, np.int64(1), direction, AMOUNTS)
    np.testing.assert_allclose(loss, true - true.min(), atol=1e-4)
    np.testing.assert_allclose(slope, np.gradient(true, AMOUNTS), atol=0.02)
    assert np.ptp(true) > 0.1


def test_a_linear_model_implies_a_parabola(rng):
    model, h, direction = linear(rng), rng.standard_normal(N), rng.standard_normal(N)
    _, loss = along(model, h, np.eye(CLASSES)[2], direction, AMOUNTS)
    curvature = np.diff(loss, 2) / (AMOUNTS[1] - AMOUNTS[0]) ** 2
    np.testing.assert_allclose(curvature, direction @ model.A @ direction, rtol=1e-6)
    assert loss.min() == 0


def test_a_direction_of_another_shape_is_refused(rng):
    with pytest.raises(ValueError, match="direction"):
        along(linear(rng), np.zeros(N), np.eye(CLASSES)[0], np.ones(N + 1), AMOUNTS)


def test_the_jacobian_of_a_linear_model_is_a(rng):
    model = linear(rng)
    found = jacobian(model, rng.standard_normal(N), np.eye(CLASSES)[0])
    np.testing.assert_allclose(found, model.A, atol=1e-9)


def test_gradients_have_no_antisymmetric_part_and_others_do(above, rng):
    h, c = rng.standard_normal(N), np.eye(CLASSES)[1]
    assert antisymmetric_share(jacobian(TrueGradient(above), h, c)) < 1e-6
    for rho, low, high in ((np.inf, 0.0, 1e-6), (0.1, 0.01, 1.0)):
        model = LocalErrorSG(HiddenHead(N, CLASSES, rng, m=5, dtype=F64), rho=rho)
        for p in model.head.params.values():
            p[...] = rng.standard_normal(p.shape)
        for _ in range(3):
            model.fit(rng.standard_normal((30, N)), np.eye(CLASSES)[rng.integers(0, 3, 30)],
                      rng.standard_normal((30, N)))
        assert low <= antisymmetric_share(jacobian(model, h, c)) <= high


def test_shares_of_matrices_that_are_known(rng):
    symmetric = rng.standard_normal((5, 5))
    symmetric += symmetric.T
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert antisymmetric_share(symmetric) == 0 and antisymmetric_share(turn) == pytest.approx(1)
    assert antisymmetric_share(np.stack([turn, np.eye(2)])) == pytest.approx(np.sqrt(0.5))
    assert np.isnan(antisymmetric_share(np.zeros((2, 2))))
    assert antisymmetric_share(rng.standard_normal((300, 300))) == pytest.approx(0.707, abs=0.01)
