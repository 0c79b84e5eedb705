"""Two clocks: what is drawn, what chooses the rates, and that all start alike."""

from __future__ import annotations

import numpy as np

from sgdni.data import load
from sgdni.data.tallies import Tallies
from sgdni.experiments import two_clocks
from sgdni.experiments.two_clocks import COLOURS, EXPERIMENT, RATES, build, find, read, run, say

SMALL = {**EXPERIMENT.full, **EXPERIMENT.quick, "reader": 8, "reader_epochs": 1, "steps": 4,
         "look_every": 2, "streams": 8}


def test_episodes_are_counted_and_threes_as_frequent_as_told(rng):
    x = np.arange(1000.0)[:, None]
    labels = np.arange(1000) % 10
    digits, tally = Tallies(x, labels, 5, 0.3).draw(2000, rng)
    assert digits.shape == (5, 2000, 1) and digits.dtype == np.float32
    np.testing.assert_array_equal(digits[..., 0] % 10, tally.labels)
    np.testing.assert_array_equal(tally.threes, np.sum(tally.labels == 3, axis=0))
    np.testing.assert_array_equal(tally.odd, np.sum(tally.labels % 2, axis=0))
    assert abs(np.mean(tally.labels == 3) - 0.3) < 0.02
    assert set(np.unique(tally.labels)) == set(range(10))


def test_contenders_of_a_seed_start_alike_and_others_do_not():
    def weights(contender, seed):
        schedule = build(contender, 5, 0.01, seed)
        return np.concatenate([p.ravel() for m in (*schedule.network.modules,
                                                   *schedule.b.network.modules)
                               for p in m.params.values()])

    first = weights("joint", 0)
    assert all((weights(contender, 0) == first).all() for contender in COLOURS)
    assert (weights("joint", 1) != first).any()


def test_the_reader_is_trained_on_the_training_images_only():
    data = load("mnist-5k")
    trained, others = read(data, 8, 1, 0)
    assert trained.shape == (4000, 64) and others.shape == (1000, 64)
    assert abs(np.mean(trained**2) - 1) < 1e-4
    turned = type(data)("turned", data.x_train, data.y_train, data.x_test[::-1],
                        np.zeros_like(data.y_test), 10)
    again = read(turned, 8, 1, 0)
    np.testing.assert_array_equal(trained, again[0])
    np.testing.assert_allclose(others, again[1][::-1], rtol=1e-5, atol=1e-5)


def test_rates_are_chosen_on_images_set_aside(monkeypatch):
    """The test set would choose another one."""
    def pretended(schedule, episodes, looks, settings, seed):
        rate = schedule.network.modules[0].optimizer.lr
        assert len(episodes.x) == 3500
        return np.array([[[0.5, 1 - rate]] * 3, [[0.5, rate]] * 3])

    monkeypatch.setattr(two_clocks, "train", pretended)
    rows = run(SMALL, 0, lambda share: None)
    assert [row["contender"] for row in rows] == list(COLOURS)
    assert all(row["rate"] == min(RATES) and row["b"][-1] == min(RATES) for row in rows)


def test_a_short_run_has_all_findings_and_a_picture():
    rows = [{"seed": 0, **row} for row in run(SMALL, 0, lambda share: None)]
    findings = find(rows)
    assert {"b_accuracy_sg", "b_accuracy_joint", "b_accuracy_none", "a_accuracy_sg",
            "episodes_sg", "episodes_joint"} <= findings.keys()
    assert all(len(row["b"]) == 2 for row in rows)
    figure = EXPERIMENT.draw({"rows": rows, "finding": say(findings), "settings": SMALL})
    assert len(figure.axes) == 3


def test_episodes_to_the_target_are_a_median_and_none_where_most_do_not_get_there():
    rows = [{"contender": "ls-tally", "a": 0.5, "b": [0.9], "episodes": e} for e in (40, None, 80)]
    rows += [{"contender": "none", "a": 0.5, "b": [0.4], "episodes": e} for e in (None, None, 80)]
    findings = find(rows)
    assert findings["episodes_sg"] == 80 and findings["episodes_none"] is None
