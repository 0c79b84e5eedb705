"""Steps to a target: what the ratios are made of, and that lateness reaches the schedules."""

from __future__ import annotations

import io

import numpy as np
import pytest

from sgdni.experiments import steps
from sgdni.experiments.steps import (
    EXPERIMENT,
    RATES,
    chosen,
    contenders,
    draw,
    find,
    ratios,
    run,
    say,
)
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings


def row(seed, contender, steps, interfaces=4, rate=0.1, aside=100):
    return {"seed": seed, "interfaces": interfaces, "late": 8, "contender": contender,
            "rate": rate, "aside": aside, "steps": steps}


ROWS = [row(0, "backprop", 100), row(0, "local-error", 150), row(0, "cdni-ls", None),
        row(1, "backprop", 200), row(1, "local-error", 200), row(1, "cdni-ls", None),
        row(2, "backprop", None), row(2, "local-error", 90), row(2, "cdni-ls", 80),
        row(0, "backprop", 50, interfaces=1), row(0, "local-error", 100, interfaces=1)]


def test_ratios_are_within_a_seed_and_a_case():
    found = ratios(ROWS)
    assert found["local-error", 4, 8].tolist() == [1.5, 1.0]
    assert found["cdni-ls", 4, 8].tolist() == [np.inf, np.inf]
    assert found["local-error", 1, 8].tolist() == [2.0]


def test_rates_are_chosen_for_each_on_images_set_aside_over_all_seeds():
    def tries(contender, *asides):
        return [row(seed, contender, 7, rate=rate, aside=aside)
                for rate, mine in zip((0.1, 0.05), asides, strict=True)
                for seed, aside in enumerate(mine)]

    rows = tries("backprop", (90, 100, 300), (110, 110, 110)) + tries(
        "local-error", (100, None, None), (200, 200, None)) + tries(
        "cdni-ls", (None, None, None), (None, None, None))
    assert {(r["contender"], r["rate"]) for r in chosen(rows)} == {
        ("backprop", 0.1), ("local-error", 0.05), ("cdni-ls", 0.1)}
    assert len(chosen(rows)) == 9


def test_findings_are_medians_and_say_when_most_are_not_there():
    findings = find(ROWS)
    assert findings == {"local_error_4_8": 1.25, "cdni_ls_4_8": None, "local_error_1_8": 2.0}
    assert "1.25 (4 interfaces, 8 late); 2.00 (1 interface, 8 late)" in say(findings)


def drawn(rows):
    """Return the axes of the picture of these rows, once it could be rendered."""
    figure = draw({"rows": rows, "finding": say(find(rows)), "settings": EXPERIMENT.full})
    figure.savefig(io.BytesIO())
    return figure.axes[0]


def test_a_picture_has_a_point_for_each_seed_and_counts_those_not_there():
    axes = drawn(ROWS)
    points = sorted(y for line in axes.lines if line.get_marker() == "o" for y in line.get_ydata())
    assert points == [1.0, 1.5, 2.0]
    assert [text.get_text() for text in axes.texts] == ["2 not there"]  # cdni-ls, four interfaces


@pytest.mark.parametrize("backprop, mine, points, texts", [
    (100, 150, [1.5], []), (100, None, [], ["1 not there"]), (None, 150, [], []),
    (None, None, [], [])])
def test_one_seed_is_drawn_whoever_was_there(backprop, mine, points, texts):
    axes = drawn([row(0, "backprop", backprop), row(0, "local-error", mine)])
    assert [y for line in axes.lines if line.get_marker() == "o"
            for y in line.get_ydata()] == points
    assert [text.get_text() for text in axes.texts] == texts
    assert (backprop is None or mine is None) == ("too seldom" in axes.get_title())


def test_workers_end_with_the_run_however_it_ends(monkeypatch):
    ended = []

    class Stopped:
        reached, history = None, ()

        def __init__(self, *about):
            self.dismiss = lambda: ended.append(about)

        def epoch(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(steps, "Racer", Stopped)
    with pytest.raises(KeyboardInterrupt):
        steps.steps_to_target(None, None, None, 1, 0.9)
    assert len(ended) == 1


def test_targets_are_late_and_interfaces_where_the_case_says():
    backprop, *late = contenders(2, 24, 8)
    base = Settings(hidden=(8,) * 4)
    assert backprop.settings(base).engine == "sequential"
    for contender in late:
        settings = contender.settings(base)
        assert (settings.cuts, settings.queue_size, settings.deterministic) == ((1, 2), 24, True)
        assert settings.fit_every == (8 if contender.name == "local-error" else 1)


def test_a_run_tries_every_rate_on_both_sets(small_steps):
    rows = run({"data": "mnist-5k", "width": 8, "cases": 1, "epochs": 1, "target": 20.0,
                "aside": 3000}, 0, lambda share: None)
    assert [(r["contender"], r["rate"]) for r in rows] == [
        (name, rate) for name in ("backprop", "cdni-ls", "local-error", "local-loss")
        for rate in RATES]
    assert [len(x) for x in small_steps] == [3000, 1000] * len(rows)


@pytest.fixture
def small_steps(monkeypatch):
    """Collect the test images of every trainer that is built."""
    from sgdni.experiments import contenders as room
    seen = []

    def watched(name, settings, data):
        seen.append(data.x_test)
        return build_trainer(name, settings, data)

    monkeypatch.setattr(room, "build_trainer", watched)
    return seen
