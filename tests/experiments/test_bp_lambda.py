"""BP(lambda): that the truth is the truth, and whose worlds choose the rates."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.experiments import bp_lambda
from sgdni.experiments.bp_lambda import N, World, find, run, say, train
from sgdni.optimizers import SGD
from sgdni.synthetic import GradientFit, LinearSG

SMALL = {"rho": (0.9,), "lam": (0.0, 0.8), "steps": 40, "streams": 4}


def test_the_exact_gradient_is_that_of_the_losses_to_come(rng):
    """Without noise, by differences; it is affine, so the noise changes no mean."""
    world = World(0.8, 0)
    world.noise = 0.0

    def losses(h):
        total = 0.0
        for _ in range(200):
            h = world.step(h, rng)
            total += np.sum((h @ world.C - world.d) ** 2) / 2
        return total

    h = rng.standard_normal(N)
    slopes = [(losses(h + s) - losses(h - s)) / 2e-4 for s in 1e-4 * np.eye(N)]
    np.testing.assert_allclose(h @ world.P + world.q, slopes, rtol=1e-6)


def test_fewer_steps_than_between_looks_and_a_memory_without_end_are_refused():
    with pytest.raises(ValueError, match="steps: expected .* 10"):
        run(SMALL | {"steps": 9}, 0, lambda share: None)
    with pytest.raises(ValueError, match="rho: expected"):
        run(SMALL | {"rho": (1.0,)}, 0, lambda share: None)
    assert run(SMALL | {"steps": 10}, 0, lambda share: None)


def test_the_exact_model_has_no_error_and_a_zero_one_has_1(rng):
    world, model = World(0.9, 1), LinearSG(N, 0, GradientFit(SGD(1.0)), np.float64)
    h = world.start(50, rng)
    assert world.error(model, h) == pytest.approx(1)
    model.A[...], model.b[...] = world.P, world.q
    assert world.error(model, h) < 1e-20


@pytest.mark.parametrize("lam, value", [(0.8, 0.03), (None, 0.9)])
def test_models_learn_and_too_high_a_rate_is_no_good(lam, value):
    world = World(0.9, 0)
    assert train(world, lam, value, SMALL | {"steps": 200}, 0) < 0.2
    if lam is not None:
        assert train(world, lam, 10.0, SMALL, 0) == np.inf


def test_rates_are_chosen_in_other_worlds(monkeypatch):
    """The world of the seed would choose another one."""
    def pretended(world, lam, value, settings, seed):
        return value if seed >= 100 else 1 / value

    monkeypatch.setattr(bp_lambda, "train", pretended)
    rows = run(SMALL, 0, lambda share: None)
    assert [row["value"] for row in rows] == [0.001, 0.001, 0.8]
    assert [row["error"] for row in rows] == [1000, 1000, 1.25]
    findings = find([{"seed": 0, **row} for row in rows])
    assert findings == {"rho_90_lambda_0": [1000], "rho_90_lambda_80": [1000], "rho_90_ls": [1.25]}
    assert "rho .90: 1000.000 at the least lambda" in say(findings)
