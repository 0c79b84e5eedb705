"""The experiment with sparse updates: who learns from how many, what is found, and the picture."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import blobs

from sgdni.experiments import sparse
from sgdni.experiments.sparse import BACKPROP, CONTENDERS, EXPERIMENT, draw, find, run, say, score
from sgdni.runs.settings import Settings


@pytest.fixture(scope="module")
def data():
    return blobs(np.random.default_rng(0), n_train=640)


@pytest.fixture(scope="module")
def rows(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse, "load", lambda name: data)
        settings = EXPERIMENT.full | {"width": 8, "layers": 2, "steps": 10, "aside": 200,
                                      "rates": (0.1, 0.01)}
        shares = []
        found = run(settings, 0, shares.append)
        assert shares == sorted(shares) and len(shares) == 2 * len(CONTENDERS)
    return [{"seed": 0, **row} for row in found]


def test_everybody_is_there_at_a_rate_that_was_chosen(rows):
    assert [(row["share"], row["contender"]) for row in rows] == [
        (share, name) for share in (0.2, 0.05) for name in CONTENDERS]
    assert {row["rate"] for row in rows} <= {0.1, 0.01}


def test_backprop_skips_minibatches_and_the_others_see_all(data, monkeypatch):
    seen = []
    monkeypatch.setattr(sparse, "accuracy", lambda m, s, d, steps: seen.append(steps))
    monkeypatch.setattr(sparse, "accuracy_after", lambda trainer, steps: seen.append(
        (steps, trainer.schedule.update_probability)))
    settings = Settings(hidden=(8, 8))
    score(BACKPROP, settings, data, 0.2, 40)
    score("local error", settings, data, 0.2, 40)
    assert seen == [8, (40, 0.2)]


def test_findings_are_medians_named_by_the_share():
    made_up = [{"seed": seed, "share": share, "contender": name, "rate": 0.1,
                "accuracy": 0.1 * k + share + 0.01 * seed}
               for share in (0.2, 0.05) for k, name in enumerate(CONTENDERS)
               for seed in (0, 2, 1)]
    found = find(made_up)
    assert found["backprop_20"] == pytest.approx(0.21)
    assert found["local_error_5"] == pytest.approx(0.56)
    assert len(found) == 2 * len(CONTENDERS)
    assert "from 5% of minibatches: local error 56.0%" in say(found)


def test_the_picture_has_dots_for_everyone(rows):
    found = find(rows)
    figure = draw({"rows": rows, "findings": found, "finding": say(found),
                   "settings": EXPERIMENT.full})
    for axes, title in zip(figure.axes, ("p = 0.2", "p = 0.05"), strict=True):
        assert axes.get_title() == title
        assert len(axes.lines) == 2 * len(CONTENDERS)
