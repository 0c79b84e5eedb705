"""All rules in one schedule: who is there, at which rate, and what is found and drawn."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers import blobs

from sgdni.experiments import one_view
from sgdni.experiments.one_view import (
    CONTENDERS,
    EXPERIMENT,
    _rank_correlation,
    draw,
    find,
    run,
    say,
    settings_of,
)
from sgdni.experiments.record import as_written
from sgdni.runs.methods import build_network
from sgdni.schedules import Decoupled

SMALL = EXPERIMENT.full | {"width": 8, "layers": 2, "steps": 15, "aside": 200, "rates": (0.1, 0.01)}


@pytest.fixture(scope="module")
def rows():
    data = blobs(np.random.default_rng(0), n_train=640)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_view, "load", lambda name: data)
        found = run(SMALL, 0, lambda share: None)
    return as_written([{"seed": 0, **row} for row in found])


def test_all_but_backprop_differ_in_the_models_only():
    kinds = set()
    for name, (method, _, _) in CONTENDERS.items():
        network = build_network(method, settings_of(name, SMALL, 0.1, 0), 5, 3,
                                np.random.default_rng(0))
        if name != "backprop":
            Decoupled(network)
            model = network.interfaces[0].model
            kinds.add((type(model).__name__, getattr(model, "rho", None)))
    assert len(kinds) == len(CONTENDERS) - 1


def test_everybody_is_there_at_a_rate_that_was_chosen(rows):
    assert [row["contender"] for row in rows] == list(CONTENDERS)
    assert {row["rate"] for row in rows} <= {0.1, 0.01}
    cosines = {row["contender"]: row["cosines"] for row in rows}
    assert cosines.pop("backprop") == [] and cosines.pop("top only") == [0, 0]
    assert rows[0]["cost"] == 1 and all(row["cost"] > 0 for row in rows)
    assert all(len(of) == 2 and 0 < abs(of[1]) <= 1 for of in cosines.values())


def test_rates_are_chosen_on_images_aside(monkeypatch):
    seen = []
    monkeypatch.setattr(one_view, "load", lambda name: blobs(np.random.default_rng(0), 640))
    monkeypatch.setattr(one_view, "accuracy", lambda m, s, data, steps: seen.append(data.name)
                        or -s.lr)
    monkeypatch.setattr(one_view, "accuracy_after", lambda trainer, steps: seen.append(
        trainer.data.name) or 0.0)
    found = run(SMALL, 0, lambda share: None)
    assert {row["rate"] for row in found} == {0.01} and {str(row["cosines"]) for row in found} == {
        "[]"}
    assert seen == ["blobs-validation", "blobs-validation", "blobs"] * len(CONTENDERS)


def test_findings_and_how_alike_the_rankings_are():
    made_up = [{"seed": 0, "contender": name, "accuracy": 0.5 + 0.01 * k,
                "cost": 1.5,
                "cosines": [] if name == "backprop" else [0.9 - 0.1 * k, 0.9 - 0.1 * k]}
               for k, name in enumerate(CONTENDERS)]
    found = find(made_up)
    assert found["accuracy_sign_symmetric"] == [0.53]
    assert found["cosine_direct_feedback_alignment"] == [pytest.approx(0.3)]
    assert found["rank_correlation"] == pytest.approx(-1)
    assert "Most accurate is local loss (cosine 0.20, accuracy 57.0%)" in say(found)
    assert "Nearest to the true gradient is local error (cosine 0.80" in say(found)


def test_ranks_of_equals_are_their_mean_and_who_diverged_has_none():
    pairs = [(0.1, 0.5), (0.2, 0.5), (0.3, 0.9), (0.4, 0.9)]
    assert _rank_correlation(pairs) == pytest.approx(0.8944, abs=1e-4)
    assert _rank_correlation([(0.1, 0.5), (0.2, 0.5)]) is None and _rank_correlation([]) is None
    lost = [{"seed": 0, "contender": name, "accuracy": 0.0, "cost": 1.0, "cosines": []}
            for name in CONTENDERS]
    found = find(lost)
    assert found["rank_correlation"] is None and say(found)


def test_the_picture_copes_with_a_run_that_diverged(rows):
    broken = [{**row, "accuracy": 0.0, "cosines": []} if row["contender"] == "linear" else row
              for row in rows]
    found = as_written(find(broken))
    figure = draw({"rows": broken, "settings": SMALL, "finding": say(found)})
    figure.savefig(io.BytesIO())
    assert found["cosine_linear"] == [None]
    assert len(figure.axes[0].lines) == len(CONTENDERS)
    assert len(figure.axes[1].lines) == len(CONTENDERS) - 2
