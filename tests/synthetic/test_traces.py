"""BP(lambda) against its forward view: one step, the true return, and what lies between."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.optimizers import SGD
from sgdni.synthetic import GradientFit, LeastSquaresFit, LinearSG, TraceFit

N, B, T, GAMMA = 3, 4, 6, 0.9
F64 = np.float64


class Sum(SGD):
    """Keeps W, and adds up how it would have changed."""

    total = 0

    def step(self, grads, scale=1.0):
        self.total = self.total - grads["W"]


def tanh_episode(rng):
    """States of a small tanh network, their Jacobians, and losses' gradients of all steps."""
    A, h = 1.5 * rng.standard_normal((N, N)), [rng.standard_normal((B, N))]
    for _ in range(T):
        h.append(np.tanh(h[-1] @ A + rng.standard_normal((B, N))))
    jacobians = [(1 - x[:, :, None] ** 2) * A.T for x in h[1:]]
    return h, jacobians, [rng.standard_normal((B, N)) for _ in jacobians]


def model(rng, fit=None):
    made = LinearSG(N, 0, fit or LeastSquaresFit(), F64)
    made.W[...] = rng.standard_normal(made.W.shape)
    return made


def test_the_jacobian_is_the_derivative_in_its_convention(rng):
    A, h = rng.standard_normal((N, N)), rng.standard_normal(N)
    after = np.tanh(h @ A)
    jacobian = (1 - after[:, None] ** 2) * A.T
    for i in range(N):
        shift = 1e-6 * np.eye(N)[i]
        slope = (np.tanh((h + shift) @ A) - np.tanh((h - shift) @ A)) / 2e-6
        np.testing.assert_allclose(jacobian[:, i], slope, atol=1e-8)


def test_lambda_0_is_one_step_synthetic_gradients(rng):
    """While the weights change, from step to step, as GradientFit changes them."""
    h, jacobians, gradients = tanh_episode(rng)
    ours, theirs = model(rng), model(rng, GradientFit(SGD(0.1)))
    theirs.W[...] = ours.W
    fit = TraceFit(ours, SGD(0.1), 0.0, GAMMA)
    fit.start(h[0])
    for t in range(T):
        later = gradients[t] + GAMMA * theirs.predict(h[t + 1], None)
        theirs.fit(h[t], None, np.einsum("bj,bji->bi", later, jacobians[t]))
        fit.step(jacobians[t], gradients[t], h[t + 1])
        np.testing.assert_allclose(ours.W, theirs.W, rtol=1e-13, atol=1e-13)


def forward_view(h, jacobians, gradients, W, lam):
    """Sum over t of f_t' (G_t - M_t), from the end of the episode back."""
    features = [np.hstack([x, np.ones((B, 1))]) for x in h]
    total, G = 0, None
    for t in reversed(range(T)):
        later = 0 if G is None else GAMMA * ((1 - lam) * features[t + 1] @ W + lam * G)
        G = np.einsum("bj,bji->bi", gradients[t] + later, jacobians[t])
        total = total + features[t].T @ (G - features[t] @ W)
    return total


@pytest.mark.parametrize("lam", [0.0, 0.6, 1.0])
def test_an_episode_adds_up_to_the_forward_view(rng, lam):
    """At lambda = 1 that is the step towards the true discounted gradient."""
    h, jacobians, gradients = tanh_episode(rng)
    ours, optimizer = model(rng), Sum(1.0)
    fit = TraceFit(ours, optimizer, lam, GAMMA)
    fit.start(h[0])
    for t in range(T):
        fit.step(jacobians[t], gradients[t], h[t + 1], ends=np.full(B, t == T - 1))
    np.testing.assert_allclose(optimizer.total, forward_view(h, jacobians, gradients, ours.W, lam),
                               rtol=1e-10, atol=1e-10)


def test_the_true_return_is_the_gradient_of_the_discounted_losses(rng):
    """By differences, for losses linear in the states: G_0 at lambda = 1, without any model."""
    A, v, start = rng.standard_normal((N, N)), rng.standard_normal((T, N)), rng.standard_normal(N)

    def states(h):
        every = []
        for _ in range(T):
            h = np.tanh(h @ A)
            every.append(h)
        return every

    def losses(h):
        return sum(GAMMA**t * v[t] @ x for t, x in enumerate(states(h)))

    slopes = [(losses(start + s) - losses(start - s)) / 2e-6 for s in 1e-6 * np.eye(N)]
    ours, optimizer = LinearSG(N, 0, LeastSquaresFit(), F64), Sum(1.0)
    fit = TraceFit(ours, optimizer, 1.0, GAMMA)
    fit.start(start[None])
    fit._trace[:, :-1] = 0  # of the first state's features keep the constant ...
    fit._features[:, :-1] = 0
    every = [start, *states(start)]
    for t in range(T):
        jacobian = (1 - every[t + 1][:, None] ** 2) * A.T
        fit.step(jacobian[None], v[t][None], every[t + 1][None], ends=np.array([t == T - 1]))
        fit._trace[:] -= fit._now()  # ... and nothing of later states
    np.testing.assert_allclose(optimizer.total[-1], slopes, rtol=1e-7)


def test_nothing_passes_the_end_of_an_episode(rng):
    """Two episodes in a row teach what they would teach apart."""
    parts, totals = [tanh_episode(rng) for _ in range(2)], []
    weights = model(rng)
    for group in ([parts[0]], [parts[1]], parts):
        ours, optimizer = model(rng), Sum(1.0)
        ours.W[...] = weights.W
        fit = TraceFit(ours, optimizer, 0.8, GAMMA)
        fit.start(group[0][0][0])
        starts = [*(p[0][0] for p in group[1:]), np.zeros((B, N))]
        for (h, jacobians, gradients), following in zip(group, starts, strict=True):
            for t in range(T):
                last = t == T - 1
                fit.step(jacobians[t], gradients[t], following if last else h[t + 1],
                         ends=np.full(B, last))
        totals.append(optimizer.total)
    np.testing.assert_allclose(totals[0] + totals[1], totals[2], rtol=1e-12)
