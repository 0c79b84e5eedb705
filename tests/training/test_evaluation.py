"""Loss and accuracy over all test images, which are not all put through the network at once."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import blobs

from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.training.evaluation import evaluate


def test_pieces_say_what_the_whole_says_and_bound_what_layers_keep(monkeypatch):
    data = blobs(np.random.default_rng(0), n_train=640)
    network = build_trainer("backprop", Settings(hidden=(8,)), data).schedule.network
    x, y = (np.concatenate([a] * 16)[:601] for a in (data.x_test, data.y_test))
    sizes, forward = [], network.forward

    def counted(h):
        sizes.append(len(h))
        return forward(h)

    monkeypatch.setattr(network, "forward", counted)
    loss, right = evaluate(network, x, y)
    assert max(sizes) == 250 and sum(sizes) == 601
    assert evaluate(network, x, y, batch_size=601) == (pytest.approx(loss, rel=1e-6), right)
