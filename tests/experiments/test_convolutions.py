"""The experiment with convolutions: on what rates are chosen, what is found, and its picture."""

from __future__ import annotations

import io

import numpy as np
import pytest

from sgdni.experiments import convolutions
from sgdni.experiments.convolutions import (
    CONTENDERS,
    EXPERIMENT,
    beside_the_paper,
    draw,
    find,
    run,
    say,
)
from sgdni.runs.settings import Settings


def test_rates_are_chosen_on_images_set_aside(monkeypatch):
    calls = []

    def pretend(method, settings, data, steps):
        calls.append((method, settings.lr, data.name, steps))
        assert settings.head_units == (256 if method == "local-error" else Settings().head_units)
        aside = data.name.endswith("validation")
        return 1 - abs(settings.lr - 0.05) if aside else settings.lr

    monkeypatch.setattr(convolutions, "accuracy", pretend)
    s = {**EXPERIMENT.full, **EXPERIMENT.quick, "rates": (0.1, 0.05), "steps": 150,
         "sum_steps": 300}
    rows = run(s, 3, lambda share: None)
    assert {(row["task"], row["contender"]) for row in rows} == {
        (task, name) for task in ("digit", "sum") for name in EXPERIMENT.quick["contenders"]}
    assert {row["rate"] for row in rows} == {row["accuracy"] for row in rows} == {0.05}
    assert {call[2:] for call in calls} == {
        ("mnist-5k-validation", 50), ("mnist-5k", 150), ("mnist-5k-sum-validation", 100),
        ("mnist-5k-sum", 300)}


def rows():
    return [{"seed": seed, "task": task, "contender": name, "rate": 0.1,
             "accuracy": round(base + 0.01 * k + 0.001 * seed, 3)}
            for task, base in (("digit", 0.9), ("sum", 0.5)) for k, name in enumerate(CONTENDERS)
            for seed in (1, 0, 2)]


def test_findings_are_medians_by_name():
    found = find(rows())
    assert found["accuracy_untrained"] == 0.901 and found["accuracy_untrained_sum"] == 0.501
    assert found["accuracy_backprop"] == 0.911 and found["accuracy_local_error_sum"] == 0.551
    assert len(found) == 2 * len(CONTENDERS)
    assert "backprop 91.1% and 51.1%" in say(found)


def test_the_sentence_tells_of_who_was_there():
    found = {name: share for name, share in find(rows()).items() if "local_loss" in name}
    assert say(found) == "Right on one digit and on the sum of two: local loss 97.1% and 57.1%"


def test_the_table_has_everybody_and_dashes_for_what_was_not_asked():
    found = find(rows())
    small = {"accuracy_backprop": 0.9, "accuracy_cdni_least_squares": 0.8}
    head, _, *lines = beside_the_paper({"small": small, "large": found}).splitlines()
    assert head.split(" | ")[1:4] == ["small, one digit", "large, one digit",
                                      "large, the sum of two"]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == list(CONTENDERS)
    assert {line.count("|") for line in lines} == {head.count("|")}
    cells = {line.split(" | ")[0]: line.split(" | ")[1:] for line in lines}
    assert cells["| cDNI, least squares"][:2] == ["20.0", "5.9"]
    assert cells["| local error, means"][0] == "-"


@pytest.mark.parametrize("wrong, complaint", [
    ({"steps": 0, "sum_steps": 0}, "got 0 for both"), ({"sum_steps": -1}, "sum_steps: expected"),
    ({"contenders": ("backprop", "backprop")}, "contenders: expected each once")])
def test_what_is_wrong_is_refused_before_the_work(monkeypatch, wrong, complaint):
    monkeypatch.setattr(convolutions, "accuracy", lambda *of: pytest.fail("trained"))
    with pytest.raises(ValueError, match=complaint):
        run(EXPERIMENT.full | wrong, 0, lambda share: None)


def test_two_steps_are_enough_to_choose_a_rate(monkeypatch):
    steps = []
    monkeypatch.setattr(convolutions, "accuracy", lambda m, s, d, n: steps.append(n) or 0.5)
    run({**EXPERIMENT.full, **EXPERIMENT.quick, "rates": (0.1, 0.05), "steps": 2, "sum_steps": 0},
        0, lambda share: None)
    assert set(steps) == {1, 2}


def test_the_picture_names_everybody_and_has_a_dot_a_seed():
    found = find(rows())
    figure = draw({"rows": rows(), "findings": found, "finding": say(found),
                   "settings": EXPERIMENT.full | {"contenders": tuple(CONTENDERS)}})
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == list(CONTENDERS)
    for axes in left, right:
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        assert [len(line.get_xdata()) for line in dots] == [3] * len(CONTENDERS)
    assert left.lines[0].get_xdata() == pytest.approx(100 * np.array([0.901, 0.9, 0.902]))
    figure.savefig(io.BytesIO())


def test_unknown_contenders_are_refused():
    with pytest.raises(ValueError, match="contenders: expected some of top only, .*, got nobody"):
        run({**EXPERIMENT.full, "contenders": ("backprop", "nobody")}, 0, lambda share: None)
