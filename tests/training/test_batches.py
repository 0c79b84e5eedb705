"""Minibatches that cannot be are refused, and a trainer's generator is the one that shuffles."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.data import Examples
from sgdni.runs.methods import build_trainer
from sgdni.training.batches import Minibatches

X, Y = np.zeros((10, 3)), np.arange(10)


@pytest.mark.parametrize("batch_size, steps, complaint", [
    (11, None, "batch_size: expected a number"), (0, None, "batch_size"), (5, 0, "steps"),
])
def test_impossible_sizes_are_refused(batch_size, steps, complaint):
    with pytest.raises(ValueError, match=complaint):
        Minibatches(Examples(X, Y), batch_size, np.random.default_rng(0), steps=steps)


def test_labels_and_rows_must_be_as_many():
    with pytest.raises(ValueError, match=r"y: expected shape \(10,\), got \(9,\)"):
        Examples(X, Y[:9])


def test_a_pass_has_every_row_once_and_several_shuffles_if_need_be():
    rng = np.random.default_rng(0)
    seen = np.concatenate([y for _, y in Minibatches(Examples(X, Y), 5, rng)])
    assert sorted(seen) == list(range(10)) and list(seen) != list(range(10))
    assert len(list(Minibatches(Examples(X, Y), 5, rng, steps=7))) == 7


def test_what_a_trainer_says_of_its_minibatches_cannot_be_set_beside_them():
    trainer = build_trainer("backprop", TINY, blobs(np.random.default_rng(0)))
    for name in ("rng", "batch_size"):
        with pytest.raises(AttributeError):
            setattr(trainer, name, getattr(trainer, name))
