"""Linear SG models and the two ways to fit them."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.optimizers import SGD, Adam
from sgdni.synthetic import FitError, GradientFit, LeastSquaresFit, LinearSG
from sgdni.synthetic.cholesky import inverse_factor, solve_positive_definite

F64 = np.float64
FITS = {"gradient": lambda: GradientFit(SGD(0.1)), "least squares": lambda: LeastSquaresFit()}
each_fit = pytest.mark.parametrize("make_fit", FITS.values(), ids=FITS.keys())


def problem(rng, size=40, n=3, classes=2, noise=0.0):
    """Return h, one-hot c and a target that is linear in them, but for the noise."""
    h, c = rng.standard_normal((size, n)), np.eye(classes)[rng.integers(0, classes, size)]
    target = h @ rng.standard_normal((n, n)) + c @ rng.standard_normal((classes, n))
    return h, c, target + noise * rng.standard_normal((size, n))


def test_prediction_is_zero_at_the_start(rng):
    h, c, _ = problem(rng)
    model = LinearSG(3, 2, LeastSquaresFit(), F64)
    assert model.predict(h, c).shape == h.shape and not model.predict(h, c).any()


def test_weights_are_seen_through_their_blocks(rng):
    h, c, _ = problem(rng)
    model = LinearSG(3, 2, LeastSquaresFit(), F64)
    model.A[...], model.C[...], model.b[...] = 2 * np.eye(3), [[1, 0, 0], [0, 1, 0]], [0, 0, 5]
    expected = 2 * h + np.column_stack([c, np.full(len(h), 5)])
    np.testing.assert_allclose(model.predict(h, c), expected, rtol=1e-14)
    np.testing.assert_allclose(model.predict(h[:7], c[:7]), expected[:7], rtol=1e-14)


def test_least_squares_recovers_a_linear_target_exactly(rng):
    model = LinearSG(3, 2, LeastSquaresFit(forgetting_factor=1.0, ridge=1e-13, solve_every=4), F64)
    h, c, target = problem(rng, size=80)
    for part in np.split(np.arange(80), 4):
        model.fit(h[part], c[part], target[part])
    np.testing.assert_allclose(model.predict(h, c), target, atol=1e-9)


def test_least_squares_is_the_regression_on_everything_seen(rng):
    model = LinearSG(3, 0, LeastSquaresFit(forgetting_factor=1.0, ridge=0, solve_every=4), F64)
    h, _, target = problem(rng, size=80, noise=0.5)
    for part in np.split(np.arange(80), 4):
        model.fit(h[part], None, target[part])
    best = np.linalg.lstsq(np.column_stack([h, np.ones(80)]), target, rcond=None)[0]
    np.testing.assert_allclose(model.W, best, rtol=1e-9, atol=1e-12)


def test_forgetting_follows_a_target_that_changes(rng):
    before, after = (problem(np.random.default_rng(seed)) for seed in (1, 2))
    errors = {}
    for forget in 1.0, 0.5:
        model = LinearSG(3, 2, LeastSquaresFit(forget, ridge=1e-9, solve_every=1), F64)
        for h, c, target in [before] * 20 + [after] * 20:
            model.fit(h, c, target)
        errors[forget] = np.abs(model.predict(h, c) - target).max()
    assert errors[0.5] < 1e-3 < 0.1 < errors[1.0]


def test_ridge_is_relative_to_the_mean_diagonal(rng):
    """So features a thousand times as large are shrunk no less."""
    h, _, target = problem(rng)
    S = h.T @ h
    expected = h @ np.linalg.solve(S + 0.5 * np.mean(np.diag(S)) * np.eye(3), h.T @ target)
    for scale in 1.0, 1000.0:
        fit, W = LeastSquaresFit(ridge=0.5, solve_every=1), np.zeros((3, 3))
        fit.bind(W)
        fit.update(scale * h, target)
        np.testing.assert_allclose(scale * h @ W, expected, rtol=1e-10)


def test_least_squares_solves_at_powers_of_two_and_then_regularly(rng):
    fit, solved = LeastSquaresFit(solve_every=6), []
    W = np.zeros((3, 3))
    fit.bind(W)
    for update in range(1, 20):
        before = W.copy()
        h, _, target = problem(rng)
        fit.update(h, target)
        if np.any(W != before):
            solved.append(update)
    assert solved == [1, 2, 4, 6, 12, 18]


def test_singular_equations_are_refused_without_ridge():
    fit = LeastSquaresFit(ridge=0, solve_every=1)
    fit.bind(np.zeros((2, 2)))
    with pytest.raises(FitError, match="singular .* ridge 0"):
        fit.update(np.array([[1.0, 0.0]]), np.ones((1, 2)))


def test_gradient_steps_reduce_the_error(rng):
    h, c, target = problem(rng)
    model = LinearSG(3, 2, GradientFit(Adam(0.05)), F64)
    errors = []
    for _ in range(200):
        errors.append(np.mean((model.predict(h, c) - target) ** 2))
        model.fit(h, c, target)
    assert errors[-1] < 0.01 * errors[0]


@each_fit
def test_fit_does_not_depend_on_the_batch_size(make_fit, rng):
    """Every example twice gives the same weights, after several minibatches too."""
    models = [LinearSG(3, 2, make_fit(), F64) for _ in range(2)]
    for _ in range(3):
        h, c, target = problem(rng, noise=0.3)
        for times, model in enumerate(models, start=1):
            model.fit(*(np.tile(a, (times, 1)) for a in (h, c, target)))
    assert np.any(models[0].W)
    np.testing.assert_allclose(models[0].W, models[1].W, rtol=1e-10, atol=1e-13)


@each_fit
def test_fit_alters_none_of_its_arguments(make_fit, rng):
    arrays = problem(rng)
    before = [a.copy() for a in arrays]
    LinearSG(3, 2, make_fit(), F64).fit(*arrays)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


@each_fit
def test_state_is_all_that_a_fit_depends_on(make_fit, rng):
    first, second = (LinearSG(3, 2, make_fit(), F64) for _ in range(2))
    batches = [problem(rng) for _ in range(8)]
    for b in batches[:3]:
        first.fit(*b)
    for name, array in second.state().items():
        array[...] = first.state()[name]
    for b in batches[3:]:
        first.fit(*b)
        second.fit(*b)
    assert np.any(first.W) and np.array_equal(first.W, second.W)


H, C = np.zeros((5, 3)), np.zeros((5, 2))


@pytest.mark.parametrize("n_context, h, c, complaint", [
    (2, H, None, r"context: expected \(B, 2\), got None"),
    (0, H, C, r"context: expected None, got \(5, 2\)"),
    (2, H, C[:, :1], r"context: expected shape \(5, 2\), got \(5, 1\)"),
    (2, H, C[:1], r"context: expected shape \(5, 2\), got \(1, 2\)"),
    (2, H[:, :2], C, r"h: expected shape \(B, 3\) .* got \(5, 2\)"),
    (2, H.astype(np.float32), C, "h: expected dtype float64, got float32"),
])
def test_wrong_activation_or_context_is_refused(n_context, h, c, complaint):
    model = LinearSG(3, n_context, LeastSquaresFit(), F64)
    for call in model.predict, lambda h, c: model.fit(h, c, np.zeros(h.shape)):
        with pytest.raises(ValueError, match=complaint):
            call(h, c)


def test_wrong_target_is_refused():
    with pytest.raises(ValueError, match=r"target: expected shape \(5, 3\), got \(1, 3\)"):
        LinearSG(3, 2, LeastSquaresFit(), F64).fit(H, C, H[:1])


@pytest.mark.parametrize("make, complaint", [
    (lambda: LeastSquaresFit(forgetting_factor=0),
     r"forgetting_factor: expected a number in \(0, 1\], got 0"),
    (lambda: LeastSquaresFit(forgetting_factor=1.1), "forgetting_factor: .* got 1.1"),
    (lambda: LeastSquaresFit(ridge=-1), "ridge: .* got -1"),
    (lambda: LeastSquaresFit(solve_every=0), "solve_every: .* got 0"),
    (lambda: LinearSG(0, 0, LeastSquaresFit()), "n >= 1 and n_context >= 0, got 0, 0"),
    (lambda: LinearSG(2, -1, LeastSquaresFit()), "got 2, -1"),
])
def test_options_out_of_range_are_refused(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()


@pytest.mark.parametrize("m", [1, 7, 20, 21, 67])
def test_block_solution_solves(rng, m):
    root = rng.standard_normal((m, m))
    S, W = root @ root.T + m * np.eye(m), rng.standard_normal((m, 4))
    np.testing.assert_allclose(solve_positive_definite(S, S @ W), W, rtol=1e-10, atol=1e-12)
    P = inverse_factor(S)
    np.testing.assert_array_equal(P, np.tril(P))


def test_block_solution_refuses_an_indefinite_matrix():
    S = np.eye(50)
    S[40, 40] = -1
    with pytest.raises(np.linalg.LinAlgError):
        solve_positive_definite(S, np.ones((50, 2)))
