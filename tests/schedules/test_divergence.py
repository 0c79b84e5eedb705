"""Explosions stop training with the place, advice and the history so far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.runs.methods import build_trainer
from sgdni.schedules import DivergenceError, DivergenceGuard


def test_exploding_rate_is_reported_with_place_advice_and_history():
    data = blobs(np.random.default_rng(0))
    trainer = build_trainer("backprop", replace(TINY, batch_norm=False), data)
    trainer.epoch()
    for module in trainer.schedule.network.modules:
        module.optimizer.lr = 1e9
    with pytest.raises(DivergenceError) as caught:
        trainer.epoch()
    error = caught.value
    assert (error.epoch, len(error.history)) == (2, 1)
    assert error.history[0].epoch == 1
    assert error.step >= 2
    assert error.module in (1, 2, 3, 4) or error.quantity == "loss"
    assert f"epoch 2, step {error.step}" in str(error)
    assert "smaller learning rate" in str(error)
    assert trainer.history == error.history


def test_the_last_update_of_an_epoch_may_be_the_one_that_breaks_it():
    data = blobs(np.random.default_rng(0))
    settings = replace(TINY, batch_norm=False, lr=1e30, batch_size=96)
    trainer = build_trainer("backprop", settings, data)
    with pytest.raises(DivergenceError, match="epoch 1, step 1: .*loss"):
        trainer.epoch()
    assert trainer.history == []


@pytest.mark.parametrize("place", [0, 2])
def test_nan_in_a_module_is_found_there(place):
    data = blobs(np.random.default_rng(0))
    trainer = build_trainer("cdni", TINY, data)
    trainer.schedule.network.modules[place].params["0.W"][0, 0] = np.nan
    with pytest.raises(DivergenceError, match=f"activations of module {place + 1} "):
        trainer.epoch()


def test_exploding_synthetic_gradient_names_its_module():
    data = blobs(np.random.default_rng(0))
    trainer = build_trainer("cdni", TINY, data)
    trainer.schedule.network.interfaces[1].model.W[...] = 1e9
    with pytest.raises(DivergenceError, match="epoch 1, step 1: .*gradients of module 2 "):
        trainer.epoch()


def test_infinite_loss_is_caught():
    with pytest.raises(DivergenceError, match="loss reached nan"):
        DivergenceGuard().check_loss(float("nan"))
    DivergenceGuard().check_loss(2.3)
