"""Optima and end points, held to what makes them so: gradients that vanish, fits that rest."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.analysis.end_points import best_logits, least_squares_outputs, predicted_logits
from sgdni.experiments.linear_networks import cloud
from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy

CLASSES = 4


def problem(rng, size=200, d=6):
    x = rng.standard_normal((size, d)) * rng.uniform(0.3, 3, d)
    logits = x @ rng.standard_normal((d, CLASSES)) + rng.gumbel(size=(size, CLASSES))
    return x, logits.argmax(axis=1)


def with_constant(x):
    return np.column_stack([x, np.ones(len(x))])


def test_the_gradient_vanishes_at_the_logistic_optimum(rng):
    x, y = problem(rng)
    delta = SoftmaxCrossEntropy()(best_logits(x, y, CLASSES), y)[1]
    assert np.abs(with_constant(x).T @ delta).max() < 1e-9
    assert np.abs(delta).max() > 0.1  # it is not that everything is right


def test_collinear_columns_change_nothing(rng):
    x, y = problem(rng)
    twice = np.column_stack([x, x @ rng.standard_normal((6, 3)), np.ones(len(x))])
    np.testing.assert_allclose(best_logits(twice, y, CLASSES), best_logits(x, y, CLASSES),
                               atol=1e-7)


def test_classes_that_are_separated_have_no_optimum(rng):
    x = rng.standard_normal((20, 2))
    with pytest.raises(ValueError, match="overlap"):
        best_logits(x, (x[:, 0] > 0).astype(int), 2)


@pytest.mark.parametrize("seed, kind, size", [(0, "gaussian", 500), (2, "log-normal", 2000)])
def test_rounding_near_the_end_is_not_taken_for_separated_classes(seed, kind, size):
    """The last step gains less than a sum of losses can show."""
    x, y = cloud(kind, 10, 2, size, np.random.default_rng([seed, 10]))
    for inputs in (x, least_squares_outputs(x, np.eye(2)[y])):
        delta = SoftmaxCrossEntropy()(best_logits(inputs, y, 2), y)[1]
        assert np.abs(inputs.T @ delta).max() < 1e-10


def test_a_linear_sg_rests_at_the_predicted_logits_and_not_at_the_optimum(rng):
    """There the fit to the true gradient carries nothing that x could follow."""
    x, y = problem(rng)
    c, loss, pushes = np.eye(CLASSES)[y], SoftmaxCrossEntropy(), []
    for logits in (predicted_logits(x, y, CLASSES), best_logits(x, y, CLASSES)):
        features = np.column_stack([logits, c, np.ones(len(x))])
        guess = features @ np.linalg.lstsq(features, loss(logits, y)[1], rcond=None)[0]
        pushes.append(np.abs(with_constant(x).T @ guess).max())
    assert pushes[0] < 1e-8 and pushes[1] > 0.1


def test_the_prediction_is_above_the_optimum(rng):
    x, y = problem(rng)
    best, end = (SoftmaxCrossEntropy()(h, y)[0].mean() for h in
                 (best_logits(x, y, CLASSES), predicted_logits(x, y, CLASSES)))
    assert end > best + 1e-4


@pytest.mark.parametrize("rank", [1, 2, None])
def test_least_squares_outputs_are_the_best_of_their_rank(rank, rng):
    """No small change of the factors lowers the squared error; more rank does."""
    x, _ = problem(rng)
    c = x @ rng.standard_normal((6, 3)) + rng.standard_normal((len(x), 3))
    loss, guess = MeanSquaredError(), least_squares_outputs(x, c, rank)
    least = loss(guess, c)[0].mean()
    W = np.linalg.lstsq(with_constant(x), guess, rcond=None)[0]
    np.testing.assert_allclose(with_constant(x) @ W, guess, atol=1e-10)
    left, s, right = np.linalg.svd(W[:-1], full_matrices=False)
    kept = 3 if rank is None else rank
    assert np.all(s[kept:] < 1e-10) and s[kept - 1] > 0.1
    for _ in range(20):
        a = left[:, :kept] * s[:kept] + 0.01 * rng.standard_normal((6, kept))
        b = right[:kept] + 0.01 * rng.standard_normal((kept, 3))
        assert loss(x @ a @ b + W[-1], c)[0].mean() > least
    if rank is not None:
        assert loss(least_squares_outputs(x, c, rank + 1), c)[0].mean() < least - 1e-3
