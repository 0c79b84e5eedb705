"""Similarity, probes and hidden layers: what they do not see, and what they have to."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import tiny_network

from sgdni.analysis.hidden import hidden_layers
from sgdni.analysis.probes import Probe
from sgdni.analysis.similarity import contrast, dissimilarity, linear_cka, rsa
from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks import Network, build_cnn
from sgdni.optimizers import SGD


def turn(n, rng):
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


# --- hidden layers


@pytest.mark.parametrize("cuts", [None, (2,)])
def test_hidden_layers_are_the_same_wherever_the_network_is_cut(cuts, rng):
    x = rng.standard_normal((9, 5)).astype(np.float32)
    network = tiny_network(cuts=cuts)
    before = {name: array.copy() for name, array in network.state().items()}
    found = hidden_layers(network, x)
    assert [h.shape for h in found] == [(9, 8), (9, 7), (9, 6)]
    for ours, others in zip(found, hidden_layers(tiny_network(), x), strict=True):
        np.testing.assert_array_equal(ours, others)
    for name, array in network.state().items():
        np.testing.assert_array_equal(array, before[name])
    h = x
    for i, module in enumerate(tiny_network().modules[:-1]):
        h = module.forward(h, training=False)
        np.testing.assert_array_equal(found[i], h)


def test_hidden_layers_of_images_come_flat_and_without_the_input(rng):
    modules = build_cnn((8, 8, 1), (2, 3), 3, rng, lambda: SGD(0.1))
    x = rng.integers(0, 256, (4, 64)).astype(np.uint8)
    assert [h.shape for h in hidden_layers(Network(modules, SoftmaxCrossEntropy()), x)] == [
        (4, 4 * 4 * 2), (4, 2 * 2 * 3), (4, 128)]


# --- similarity


def test_dissimilarity_is_one_less_the_correlation(rng):
    h = rng.standard_normal((6, 10))
    np.testing.assert_allclose(dissimilarity(h), 1 - np.corrcoef(h), atol=1e-12)
    h[2] = 3.0
    assert np.all(dissimilarity(h)[2] == 1)


def test_rsa_counts_each_pair_once_and_no_example_with_itself(rng):
    a, b = (dissimilarity(rng.standard_normal((8, 5))) for _ in range(2))
    pairs = [(i, j) for i in range(8) for j in range(i)]
    expected = np.corrcoef([a[p] for p in pairs], [b[p] for p in pairs])[0, 1]
    assert rsa(a, b) == pytest.approx(expected)
    np.fill_diagonal(a, 99.0)
    assert rsa(a, b) == pytest.approx(expected)


def test_cka_is_blind_to_turns_scale_and_shifts_and_to_nothing_else(rng):
    a = rng.standard_normal((200, 6))
    assert linear_cka(a, 3 * a @ turn(6, rng) + 5) == pytest.approx(1)
    assert linear_cka(a, a @ turn(6, rng)[:, :3]) < 0.95
    assert linear_cka(a, a * [10, 1, 1, 1, 1, 1]) < 0.9
    assert linear_cka(a, rng.standard_normal((200, 4))) < 0.1
    with pytest.raises(ValueError, match="200 and 3"):
        linear_cka(a, a[:3])


def test_cka_is_that_of_the_kernels(rng):
    """Kornblith et al. 2019: the inner product of the centred Gram matrices."""
    a, b = rng.standard_normal((20, 4)), rng.standard_normal((20, 7))
    b[:, :4] += a
    K, L = ((h - h.mean(0)) @ (h - h.mean(0)).T for h in (a, b))
    expected = np.vdot(K, L) / np.linalg.norm(K) / np.linalg.norm(L)
    assert linear_cka(a, b) == pytest.approx(expected)


def test_contrast_is_between_classes_less_within():
    y = np.array([0, 0, 1, 1])
    d = np.array([[0, .1, .8, .9], [.1, 0, .7, .6], [.8, .7, 0, .3], [.9, .6, .3, 0]])
    assert contrast(d, y) == pytest.approx(0.75 - 0.2)


# --- probes


def test_a_probe_reads_what_is_linear_and_not_what_is_not(rng):
    h = rng.standard_normal((600, 5))
    linear, product = (h @ [1, -2, 0, 0, 1] > 0.3).astype(int), (h[:, 0] * h[:, 1] > 0).astype(int)
    for y, low, high in ((linear, 0.93, 1.0), (product, 0.35, 0.65)):
        probe = Probe(h[:400], y[:400], 2)
        assert low <= probe.accuracy(h[400:], y[400:]) <= high


def test_a_probe_is_least_squares_and_its_ridge_is_relative(rng):
    h, y = 7 + rng.standard_normal((50, 4)), rng.integers(0, 3, 50)
    W = np.linalg.lstsq(np.column_stack([h, np.ones(50)]), np.eye(3)[y], rcond=None)[0]
    np.testing.assert_allclose(Probe(h, y, 3, ridge=0).W, W[:-1], atol=1e-9)
    np.testing.assert_allclose(Probe(1000 * h, y, 3, ridge=0.5).W,
                               Probe(h, y, 3, ridge=0.5).W / 1000, rtol=1e-9)
    dead = np.column_stack([h, np.full(50, 2.0)])
    np.testing.assert_allclose(Probe(dead, y, 3, ridge=0).predict(dead),
                               Probe(h, y, 3, ridge=0).predict(h))
