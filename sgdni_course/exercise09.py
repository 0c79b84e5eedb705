"""Checks of the exercises to lesson 9, what a synthetic gradient learns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.analysis import similarity
from sgdni.analysis.probes import Probe
from sgdni.synthetic.heads import softmax_error
from sgdni_course.answers import ask, compare, well_done


def check_rest(rest: Callable) -> None:
    """Check ``rest(x, c, A, C, b) -> h``: where x' (h A + c C + b) is zero."""
    rng = np.random.default_rng(90)
    x, c = rng.standard_normal((12, 4)), np.eye(3)[rng.integers(0, 3, 12)]
    A, C, b = rng.standard_normal((2, 2)), rng.standard_normal((3, 2)), rng.standard_normal(2)
    onto = x @ np.linalg.pinv(x)
    inverse = np.linalg.inv(A)
    right = -onto @ (c @ C + b) @ inverse
    h, = ask(rest, x, c, A, C, b)
    compare("h", h, right, {
        "makes delta^ itself zero, for which x has too few columns: x' delta^ is to be zero, so h "
        "is the best guess from x": -(c @ C + b) @ inverse,
        "lacks the minus: h A is to cancel the rest": -right,
        "lacks the inverse of A": -onto @ (c @ C + b),
        "has A in place of its inverse": -onto @ (c @ C + b) @ A,
        "has the inverse of A transposed: h A = r is h = r A^-1": -onto @ (c @ C + b) @ inverse.T,
        "lacks b": -onto @ (c @ C) @ inverse,
        "lacks the labels, c C": -onto @ np.broadcast_to(b, (12, 2)) @ inverse,
        "are the layer's weights: h is x times them": -np.linalg.pinv(x) @ (c @ C + b) @ inverse,
    })
    well_done(rest, "Whatever the loss is, h is a guess at labels by least squares.")


def check_pushes(pushes: Callable) -> None:
    """Check ``pushes(x, W, c, delta) -> x' delta^, W' x' delta``."""
    rng = np.random.default_rng(91)
    x, W = rng.standard_normal((15, 4)), rng.standard_normal((4, 2))
    c, delta = np.eye(3)[rng.integers(0, 3, 15)], rng.standard_normal((15, 2))
    h, one = x @ W, np.ones((15, 1))

    def guess(*features: np.ndarray) -> np.ndarray:
        F = np.concatenate(features, axis=1)
        return F @ np.linalg.pinv(F) @ delta

    push, seen = ask(pushes, x, W, c, delta, parts="push seen")
    right = x.T @ guess(h, c, one)
    compare("push", push, right, {
        "is x' delta: the layer is pushed by the guess, made from h, c and 1 and not from x":
            x.T @ delta,
        "comes from a model without labels": x.T @ guess(h, one),
        "comes from a model without h": x.T @ guess(c, one),
        "is what the model says in h's directions: x' delta^ is (d, n)": W.T @ right,
        "is what the guess misses: x' delta^, not x' (delta - delta^)": x.T @ delta - right,
    })
    compare("seen", seen, h.T @ delta, {
        "is x' delta: W' comes before it": x.T @ delta,
        "is transposed: W' x' delta has a column for each column of delta": delta.T @ h,
        "is divided by N: no means here": h.T @ delta / len(x),
    })
    gap = float(abs(seen - W.T @ push).max())
    well_done(pushes, f"W' x' delta is W' push (off by {gap:.0e}): both are zero at rest, and "
              "x' delta need not be.")


def check_implied_loss(implied_loss: Callable) -> None:
    """Check ``implied_loss(a, C, b, y, z) -> loss, least``."""
    a, C, b, y = 0.4, np.array([0.3, -1.4, 0.6]), 0.5, 1
    z = np.linspace(-4, 5, 7)
    least = -(C[y] + b) / a
    loss, at = ask(implied_loss, a, C, b, y, z, parts="loss least")
    compare("least", at, least, {
        "has the wrong sign: a z + C_y + b is zero there": -least,
        "lacks b": -C[y] / a,
        "lacks the class's C_y": -b / a,
        "is not divided by a": -(C[y] + b),
        "is that of another class": -(C[0] + b) / a,
        "is the best of the given logits: the parabola's own least lies between them":
            z[np.argmin((z - least) ** 2)],
    })
    right = a / 2 * (z - least) ** 2
    integral = a / 2 * z**2 + (C[y] + b) * z
    compare("loss", loss, right, {
        "is the slope: integrate it over z": a * z + C[y] + b,
        "lacks the half: the integral of a z is a z^2 / 2": 2 * right,
        "lacks a": right / a,
        "is 0 at z = 0: add the constant that makes its least value 0": integral,
        "is 0 at the best of the given logits: the parabola's own least lies between them":
            integral - integral.min(),
    })
    well_done(implied_loss, "A squared error, with a target of its own for each class.")


def check_probe(probe: Callable) -> None:
    """Check ``probe(h, y, h_test, y_test, n_classes, rho) -> W, accuracy``."""
    rng = np.random.default_rng(92)
    y, y_test = (np.where(rng.random(size) < 0.7, 0, rng.integers(0, 3, size))
                 for size in (40, 200))
    centres = rng.standard_normal((3, 5))
    h, h_test = (centres[labels] + shift + rng.standard_normal((len(labels), 5))
                 for labels, shift in ((y, 2.0), (y_test, 2.7)))
    rho, c = 0.3, np.eye(3)[y]
    known = Probe(h, y, 3, ridge=rho)
    z, share, mean = h - h.mean(axis=0), c.mean(axis=0), h.mean(axis=0)
    S, one = z.T @ z, np.eye(5)

    def weights(S: np.ndarray, z: np.ndarray = z, c: np.ndarray = c) -> np.ndarray:
        return np.linalg.solve(S, z.T @ (c - c.mean(axis=0)))

    def right(logits: np.ndarray, labels: np.ndarray = y_test) -> float:
        return float(np.mean(logits.argmax(axis=1) == labels))

    W, found = ask(probe, h, y, h_test, y_test, 3, rho, parts="W accuracy")
    compare("W", W, known.W, {
        "has no ridge: add rho times m to the diagonal": weights(S),
        "has a ridge that is not relative: rho times the mean of the diagonal":
            weights(S + rho * one),
        "has a ridge of rho times the sum of the diagonal: take its mean":
            weights(S + rho * np.trace(S) * one),
        "has the ridge in every entry: it belongs on the diagonal":
            weights(S + rho * np.trace(S) / 5),
        "comes from h as it is: take the mean away first":
            weights(h.T @ h + rho * np.trace(h.T @ h) / 5 * one, h),
        "is transposed: (n, classes)": known.W.T,
    })
    logits = (h_test - mean) @ W
    compare("accuracy", found, known.accuracy(h_test, y_test), {
        "is that on the training examples, which the probe has seen": right(z @ W + share, y),
        "lacks the classes' shares: add them to the guess": right(logits),
        "takes away the test examples' own mean: the probe knows the training mean alone":
            right((h_test - h_test.mean(axis=0)) @ W + share),
        "comes from h_test as it is: take the training mean away": right(h_test @ W + share),
        "counts the examples that are right: return their share":
            known.accuracy(h_test, y_test) * len(y_test),
        "is the share of wrong answers": 1 - known.accuracy(h_test, y_test),
    })
    well_done(probe, "In closed form, so that nothing depends on how well it was trained.")


def check_feedback_alignment(feedback_alignment: Callable) -> None:
    """Check ``feedback_alignment(x, c, W1, W2, B) -> dW1, dW2``."""
    rng = np.random.default_rng(93)
    x, c = rng.standard_normal((6, 4)), np.eye(3)[[0, 2, 1, 1, 0, 2]]
    W1, W2 = rng.standard_normal((4, 5)), rng.standard_normal((5, 3))
    B = rng.standard_normal((3, 5))
    h = np.maximum(x @ W1, 0)
    e, on, size = softmax_error(h @ W2, c), h > 0, len(x)
    dW1, dW2 = ask(feedback_alignment, x, c, W1, W2, B, parts="dW1 dW2")
    compare("dW2", dW2, h.T @ e / size, {
        "is the sum over the minibatch: divide by its size": h.T @ e,
        "has the wrong sign: the error is p - c": -h.T @ e / size,
        "lacks the softmax: the error is p - c": h.T @ (h @ W2 - c) / size,
        "comes from x: the top layer reads h": (x @ W1).T @ e / size,
        "is transposed: shaped as W2": e.T @ h / size,
    })
    compare("dW1", dW1, x.T @ (e @ B * on) / size, {
        "is backpropagation's: the error goes down by B, not by W2'":
            x.T @ (e @ W2.T * on) / size,
        "lets everything through: where h is 0 the ReLU stops the error": x.T @ (e @ B) / size,
        "is the sum over the minibatch: divide by its size": x.T @ (e @ B * on),
        "is multiplied by h, not by whether h is above 0": x.T @ (e @ B * h) / size,
        "is divided by the size of the minibatch twice": x.T @ (e @ B * on) / size**2,
        "comes from the label alone: the error is p - c": x.T @ (-c @ B * on) / size,
    })
    well_done(feedback_alignment, "And the weights above have not been asked.")


def check_contrast(contrast: Callable) -> None:
    """Check ``contrast(d, y) -> number``."""
    rng = np.random.default_rng(94)
    y = np.array([0, 1, 1, 2, 0, 1, 2, 1])
    h = np.eye(3)[y] @ rng.standard_normal((3, 6)) + 0.5 * rng.standard_normal((8, 6))
    d = similarity.dissimilarity(h)
    same, others = y[:, None] == y, ~np.eye(8, dtype=bool)
    within, between = d[same & others].mean(), d[~same].mean()
    by_class = np.mean([d[np.ix_(y == k, y == k)][~np.eye(np.sum(y == k), dtype=bool)].mean()
                        for k in range(3)])
    found, = ask(contrast, d, y)
    compare("contrast", found, similarity.contrast(d, y), {
        "counts an image with itself as a pair: leave the diagonal out": between - d[same].mean(),
        "is turned round: between classes minus within": within - between,
        "is the mean between classes: take away that within": between,
        "is the mean within classes: it is taken from that between": within,
        "is a ratio: take the difference": between / within,
        "is the difference of two sums: of means": d[~same].sum() - d[same].sum(),
        "compares with all pairs: with those of one class": between - d[others].mean(),
        "weighs every class alike: take the mean over all pairs of one class": between - by_class,
    })
    well_done(contrast, "Near 0 a layer knows nothing of classes.")
