"""The sum of two digits: whom it compares, on what rates are chosen, and what it finds."""

from __future__ import annotations

import io

import numpy as np
import pytest

from sgdni.experiments import sums
from sgdni.experiments.sums import (
    CONTENDERS,
    EXPERIMENT,
    INTERFACES,
    accuracy,
    draw,
    find,
    run,
    say,
)
from sgdni.runs.settings import Settings


def test_rates_are_chosen_on_digits_set_aside(monkeypatch):
    calls = []

    def pretend(method, settings, data, steps):
        calls.append((method, settings.head, settings.cuts, settings.lr, data.name, steps))
        aside = data.name.endswith("validation")
        return 1 - abs(settings.lr - 0.05) if aside else settings.lr

    monkeypatch.setattr(sums, "accuracy", pretend)
    rows = run({**EXPERIMENT.full, **EXPERIMENT.quick}, 3, lambda share: None)
    assert len(rows) == 1 + 2 * len(CONTENDERS)
    assert {row["rate"] for row in rows} == {row["accuracy"] for row in rows} == {0.05}
    final = [call for call in calls if call[4] == "mnist-5k-sum"]
    assert {call[3] for call in final} == {0.05} and {call[5] for call in final} == {450}
    assert [call[2] for call in final] == [()] + [(1,)] * 4 + [(1, 2, 3, 4)] * 4
    assert ("local-loss", "hidden", (1, 2, 3, 4), 0.05, "mnist-5k-sum", 450) in final


def test_findings_are_medians_over_seeds():
    rows = [{"seed": seed, "contender": name, "interfaces": n, "rate": 0.1, "accuracy": value}
            for name, n, values in [
                ("backprop", 0, (0.9, 0.8, 0.95)), ("linear M", 4, (0.1, 0.2, 0.3)),
                ("local error, hidden head", 1, (0.5, 0.6, 0.7)),
                ("local error, hidden head", 4, (0.5, 0.5, 0.4)),
                ("local loss, hidden head", 4, (0.7, 0.6, 0.65))]
            for seed, value in enumerate(values)]
    findings = find(rows)
    assert findings == {"backprop": 0.9, "linear_m_4": 0.2, "local_error_hidden_head_1": 0.6,
                        "local_error_hidden_head_4": 0.5, "local_loss_hidden_head_4": 0.65}
    assert say(findings).startswith("Backprop 90.0%; local error 60.0% with one interface, 50.0%")


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_picture_has_a_point_for_each_seed(seeds):
    """Also of those that diverged, whose accuracy is 0."""
    rows = [{"seed": seed, "contender": name, "interfaces": n, "rate": 0.1,
             "accuracy": 0.0 if name == "linear M" else 0.5 + 0.1 * seed}
            for seed in range(seeds)
            for name, n in [("backprop", 0), *((name, n) for name in CONTENDERS
                                               for n in INTERFACES)]]
    figure = draw({"rows": rows, "finding": say(find(rows)), "settings": EXPERIMENT.full})
    figure.savefig(io.BytesIO())
    points = [line.get_ydata() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert len(points) == len(CONTENDERS) * len(INTERFACES)
    for values in points[:2]:
        np.testing.assert_array_equal(values, [0.0] * seeds)
    for values in points[2:]:
        np.testing.assert_allclose(values, [50.0, 60.0, 70.0][:seeds])


@pytest.mark.filterwarnings("ignore")
def test_training_that_diverges_has_learnt_nothing():
    data = sums.load("mnist-5k-sum")
    wild = Settings(hidden=(8,), batch_norm=False, lr=1e6)
    assert accuracy("backprop", wild, data, 5) == 0.0
    assert accuracy("backprop", Settings(hidden=(8,)), data, 5) > 0
