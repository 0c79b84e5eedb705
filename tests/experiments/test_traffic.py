"""Bytes for each minibatch: what is counted by hand is what passes the links."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.experiments.speed.traffic import bytes_per_step
from sgdni.parallel.workers.channel import Channel, arrays_in
from sgdni.runs.methods import build_network, build_trainer


@pytest.mark.parametrize("method, changes", [
    ("backprop", {}), ("delayed", {}), ("dni", {}), ("cdni-ls", {"fit_every": 2}),
    ("local-error", {"fit_every": 4}), ("local-loss", {}), ("cdni", {"dtype": "float64"}),
    ("top-only", {}),
])
def test_what_passes_the_links_is_what_was_counted(method, changes, monkeypatch, rng):
    data, sent = blobs(rng, n_train=64), []

    def put(self, message, inner=Channel.put):
        # Update masks and step numbers, a few bytes, are not counted.
        sent.append(sum(a.nbytes for a in arrays_in(message) if a.dtype != bool))
        inner(self, message)

    monkeypatch.setattr(Channel, "put", put)
    settings = replace(TINY, cuts=(1, 3), engine="threads", **changes)
    trainer = build_trainer(method, settings, data)
    trainer.epoch()
    assert sum(sent) == trainer.steps_per_epoch * bytes_per_step(method, settings, data)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_data_parallel_workers_send_all_weights(batch_norm, rng):
    data = blobs(rng, n_train=64)
    settings = replace(TINY, cuts=(1, 3), engine="processes", batch_norm=batch_norm)
    network = build_network("backprop", settings, data.n_features, data.n_classes, rng)
    weights = sum(p.nbytes for module in network.modules for p in module.params.values())
    # A ring of 3: each sends 2 thirds of them to its neighbour, twice.
    assert bytes_per_step("data-parallel", settings, data) == 3 * 2 * 2 / 3 * weights


def test_alone_nobody_sends_anything(rng):
    assert bytes_per_step("cdni-ls", TINY, blobs(rng, n_train=64)) == 0
    assert np.isfinite(bytes_per_step("backprop", replace(TINY, engine="threads"),
                                      blobs(rng, n_train=64)))
