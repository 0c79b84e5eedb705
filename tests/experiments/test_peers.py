"""The yardsticks train what we train. Skipped where they are not installed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

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


def test_available_tells_found_from_missing(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: name == "torch" or None)
    found, missing = peers.available()
    assert ([c.name for c in found], missing) == (["pytorch"], ["scikit-learn"])
