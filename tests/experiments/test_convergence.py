"""Linear networks with a synthetic gradient: exact facts, and what the experiment makes of them."""

from __future__ import annotations

import io

import numpy as np
import pytest

from sgdni.experiments import convergence
from sgdni.experiments.convergence import (
    CLOUDS,
    EXPERIMENT,
    MODELS,
    NETWORK_RATES,
    NETWORKS,
    SG_RATES,
    classes_case,
    draw,
    find,
    new_critical_point,
    run,
    say,
    scalar_case,
)
from sgdni.experiments.linear_networks import OneLogit, cloud, linear_network
from sgdni.gradcheck import check_layer
from sgdni.losses import SoftmaxCrossEntropy

SMALL = {"size": 120, "steps": 1500, "map_steps": 3, "d": (6,)}


def by_model(rows):
    return {row["model"]: row for row in rows}


def test_one_logit_has_an_exact_gradient(rng):
    assert check_layer(OneLogit(), rng.standard_normal((5, 1)), rng).passed


def test_clouds_are_white_and_centred(rng):
    for kind in CLOUDS:
        x, y = cloud(kind, 6, 3, 100, rng)
        np.testing.assert_allclose(x.T @ x / 100, np.eye(6), atol=1e-12)
        np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
        assert set(y) == {0, 1, 2}


@pytest.mark.parametrize("kind", CLOUDS)
def test_a_log_loss_of_one_logit_ends_where_it_is_predicted(kind):
    rows = by_model(scalar_case(kind, 6, "direct", SMALL, 0))
    linear = rows["linear"]
    assert linear["gap"] > 1e-5
    assert linear["gap"] == pytest.approx(linear["predicted"], abs=1e-7)
    assert abs(rows["backprop"]["gap"]) < 0.2 * linear["gap"]  # the steps were enough to do better


def test_a_squared_error_ends_at_its_optimum():
    for name in ("direct", "bottleneck"):
        rows = by_model(classes_case("mean squared error", name, SMALL, 0))
        assert abs(rows["linear"]["gap"]) < 1e-9 and abs(rows["backprop"]["gap"]) < 1e-9
    assert by_model(classes_case("mean squared error", "direct", SMALL, 0)
                    )["local error"]["gap"] > 0.01  # its read-out is right before the network is


def test_below_an_output_that_is_trained_truly_local_error_reaches_what_linear_does_not():
    rows = by_model(classes_case("log loss", "bottleneck", SMALL | {"size": 400}, 0))
    assert rows["linear"]["gap"] == pytest.approx(rows["linear"]["predicted"], rel=1e-3)
    assert abs(rows["local error"]["gap"]) < 0.01 * rows["linear"]["gap"]


@pytest.mark.parametrize("name", ["direct", "deep"])
def test_from_an_output_at_zero_many_classes_end_where_it_is_predicted(name):
    linear = by_model(classes_case("log loss", name, SMALL | {"size": 400}, 0))["linear"]
    assert linear["gap"] == pytest.approx(linear["predicted"], abs=1e-5)


def test_a_model_without_labels_stops_at_the_best_multiple_of_the_start():
    found = new_critical_point(100, 1000, np.random.default_rng(0))
    assert found["cosine"] == pytest.approx(1, abs=1e-9)
    assert found["gap"] == pytest.approx(found["predicted"], rel=1e-6) and found["gap"] > 0.1


def test_the_interface_of_a_bottleneck_is_its_narrow_layer():
    widths = {name: linear_network(name, "linear", 20, 0.1, np.random.default_rng(0),
                                   SoftmaxCrossEntropy()).interfaces[0].model.n
              for name in NETWORKS}
    assert widths == {"direct": 5, "deep": 5, "bottleneck": 4}


@pytest.fixture(scope="module")
def rows():
    return [{"seed": 0, **row} for row in run(SMALL | {"steps": 3}, 0, lambda share: None)]


def test_everything_is_there(rows):
    assert len([row for row in rows if row["what"] == "one logit"]) == len(CLOUDS) * 2 * len(MODELS)
    assert len([row for row in rows if row["what"] == "stability"]
               ) == len(NETWORK_RATES) * len(SG_RATES)
    assert len(rows) == 1 + 18 + 18 + 30


def test_findings_are_the_largest_over_all_cases_with_a_prediction():
    case = {"seed": 0, "what": "one logit", "model": "linear"}
    found = find([
        {**case, "gap": 0.3, "predicted": 0.25}, {**case, "gap": 0.5, "predicted": 0.5},
        {**case, "model": "backprop", "gap": -1e-17, "predicted": 0.25},
        {**case, "model": "local error", "gap": 9.0, "predicted": 0.25},
        {"seed": 0, "what": "mean squared error", "model": "linear", "gap": None, "predicted": 0},
        {"seed": 0, "what": "stability", "sg_rate": 0.1, "gap": 0.1},
        {"seed": 0, "what": "stability", "sg_rate": 1.0, "gap": None},
        {"seed": 0, "what": "new point", "cosine": 1.0, "gap": 2.0, "predicted": 2.0}])
    assert found == {"mse_gap": [np.inf], "log_gap": [0.5], "backprop_gap": [1e-12],
                     "prediction_error_classes": [1e-12],
                     "prediction_error": [pytest.approx(0.05)], "new_point_cosine": [1.0],
                     "new_point_gap": [2.0], "largest_stable_sg_rate": [0.1]}
    assert "up to 0.5 above it" in say(found)


def test_the_picture_shows_a_divergence_as_such(rows):
    broken = [{**row, "gap": None} if row["what"] == "stability" else row for row in rows]
    found = find([{**row, "gap": 0.0} if row["what"] == "stability" else row for row in rows])
    figure = draw({"rows": broken, "settings": EXPERIMENT.full, "finding": say(found)})
    figure.savefig(io.BytesIO())
    assert [text.get_text() for text in figure.axes[2].texts] == ["-"] * 30
    assert {patch.get_alpha() for patch in figure.axes[2].patches} == {0.8}


def test_training_that_breaks_down_has_no_gap(monkeypatch):
    monkeypatch.setitem(convergence.RATES, "one logit, deep", 1e3)
    rows = scalar_case("gaussian", 6, "deep", SMALL | {"steps": 50}, 0)
    assert {row["gap"] for row in rows} == {np.inf}
