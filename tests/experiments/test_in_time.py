"""The experiments in time: what counts as solved, mastered and best; that SG bridges a delay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sgdni.data.copying import Copying
from sgdni.data.streams import Stream
from sgdni.experiments import characters, copying, delayed_recall
from sgdni.experiments.catalogue import EXPERIMENTS
from sgdni.experiments.in_time import Answers, best_rate, build
from sgdni.schedules import StepResult, Truncated
from sgdni.schedules.auxiliary import Auxiliary
from sgdni.synthetic import FitError

SMALL = {"cells": 8, "streams": 4, "windows": 200, "rates": (3e-3,)}


def small(experiment, **changes):
    return experiment.full | SMALL | changes


def recall_row(seed, rate, solved, windows, contender="sg", right=0.9):
    return {"seed": seed, "contender": contender, "rate": rate, "solved": solved,
            "windows": windows, "right": [0.3, right, 0.5]}


def test_the_rate_that_solves_most_counts_then_the_quickest():
    rows = [recall_row(0, 1, True, 100), recall_row(1, 1, False, 500),
            recall_row(0, 2, True, 300), recall_row(1, 2, True, 450),
            recall_row(0, 3, True, 200), recall_row(1, 3, True, 400),
            recall_row(0, 1, False, 500, "tbptt"), recall_row(1, 1, False, 500, "tbptt")]
    assert {row["rate"] for row in best_rate(rows, "sg", delayed_recall.score)} == {3}
    findings = delayed_recall.find(rows)
    assert findings == {"sg_solved": 2, "tbptt_solved": 0, "sg_windows": [200, 400]}
    assert "synthetic gradients 2, truncated backprop 0" in delayed_recall.say(findings)
    assert delayed_recall.find(rows[:6])["tbptt_solved"] is None
    rows.append(recall_row(0, 4, False, 500, "tbptt", right=0.99))
    rows.append(recall_row(1, 4, False, 500, "tbptt", right=0.85))
    assert {row["rate"] for row in best_rate(rows, "tbptt", delayed_recall.score)} == {4}


def test_synthetic_gradients_bridge_a_delay_that_truncation_does_not():
    s = small(delayed_recall.EXPERIMENT, delay=5, lead=2, window=2, cells=16, streams=16,
              windows=800, symbols=4, forget_bias=1.0, gamma=0.5, rates=(1e-2,))
    sg, tbptt = (delayed_recall.curve(name, 1e-2, s, 0, lambda share: None)
                 for name in ("sg", "tbptt"))
    assert sg[-1] >= delayed_recall.ENOUGH
    assert len(tbptt) == 4 and max(tbptt) < 0.9


def test_answers_are_counted_in_bits_where_something_is_asked():
    class Fake:
        results = iter([StepResult(np.log(2), 0.5), StepResult(0.0, 0.0), StepResult(0.0, 1.0)])

        def step(self, x, y):
            return next(self.results)

    answers, nothing = Answers(), np.full((2, 2), -1)
    assert (answers.asked, answers.bits, answers.right) == (0, 0, 0)
    asked = nothing.copy()
    asked[0] = 1
    answers.train(Fake(), None, asked)
    answers.train(Fake(), None, nothing)
    assert (answers.asked, answers.bits, answers.right) == (2, pytest.approx(1), 0.5)
    asked[...] = 1
    answers.train(Fake(), None, asked)
    assert (answers.asked, answers.bits) == (6, pytest.approx(1 / 3))
    assert answers.right == pytest.approx(5 / 6)


@pytest.fixture
def scripted(monkeypatch):
    """Answers whose error is what the test says, look by look; 500 answers a window."""
    script = []

    class Scripted(Answers):
        def train(self, schedule, x, y):
            if script[0] is None:
                raise FitError("gone")
            self.asked += 500

        @property
        def bits(self):
            return script.pop(0)

    monkeypatch.setattr(copying, "Answers", Scripted)
    return script


def test_a_length_is_mastered_below_015_bits_over_2000_answers(scripted):
    scripted += [0.2, 0.16, 0.14, 0.149, 0.5, 0.1, None]
    task = Copying()
    mastered = copying.climb(task, "tbptt", 1e-3, small(copying.COPY), 0, lambda share: None)
    assert mastered == [(12, 1), (16, 2), (24, 3)] and task.length == 4


def copy_row(seed, contender, rate, longest):
    return {"seed": seed, "contender": contender, "rate": rate, "longest": longest,
            "mastered": [(10 * n, n) for n in range(1, longest + 1)]}


def test_longest_lengths_are_those_of_the_best_rate():
    rows = [copy_row(0, "tbptt", 1, 6), copy_row(1, "tbptt", 1, 5), copy_row(0, "tbptt", 2, 7),
            copy_row(1, "tbptt", 2, 0), copy_row(0, "sg-context", 1, 12)]
    findings = copying.find(rows)
    assert findings["longest_tbptt"] == [6, 5] and findings["longest_sg_context"] == [12]
    assert findings["longest_sg"] is findings["longest_sg_aux"] is None
    assert copying.say(findings) == "Longest length: tbptt 6 5, sg-context 12"


def test_contenders_are_what_their_names_say():
    s = small(copying.COPY)

    def made(contender):
        task = Copying(context=copying.CONTEXTS[contender])
        return build(task, s, 1e-3, np.random.default_rng(0), synthetic=contender != "tbptt",
                     auxiliary=contender == "sg-aux"), task

    widths = {}
    for name in copying.CONTEXTS:
        schedule, task = made(name)
        assert type(schedule) is (Auxiliary if name == "sg-aux" else Truncated)
        widths[name] = [i.model.n_context for i in schedule.network.interfaces]
        for _, (x, y) in zip(range(40), Stream(task, s["streams"], 3, np.random.default_rng(1)),
                             strict=False):
            schedule.step(x, y)
        for interface in schedule.network.interfaces:
            assert interface.model.W.any()  # it has learned something
    assert widths == {"tbptt": [], "sg": [0], "sg-aux": [0], "sg-context": [48],
                      "sg-shuffled": [48]}
    with pytest.raises(ValueError, match="contenders: expected some of tbptt"):
        copying.run(s | {"contenders": ("bptt",)}, 0, lambda share: None, repeat=False)


@pytest.mark.parametrize("name, changes", [
    ("delayed-recall", {}), ("copy", {}), ("repeat-copy", {"contenders": ("tbptt", "sg-aux")}),
    ("characters", {"characters": 4000}),
])
def test_each_runs_end_to_end(name, changes, short_text):
    experiment, shares = EXPERIMENTS[name], []
    settings = small(experiment, **changes)
    rows = [{"seed": 0, **row} for row in experiment.run(settings, 0, shares.append)]
    assert [row["contender"] for row in rows] == list(settings["contenders"])
    assert shares == sorted(shares) and 0 <= shares[0] and shares[-1] <= 1
    findings = experiment.find(rows)
    results = {"rows": rows, "findings": findings, "finding": experiment.say(findings),
               "settings": settings}
    assert experiment.draw(results).get_axes()


@pytest.fixture
def short_text(monkeypatch):
    text = characters.python_reference()
    short = replace(text, held_out=text.held_out[:5000])
    monkeypatch.setattr(characters, "python_reference", lambda: short)
    return short


def test_held_out_bits_are_those_of_guessing_before_training(short_text):
    text = short_text
    s = small(characters.EXPERIMENT)
    task = characters.Task()
    task.n_in = task.n_classes = len(text.alphabet)
    schedule = build(task, s, 1e-3, np.random.default_rng(0), synthetic=False)
    read_out = schedule.network.modules[1].layers[0]
    read_out.params["W"][...] = 0
    assert characters.bits(schedule.network, text, s["cells"]) == pytest.approx(
        np.log2(len(text.alphabet)), rel=1e-5)


@pytest.mark.parametrize("name", ["cells", "streams", "window", "long_window", "characters"])
def test_a_character_model_needs_one_of_each(name):
    with pytest.raises(ValueError, match=f"{name}: expected"):
        characters.run(characters.EXPERIMENT.full | {name: 0}, 0, lambda share: None)
