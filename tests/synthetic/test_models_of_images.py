"""SG models of images: a model of rows asked about pixels, or about means; and a convolution."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.optimizers import SGD
from sgdni.synthetic import (
    ChannelMeans,
    ConvSG,
    GradientFit,
    LeastSquaresFit,
    LinearHead,
    LinearSG,
    LocalErrorSG,
    PerPixel,
    ZeroSG,
)

F64 = np.float64
B, H, W, N, CLASSES = 5, 3, 4, 2, 3


@pytest.fixture
def images(rng):
    """Return h, c and a target."""
    c = np.eye(CLASSES)[rng.integers(0, CLASSES, B)]
    return rng.standard_normal((B, H, W, N)), c, rng.standard_normal((B, H, W, N))


def exact(n_context):
    return LinearSG(N, n_context, LeastSquaresFit(1.0, 1e-12, 1), F64)


def test_a_model_of_pixels_finds_one_map_for_all_of_them(images, rng):
    h, c, _ = images
    A, C = rng.standard_normal((N, N)), rng.standard_normal((CLASSES, N))
    target = h @ A + (c @ C)[:, None, None]
    model = PerPixel(exact(CLASSES), H * W)
    model.fit(h, c, target)
    np.testing.assert_allclose(model.predict(h, c), target, atol=1e-6)
    np.testing.assert_allclose(model.model.A, A, atol=1e-6)


def test_a_convolution_of_one_pixel_is_the_model_of_pixels(images):
    h, c, target = images
    rows = PerPixel(LinearSG(N, CLASSES, GradientFit(SGD(0.1)), F64), H * W)
    maps = ConvSG(N, CLASSES, size=1, optimizer=SGD(0.1), dtype=F64)
    for _ in range(3):
        for model in rows, maps:
            model.fit(h, c, target)
        np.testing.assert_allclose(maps.predict(h, c), rows.predict(h, c), rtol=1e-12)
    assert np.abs(maps.predict(h, c)).max() > 1e-3


def test_a_convolution_sees_its_neighbours_and_the_edge(images):
    h, c, target = images
    model = ConvSG(N, CLASSES, dtype=F64)
    model.fit(h, c, target)
    other = h.copy()
    other[:, 0, 0] += 1
    changed = np.abs(model.predict(other, c).copy() - model.predict(h, c)).max(axis=(0, 3)) > 0
    assert changed[:2, :2].all() and changed.sum() == 4


def test_means_get_the_sum_of_the_target_and_share_what_they_say(images):
    """The chain rule: a loss of the means has, at each pixel, the same gradient."""
    h, c, _ = images
    d_means = h.mean(axis=(1, 2)) @ np.array([[1.0, -2.0], [0.5, 3.0]])
    target = np.broadcast_to(d_means[:, None, None] / (H * W), h.shape)
    model = ChannelMeans(exact(0), H * W)
    model.fit(h, None, target)
    np.testing.assert_allclose(model.predict(h, None), target, atol=1e-6)


@pytest.mark.parametrize("wrap", [PerPixel, ChannelMeans])
def test_a_local_loss_of_an_image_is_the_heads_own_gradient(images, wrap, rng):
    h, c, _ = images
    head = LinearHead(N, CLASSES, rng, dtype=F64)
    head.params["0.W"][...] = rng.standard_normal((N, CLASSES))
    model = wrap(LocalErrorSG(head, np.inf), H * W)
    assert not model.wants_targets and model.n_context == CLASSES

    def loss(h):
        rows = h.reshape(-1, N) if wrap is PerPixel else h.mean(axis=(1, 2))
        labels = np.repeat(c, len(rows) // B, axis=0)
        z = rows @ head.params["0.W"]
        return (np.log(np.exp(z).sum(axis=1)) - (z * labels).sum(axis=1)).sum()

    direction = rng.standard_normal(h.shape)
    slope = (loss(h + 1e-6 * direction) - loss(h - 1e-6 * direction)) / 2e-6
    assert (model.predict(h, c) * direction).sum() == pytest.approx(slope, rel=1e-6)
    before = head.params["0.W"].copy()
    model.learn_locally(h, c)
    assert not np.array_equal(head.params["0.W"], before)
    assert model.state()["head.params.0.W"] is head.params["0.W"]


def test_nothing_is_predicted_by_the_control(images):
    h, c, _ = images
    assert not ZeroSG().predict(h, c).any() and not ZeroSG.wants_targets


@pytest.mark.parametrize("act, message", [
    (lambda h, c: ConvSG(N, 0, size=2), "size: expected an odd number, got 2"),
    (lambda h, c: ConvSG(N, CLASSES, dtype=F64).predict(h, None),
     r"context: expected \(B, 3\), got None"),
    (lambda h, c: ConvSG(N, 0, dtype=F64).predict(h, c), r"context: expected None, got \(5, 3\)"),
    (lambda h, c: ConvSG(3, 0, dtype=F64).predict(h, None), r"expected images \(B, H, W, 3\)"),
    (lambda h, c: PerPixel(exact(0), 12).predict(h[:, 0], None), r"expected images \(B, H, W, C\)"),
    (lambda h, c: ChannelMeans(exact(0), 12).fit(h, None, h[1:]), "target: expected shape"),
])
def test_what_makes_no_sense_is_refused(images, act, message):
    with pytest.raises(ValueError, match=message):
        act(*images[:2])
