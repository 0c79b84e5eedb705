"""The experiment about implied losses: what it finds, says and draws."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers import blobs

from sgdni.experiments import implicit_loss
from sgdni.experiments.implicit_loss import (
    EXPERIMENT,
    METHODS,
    MODELS,
    draw,
    find,
    on_a_logit,
    run,
    say,
)
from sgdni.experiments.record import as_written


def by_class(name, steps):
    rows = on_a_logit(name, (steps,), 0.1, np.random.default_rng(0))
    return [next(row for row in rows if row["label"] == label) for label in (0, 1)]


def test_a_linear_model_pushes_right_answers_back_and_local_error_does_not():
    for row in by_class("linear", 200):
        assert 1 < abs(row["least_at"]) < 8 and row["far"] > 0.1
        assert np.sign(row["least_at"]) == (1 if row["label"] else -1)
    for row in by_class("local error", 200):
        assert row["least_at"] == np.inf and abs(row["far"]) < 1e-3


def test_the_true_loss_is_that_of_the_logit():
    for row in by_class("linear", 2):
        sign = 1 if row["label"] else -1
        np.testing.assert_allclose(row["true"], np.log1p(np.exp(-sign * implicit_loss.LOGITS)))


@pytest.fixture(scope="module")
def rows():
    data = blobs(np.random.default_rng(0), n_train=640)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(implicit_loss, "load", lambda name: data)
        settings = EXPERIMENT.full | {"early": 2, "late": 6, "width": 8, "steps": 30, "aside": 200,
                                      "images": 3}
        shares = []
        found = run(settings, 0, shares.append)
        assert shares == sorted(shares)
    return as_written([{"seed": 0, **row} for row in found])


def test_the_local_loss_is_a_loss_and_a_random_matrix_is_none(rows):
    found = find(rows)
    assert found["antisymmetric_local_loss"][0] < 1e-5
    assert 0.5 < found["antisymmetric_random"][0] < 0.9
    assert 0.01 < found["antisymmetric_linear"][0] < 1
    assert {row["model"] for row in rows if row["what"] == "interface"} == {*METHODS.values(),
                                                                           "random"}


def test_findings_are_of_the_class_1_early_and_late(rows):
    found = find(rows)
    assert len(found) == 4 + 2 * 2 * len(MODELS)
    late, = (row for row in rows if row["what"] == "logit" and row["label"] == 1
             and row["steps"] == 6 and row["model"] == "linear")
    assert found["far_linear_late"] == [late["far"]]


def test_the_picture_holds_three_losses_and_the_shares(rows):
    figure = draw({"rows": rows, "settings": EXPERIMENT.full, "finding": say(find(rows))})
    figure.savefig(io.BytesIO())
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2, 4]
