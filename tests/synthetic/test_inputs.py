"""The model of a module's inputs, and the view of the images that it is given."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.data.components import Components
from sgdni.networks import Interface
from sgdni.synthetic import ReluInput, ZeroSG

F64 = np.float64
VIEW, CLASSES, N, B = 4, 3, 6, 50


def model(rng, **options):
    return ReluInput(VIEW, CLASSES, N, rng, dtype=F64, **options)


def batch(rng, size=B):
    return rng.standard_normal((size, VIEW)), np.eye(CLASSES)[rng.integers(0, CLASSES, size)]


def test_it_finds_a_rectified_map(rng):
    ours, W = model(rng), rng.standard_normal((VIEW + CLASSES + 1, N))
    errors = []
    for _ in range(600):
        z, c = batch(rng)
        h = np.maximum(np.hstack([z, 5 * c, np.ones((B, 1))]) @ W, 0)
        errors.append(np.mean((ours.mean(z, c) - h) ** 2) / np.mean(h**2))
        ours.fit(z, c, h)
    assert errors[0] == 1 and errors[-1] < 0.01


def test_a_step_is_the_delta_rule(rng):
    ours = model(rng, rate=0.3, emphasis=2.0)
    ours.W[...] = rng.standard_normal(ours.W.shape)
    (z, c), h, before = batch(rng), rng.standard_normal((B, N)), ours.W.copy()
    features = np.hstack([z, 2 * c, np.ones((B, 1))])
    ours.fit(z, c, h)
    moved = 0.3 / B * features.T @ (h - np.maximum(features @ before, 0))
    np.testing.assert_allclose(ours.W, before + moved, rtol=1e-12)


def test_inputs_vary_as_real_ones_do(rng):
    """Residuals of the latest message are dealt out, and nothing is below zero."""
    ours = model(rng)
    (z, c), h = batch(rng), np.abs(rng.standard_normal((B, N))) + 1
    np.testing.assert_array_equal(ours.predict(z, c), ours.mean(z, c))  # none so far
    ours.fit(z, c, h)
    ours.W[...] = 0  # so that what is left are the residuals: h itself
    made = ours.predict(z, c)
    rows = {tuple(row) for row in h}
    assert {tuple(row) for row in made} <= rows and len({tuple(row) for row in made}) > B // 4
    ours.W[-1] = -100
    ours.fit(z, c, h)
    ours._residuals -= 200
    assert (ours.predict(z, c) == 0).all()


def test_an_interface_keeps_it(rng):
    ours = model(rng)
    assert Interface(ZeroSG(), inputs=ours).state()["inputs.W"] is ours.W
    assert Interface(ZeroSG()).inputs is None


@pytest.mark.parametrize("act, message", [
    (lambda ours, z, c: ours.predict(z[:, 1:], c), "view: expected shape"),
    (lambda ours, z, c: ours.predict(z, c[1:]), "context: expected shape"),
    (lambda ours, z, c: ours.fit(z, c, np.zeros((B, 2))), "target: expected shape"),
    (lambda ours, z, c: model(None, rate=0), "rate: expected a number"),
])
def test_what_makes_no_sense_is_refused(act, message, rng):
    with pytest.raises(ValueError, match=message):
        act(model(rng), *batch(rng))


def test_components_are_white_and_in_order(rng):
    x = rng.standard_normal((400, 6)) @ np.diag([5.0, 1, 3, 0.5, 2, 4]) + 7
    view = Components(x, 3)
    z = view(x)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(z, rowvar=False), np.eye(3), atol=1e-12)
    shares = np.abs(view.V) / np.abs(view.V).max(axis=0)
    assert shares.argmax(axis=0).tolist() == [0, 5, 2]


@pytest.mark.parametrize("n, message", [(0, "components: expected"), (7, "components: expected"),
                                        (6, "as many as vary, got 6")])
def test_components_that_are_not_there_are_refused(n, message, rng):
    x = rng.standard_normal((50, 6))
    x[:, 2] = 1
    with pytest.raises(ValueError, match=message):
        Components(x, n)
