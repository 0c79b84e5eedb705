"""Few hidden layers and many: who is there, on what rates and recipes are chosen, the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers import blobs

from sgdni.experiments import depth
from sgdni.experiments.depth import (
    DEEP,
    EXPERIMENT,
    METHODS,
    by_depth,
    draw,
    find,
    places,
    recipe,
    run,
    say,
)
from sgdni.experiments.record import as_written

SMALL = EXPERIMENT.full | {"depths": (1, 2), "width": 8, "steps": 9, "rates": (0.1, 0.01),
                           "aside": 200, "deep": (7, 12), "deep_width": 4, "deep_steps": 3,
                           "recipes": ("relu-bn-sgd-0.1", "tanh-plain-adam-0.001")}


@pytest.fixture(scope="module")
def data():
    return blobs(np.random.default_rng(0), n_train=640)


@pytest.fixture(scope="module")
def rows(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depth, "load", lambda name: data)
        shares = []
        found = run(SMALL, 0, shares.append)
        assert shares == sorted(shares) and len(shares) == 2 * (len(METHODS) + len(DEEP))
    return as_written([{"seed": 0, **row} for row in found])


def test_recipes_are_settings_and_others_are_refused():
    assert recipe("relu-bn-sgd-0.1") == {"activation": "relu", "batch_norm": True,
                                         "optimizer": "sgd", "lr": 0.1}
    assert recipe("tanh-plain-adam-1e-4")["lr"] == 1e-4
    for wrong in ("relu-bn-sgd", "relu-none-sgd-0.1", "relu-bn-sgd-fast"):
        with pytest.raises(ValueError, match=wrong):
            recipe(wrong)
    assert all(map(recipe, EXPERIMENT.full["recipes"]))


@pytest.mark.parametrize("wrong, complaint", [
    ({"deep": (1,)}, "deep: expected .* 2"), ({"deep": (12, 12)}, "deep: expected each once"),
    ({"depths": (3, 3)}, "depths: expected each once, got 3 2 times"),
    ({"recipes": ("relu-bn-sgd-0.1", "fast")}, "recipes: .* got fast")])
def test_what_is_wrong_is_refused_before_the_work(data, monkeypatch, wrong, complaint):
    monkeypatch.setattr(depth, "load", lambda name: data)
    monkeypatch.setattr(depth, "accuracy", lambda *of: pytest.fail("trained"))
    with pytest.raises(ValueError, match=complaint):
        run(SMALL | wrong, 0, lambda share: None)


def test_interfaces_stand_between_the_layers():
    assert places(50, 10) == (10, 20, 30, 40) and places(50, None) == (25,)
    assert places(10, 10) == (5,)  # none is ten layers below the last


def test_everybody_is_there(rows):
    table = [(row["depth"], row["contender"]) for row in rows if row["what"] == "table"]
    assert table == [(d, name) for d in (1, 2) for name in METHODS]
    many = [(row["depth"], row["contender"]) for row in rows if row["what"] == "deep"]
    assert many == [(d, name) for d in (7, 12) for name in DEEP]
    assert {row["choice"] for row in rows if row["what"] == "deep"} <= set(SMALL["recipes"])


def test_rates_and_recipes_are_chosen_on_images_aside(data, monkeypatch):
    calls = []

    def pretended(method, settings, on, steps):
        calls.append((method, on.name, settings.lr, settings.cuts, steps))
        return -settings.lr if on.name == "blobs-validation" else settings.lr

    monkeypatch.setattr(depth, "load", lambda name: data)
    monkeypatch.setattr(depth, "accuracy", pretended)
    found = run(SMALL, 0, lambda share: None)
    assert {row["accuracy"] for row in found if row["what"] == "table"} == {0.01}
    assert {row["accuracy"] for row in found if row["what"] == "deep"} == {0.001}
    final = [call for call in calls if call[1] == "blobs"]
    assert len(final) == len(found) and len(calls) == 3 * len(found)
    assert ("local-error", "blobs", 0.001, (10,), 3) in final
    assert ("cdni-ls", "blobs", 0.001, (6,), 3) in final
    assert {call[4] for call in calls if call not in final} == {3}


def test_findings_are_named_by_method_and_depth():
    made_up = [{"seed": seed, "what": "table", "contender": name, "depth": d, "choice": "0.1",
                "accuracy": 1 - 0.01 * d - 0.001 * seed} for seed in (0, 1) for name in METHODS
               for d in (3, 6)]
    made_up += [{"seed": 0, "what": "deep", "contender": name, "depth": d, "choice": "",
                 "accuracy": 0.9 - 0.1 * k + better} for k, name in enumerate(DEEP)
                for d, better in ((10, 0.05), (50, 0.0))]
    found = find(made_up)
    assert found["error_percent_cdni_6"] == [pytest.approx(6), pytest.approx(6.1)]
    assert found["error_percent_top_only_3"] == [pytest.approx(3), pytest.approx(3.1)]
    assert found["accuracy_50_backprop"] == [0.9] and found["accuracy_50_local_error"] == [0.8]
    assert "backprop 3.0 -> 6.0%" in say(found).replace("3.1", "3.0").replace("6.1", "6.0")
    assert "50 layers: local error 80.0%" in say(found)
    assert by_depth(found).splitlines()[2].split(" | ")[:2] == ["| 10", "95.0%"]


def test_the_picture_has_all_of_them(rows):
    figure = draw({"rows": rows, "settings": SMALL, "finding": say(find(rows))})
    figure.savefig(io.BytesIO())
    assert [len(axes.lines) for axes in figure.axes] == [len(METHODS), len(DEEP)]
    assert [len(line.get_xdata()) for axes in figure.axes for line in axes.lines] == [2] * 10
