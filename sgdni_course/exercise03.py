"""Checks of the exercises to lesson 3, a synthetic gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.layers import Dense, ReLU
from sgdni.networks import Module
from sgdni.optimizers import SGD
from sgdni.synthetic import GradientFit, LeastSquaresFit, LinearSG
from sgdni_course.answers import ask, compare, well_done

B, N, CLASSES = 9, 4, 3


def check_quality(quality: Callable) -> None:
    """Check ``quality(guess, delta) -> error, cosine, s``."""
    rng = np.random.default_rng(1)
    delta = rng.standard_normal((B, N)) * rng.uniform(0.2, 2, (B, 1))
    guess = 0.6 * delta + 0.5 * rng.standard_normal((B, N))
    own, true, inner = np.sum(guess**2), np.sum(delta**2), np.sum(guess * delta)
    missed = np.sum((guess - delta) ** 2)
    each = {
        "own": np.sum(guess**2, axis=1), "true": np.sum(delta**2, axis=1),
        "inner": np.sum(guess * delta, axis=1), "missed": np.sum((guess - delta) ** 2, axis=1),
    }
    error, cosine, s = ask(quality, guess, delta, parts="error cosine s")
    compare("error", error, missed / true, {
        "has a root: it is a ratio of squares": np.sqrt(missed / true),
        "is the plain sum of squares: divide by that of delta": missed,
        "is the mean of squares: divide by that of delta, so that predicting zero scores 1":
            missed / guess.size,
        "is relative to the guess: divide by the squares of the true delta": missed / own,
        "is a mean of each example's ratio: sum over all examples first, then divide, or examples "
        "of tiny delta rule": np.mean(each["missed"] / each["true"]),
        "still has one number for each example: sum over those, too": each["missed"] / each["true"],
    })
    compare("cosine", cosine, inner / np.sqrt(own * true), {
        "is the inner product alone: divide by both lengths": inner,
        "lacks the root in the denominator": inner / (own * true),
        "is squared": inner**2 / (own * true),
        "is a mean of each example's cosine: sum over all examples first, then divide":
            np.mean(each["inner"] / np.sqrt(each["own"] * each["true"])),
        "still has one number for each example: sum over those, too":
            each["inner"] / np.sqrt(each["own"] * each["true"]),
    })
    compare("s", s, inner / own, {
        "is divided by the squares of delta: s multiplies the guess, so its squares belong below":
            inner / true,
        "makes the guess as long as delta; the least error wants it shorter, by the cosine":
            np.sqrt(true / own),
        "is upside down": own / inner,
        "is the cosine: that has no length in it": inner / np.sqrt(own * true),
    })
    left = np.sum((s * guess - delta) ** 2) / true
    assert np.isclose(left, 1 - cosine**2)  # Pythagoras
    well_done(quality, f"At its best length the error is 1 - cosine^2: {left:.2f} in place of "
                       f"{error:.2f} here.")


def check_fit_step(fit_step: Callable) -> None:
    """Check ``fit_step(W, h, c, delta, lr) -> F, new_W``, a plain gradient step."""
    rng = np.random.default_rng(2)
    h, c, delta = _examples(rng)
    lr = 0.25
    model = LinearSG(N, CLASSES, GradientFit(SGD(lr)), np.float64)
    model.W[...] = rng.standard_normal(model.W.shape)
    W, right_F = model.W.copy(), model.features(h, c).copy()
    model.fit(h, c, delta)
    ones = np.ones((B, 1))
    F, new_W = ask(fit_step, W, h, c, delta, lr, parts="F new_W")
    compare("F", F, right_F, {
        "lacks the column of ones: without it the model has no b": np.hstack([h, c]),
        "lacks the labels c": np.hstack([h, ones]),
        "has c before h: W's rows are A, then C, then b": np.hstack([c, h, ones]),
        "has the ones in front: W's rows are A, then C, then b": np.hstack([ones, h, c]),
    })
    gradient = right_F.T @ (right_F @ W - delta)
    compare("new_W", new_W, model.W, {
        "went up the error, not down: subtract lr times the gradient": W + lr * gradient / B,
        "has a step that is not divided by B: minimise the mean over the batch": W - lr * gradient,
        "has twice the step: the 1/2 in front of the square takes the 2 of its derivative":
            W - 2 * lr * gradient / B,
        "lacks lr": W - gradient / B,
        "is the step alone: take it off W": -lr * gradient / B,
        "is the gradient alone: W - lr * gradient": gradient / B,
        "followed the target alone: the error is guess minus target":
            W + lr * right_F.T @ delta / B,
        "is averaged over the entries of delta, too: divide by B alone":
            W - lr * gradient / delta.size,
    })
    well_done(fit_step, "Adam in its place makes it the papers' fit.")


def check_ridge_fit(ridge_fit: Callable) -> None:
    """Check ``ridge_fit(F, delta, ridge) -> W`` against LeastSquaresFit."""
    rng = np.random.default_rng(3)
    h, c, delta = _examples(rng)
    ridge = 0.05
    model = LinearSG(N, CLASSES, LeastSquaresFit(forgetting_factor=1, ridge=ridge), np.float64)
    F = model.features(h, c).copy()
    model.fit(h, c, delta)
    S, T = F.T @ F, F.T @ delta
    m = len(S)

    def solved(penalty: np.ndarray) -> np.ndarray:
        return np.linalg.solve(S + penalty, T)

    try:
        W, = ask(ridge_fit, F, delta, ridge)
        fits = np.shape(W) == model.W.shape
        # Rounding may hide that S is singular, and then W is one solution of many.
        without = fits and (np.max(np.abs(W)) > 1e6 or np.allclose(S @ W, T, atol=1e-6))
    except np.linalg.LinAlgError:
        fits, without = False, True
    # Singled out first: where the entries of W add up to zero, this ridge does nothing.
    assert not (fits and np.allclose(W, solved(ridge * np.trace(S) / m * np.ones((m, m))))), (
        "your W has the ridge in every entry of S: it belongs on the diagonal alone, times np.eye"
    )
    assert not without, (
        "your W has no ridge: one-hot labels and the constant 1 are collinear, so S is singular "
        "until you add it to the diagonal"
    )
    compare("W", W, model.W, {
        "has the ridge in absolute terms: multiply it by the mean of S's diagonal":
            solved(ridge * np.eye(m)),
        "has the sum of S's diagonal where its mean belongs: divide the trace by the number of "
        "features": solved(ridge * np.trace(S) * np.eye(m)),
        "divides the trace by B: the mean of the diagonal is over features":
            solved(ridge * np.trace(S) / B * np.eye(m)),
        "has the mean over all of S where that of its diagonal belongs":
            solved(ridge * S.mean() * np.eye(m)),
    })
    well_done(ridge_fit, "All at once, where gradient steps take thousands.")


def check_bootstrapped_target(bootstrapped_target: Callable) -> None:
    """Check ``bootstrapped_target(h1, c, W2, b2, W_M) -> guess2, target1``."""
    rng = np.random.default_rng(4)
    h1, c, _ = _examples(rng)
    # W2 is square, so that a forgotten transpose gives a wrong number and not an error.
    dense = Dense(N, N, rng, dtype=np.float64)
    W2, b2 = dense.params["W"], dense.params["b"]
    b2[...] = rng.standard_normal(N)
    module = Module([dense, ReLU()], SGD(0.1))
    above = LinearSG(N, CLASSES, GradientFit(SGD(0.1)), np.float64)
    above.W[...] = rng.standard_normal(above.W.shape)
    a2, h2 = h1 @ W2 + b2, module.forward(h1).copy()
    right_guess = above.predict(h2, c).copy()
    right = module.backward(right_guess).copy()
    guess2, target1 = ask(bootstrapped_target, h1, c, W2, b2, above.W, parts="guess2 target1")
    compare("guess2", guess2, right_guess, {
        "is made from h1: M_2 stands above module 2 and sees h2": above.predict(h1, c).copy(),
        "is made from h1 W2 + b2: M_2 sees h2, which has been through the ReLU":
            above.predict(a2, c).copy(),
        "lacks b2 in the forward pass":
            above.predict(np.maximum(h1 @ W2, 0), c).copy(),
        "lacks the model's constant: the last row of W_M is b": right_guess - above.b,
        "lacks the labels: the middle rows of W_M are C": right_guess - c @ above.C,
        "is masked by the ReLU already: that comes on the way down": right_guess * (a2 > 0),
    })
    compare("target1", target1, right, {
        "is the guess itself: it stands at module 2's output and has to come down to its input":
            right_guess,
        "stops inside the module: it has passed the ReLU, and not yet W2": right_guess * (a2 > 0),
        "lacks the ReLU's mask: where a2 was not positive, no error passes": right_guess @ W2.T,
        "lacks a transpose: down through W2 it is @ W2.T": (right_guess * (a2 > 0)) @ W2,
        "has the mask after W2: the way down meets the ReLU first":
            (right_guess @ W2.T) * (a2 > 0),
        "has the mask from h1: the module's ReLU saw h1 W2 + b2":
            (right_guess * (h1 > 0)) @ W2.T,
        "went down through M_2: it guesses delta_2, and only module 2 lies between h1 and h2":
            (right_guess * (a2 > 0)) @ above.A.T,
        "is divided by B: targets are per example": right / B,
    })
    well_done(bootstrapped_target, "Module 2 computes this anyway, to update itself.")


def _examples(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return h (B, N), one-hot c (B, CLASSES) and delta (B, N)."""
    c = np.eye(CLASSES)[rng.permutation(np.arange(B) % CLASSES)]
    return rng.standard_normal((B, N)), c, rng.standard_normal((B, N))
