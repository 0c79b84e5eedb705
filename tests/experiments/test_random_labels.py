"""Labels learned by heart: what they are, when they are known, whose rates choose, the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers import blobs

from sgdni.experiments import random_labels
from sgdni.experiments.random_labels import (
    CONTENDERS,
    EXPERIMENT,
    by_heart,
    draw,
    find,
    memorise,
    run,
    say,
)
from sgdni.experiments.record import as_written
from sgdni.runs.settings import Settings

SMALL = EXPERIMENT.full | {"size": 120, "layers": 2, "width": 8, "epochs": 3, "rates": (0.1, 0.01)}


@pytest.fixture(scope="module")
def data():
    return blobs(np.random.default_rng(0), n_train=640)


@pytest.fixture(scope="module")
def rows(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_labels, "load", lambda name: data)
        found = run(SMALL, 0, lambda share: None)
    return as_written([{"seed": 0, **row} for row in found])


def test_labels_have_nothing_to_do_with_the_images(data):
    made = by_heart(data, 600, np.random.default_rng(1))
    where = [int(np.flatnonzero((data.x_train == x).all(axis=1))[0]) for x in made.x_train]
    assert len(set(where)) == 600
    assert abs(np.mean(data.y_train[where] == made.y_train) - 1 / 3) < 0.08
    np.testing.assert_array_equal(made.x_train, made.x_test)
    np.testing.assert_array_equal(made.y_train, made.y_test)


def test_what_is_easy_is_known_soon_and_what_is_never_learned_never(data):
    s = Settings(hidden=(16,), batch_size=64, lr=0.1)
    easy, share = memorise("backprop", s, data, 6)
    assert easy <= 5 and share > 0.9
    assert memorise("top-only", Settings(hidden=(2,), batch_size=64, lr=1e-6), data, 2)[0] == np.inf


@pytest.mark.filterwarnings("ignore")
def test_training_that_diverges_knows_nothing(data):
    wild = Settings(hidden=(8, 8), batch_norm=False, lr=1e6)
    assert memorise("backprop", wild, data, 2) == (np.inf, 0.0)


def test_everybody_is_there_by_place(rows):
    assert [(row["contender"], row["place"]) for row in rows] == [
        ("backprop", 0), *((name, place) for place in (1, 2) for name in CONTENDERS)]


def test_rates_are_chosen_on_other_labels(data, monkeypatch):
    used = []

    def pretended(method, settings, labelled, epochs):
        used.append(labelled)
        return (np.inf, -settings.lr) if labelled is used[0] else (7.0, 1.0)

    monkeypatch.setattr(random_labels, "load", lambda name: data)
    monkeypatch.setattr(random_labels, "memorise", pretended)
    found = run(SMALL, 0, lambda share: None)
    assert {row["rate"] for row in found} == {0.01} and {row["epochs"] for row in found} == {7}
    others, own = used[0], used[2]
    assert used == [others, others, own] * len(found)
    assert np.any(own.y_train != others.y_train)


def test_findings_are_by_place_from_the_bottom():
    made_up = [{"seed": seed, "contender": name, "place": place, "known": 1.0,
                "epochs": None if name == "top only" else 100 - 10 * place + seed}
               for seed in (0, 1, 2) for name, place in
               [("backprop", 0), *((name, place) for name in CONTENDERS for place in (2, 1))]]
    found = find(made_up)
    assert found["epochs_to_90_by_place"] == [91, 81]
    assert found["epochs_to_90_by_place_top_only"] == [None, None]
    assert found["epochs_to_90_backprop"] == [100, 101, 102]
    assert "linear 91 81; local error 91 81; the layers above alone - -" in say(found)


def test_the_picture_shows_who_never_got_there(rows):
    never = [{**row, "epochs": None} for row in rows]
    figure = draw({"rows": never, "settings": SMALL, "finding": say(find(never))})
    figure.savefig(io.BytesIO())
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert len(dots) == 2 * len(CONTENDERS)
    np.testing.assert_allclose([line.get_ydata()[0] for line in dots], 1.08 * 3)
