"""The experiment about representations: its yardsticks, what is found and the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers import blobs

from sgdni.experiments import representations
from sgdni.experiments.record import as_written
from sgdni.experiments.representations import (
    CONTENDERS,
    EXPERIMENT,
    MEASURES,
    between_classes,
    draw,
    find,
    run,
    say,
)

SMALL = EXPERIMENT.full | {"width": 8, "layers": 3, "cut": 2, "steps": 20, "images": 60,
                           "aside": 200}


@pytest.fixture(scope="module")
def rows():
    data = blobs(np.random.default_rng(0), n_train=640, n_test=80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(representations, "load", lambda name: data)
        found = run(SMALL, 0, lambda share: None)
    return as_written([{"seed": 0, **row} for row in found])


def test_everybody_has_every_layer_and_the_untrained_one_no_rate(rows):
    assert [(row["contender"], row["layer"]) for row in rows] == [
        (name, layer) for name in CONTENDERS for layer in (1, 2, 3)]
    assert {row["rate"] for row in rows if row["contender"] == "untrained"} == {None}
    assert {row["rate"] for row in rows} - {None} <= set(SMALL["rates"])


@pytest.mark.parametrize("wrong, complaint", [
    ({"images": 3}, "images: expected .*30"), ({"rates": (1e30,)}, "rates: backprop diverges")])
def test_what_nothing_can_be_seen_in_is_refused(monkeypatch, wrong, complaint):
    data = blobs(np.random.default_rng(0), n_train=640, n_test=80)
    monkeypatch.setattr(representations, "load", lambda name: data)
    with pytest.raises(ValueError, match=complaint):
        run(SMALL | wrong, 0, lambda share: None)


def test_backprop_is_like_itself_and_another_seed_is_another_network(rows):
    for row in rows:
        exact = row["contender"] == "backprop"
        assert (row["rsa"] > 1 - 1e-6) == (row["cka"] > 1 - 1e-6) == exact


def test_all_others_start_from_another_seed(monkeypatch):
    seeds = {}

    def pretended(method, settings, data):
        seeds[name] = settings.seed
        raise KeyboardInterrupt

    monkeypatch.setattr(representations, "build_trainer", pretended)
    monkeypatch.setattr(representations, "accuracy", lambda *of: 0.5)
    for name in CONTENDERS:
        with pytest.raises(KeyboardInterrupt):
            representations.trained(name, SMALL, None, None, 7)
    assert seeds == {name: 7 if name == "backprop" else 1007 for name in CONTENDERS}


def test_dissimilarities_of_classes_leave_out_an_example_with_itself(rng):
    y, d = np.array([0, 0, 1, 1, 1]), rng.uniform(size=(5, 5))
    found = between_classes(d, y, 3)
    np.testing.assert_allclose(found[0][1], d[:2, 2:].mean(), atol=1e-4)
    np.testing.assert_allclose(found[0][0], (d[0, 1] + d[1, 0]) / 2, atol=1e-4)
    assert found[2] == [0, 0, 0]


def test_findings_have_a_name_for_each_measure_and_layer(rows):
    found = find(rows + [{**row, "seed": 1} for row in rows])
    assert len(found) == 3 * (len(MEASURES) * len(CONTENDERS) - 2)
    assert len(found["rsa_backprop_again_2"]) == 2 and "rsa_backprop_1" not in found


def test_the_layer_that_differs_most_is_told_of(rows):
    found = find(rows)
    for i in (1, 2, 3):
        found[f"contrast_backprop_{i}"], found[f"contrast_linear_{i}"] = [0.5], [0.5 + 0.1 * i % .3]
    assert "Classes in layer 2 are apart by 0.70 under a linear SG" in say(found)


def test_the_picture_has_matrices_and_a_line_for_each(rows):
    figure = draw({"rows": rows, "settings": SMALL, "finding": say(find(rows))})
    figure.savefig(io.BytesIO())
    matrices = [axes for axes in figure.axes if axes.images]
    assert len(matrices) == len(CONTENDERS)
    lines = [len(axes.lines) for axes in figure.axes if axes.get_xlabel() == "hidden layer"]
    assert lines == [6, 6, 5, 5]
