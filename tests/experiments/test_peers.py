"""The yardsticks train what we train. Skipped where they are not installed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.data import lookup
from sgdni.data.sums import SumsDataset
from sgdni.experiments.accuracy import peers
from sgdni.runs.methods import build_trainer

DATA = blobs(np.random.default_rng(0), n_train=480)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_pytorch_run_is_our_backprop_run(optimizer, batch_norm):
    """Same weights, same minibatches, same rule: the same losses, to float64's precision."""
    pytest.importorskip("torch")
    settings = replace(TINY, optimizer=optimizer, batch_norm=batch_norm, dtype="float64")
    ours, theirs = build_trainer("backprop", settings, DATA), peers.TorchPeer(settings, DATA)
    for _ in range(3):
        a, b = ours.epoch(), theirs.epoch()
        assert a.train_loss == pytest.approx(b.train_loss, rel=1e-9)
        assert a.test_loss == pytest.approx(b.test_loss, rel=1e-9)
        assert (a.train_accuracy, a.test_accuracy) == (b.train_accuracy, b.test_accuracy)


def test_sklearn_learns_the_same_problem():
    pytest.importorskip("sklearn")
    peer = peers.SklearnPeer(replace(TINY, batch_norm=False), DATA)
    for _ in range(10):
        peer.epoch()
    assert peer.history[-1].epoch == 10
    assert peer.history[-1].test_accuracy > 0.85


@pytest.fixture(scope="module")
def pairs():
    """Training pairs that are made on the fly: `x_train` is but a sample of them."""
    return SumsDataset.draw("sums", lookup("mnist-5k").load(), 300, 50, 28, None,
                            np.random.default_rng(0))


def test_pytorch_trains_on_the_pairs_that_we_do(pairs):
    pytest.importorskip("torch")
    settings = replace(TINY, hidden=(8,), dtype="float64")
    ours, theirs = build_trainer("backprop", settings, pairs), peers.TorchPeer(settings, pairs)
    for _ in range(2):
        assert ours.epoch().train_loss == pytest.approx(theirs.epoch().train_loss, rel=1e-9)


def test_sklearn_takes_our_minibatches_in_our_order(pairs, monkeypatch):
    network = pytest.importorskip("sklearn.neural_network")
    seen, backprop = [], network.MLPClassifier._backprop

    def watched(self, x, y, *rest):
        seen.append(x.copy())
        return backprop(self, x, y, *rest)

    monkeypatch.setattr(network.MLPClassifier, "_backprop", watched)
    settings = replace(TINY, hidden=(8,), batch_norm=False)
    peer = peers.SklearnPeer(settings, pairs)
    steps = [peer.epoch().steps for _ in range(2)]
    batches = build_trainer("backprop", settings, pairs)._batches
    expected = [x.copy() for _ in range(2) for x, _ in batches]
    assert steps == [len(expected) / 2] * 2
    np.testing.assert_array_equal(seen, expected)


def test_available_tells_found_from_missing(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: name == "torch" or None)
    found, missing = peers.available()
    assert ([c.name for c in found], missing) == (["pytorch"], ["scikit-learn"])
