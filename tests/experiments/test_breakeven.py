"""The break-even map: by hand, from costs made up, and the steps that learning takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.experiments.speed import breakeven
from sgdni.timeline import LinkCost, Links, ModuleCost

BASE = replace(TINY, hidden=(8, 8), cuts=(1,))
EQUAL = [ModuleCost(1.0, 2.0, 0.0, 0.1, 0.2), *[ModuleCost(1.0, 1.5, 0.5, 0.1, 0.2)] * 2,
         ModuleCost(1.0, 1.5, 0.5)]


def test_map_by_hand():
    free = Links()
    two = [EQUAL[0], EQUAL[3]]
    ratios = breakeven.times_faster(two, 10.0, 1, free)
    busiest = 1 + 2 + 0.1 + 0.2
    assert ratios["locked backprop"] == pytest.approx((3 + 3) / busiest, rel=0.01)
    assert ratios["model-parallel backprop"] == pytest.approx((6 + 20) / busiest, rel=0.01)
    assert ratios["best"] == min(ratios.values())
    slow = Links(up=LinkCost(send=1.0))  # a message costs its sender
    assert breakeven.times_faster(two, 0.0, 1, slow)["locked backprop"] == pytest.approx(
        6 / (busiest + 1), rel=0.01)
    assert [len(breakeven.stacked(EQUAL, workers)) for workers in (1, 2, 3, 16)] == [1, 2, 3, 16]
    assert set(breakeven.times_faster(EQUAL[:1], 10.0, 1, free).values()) == {1.0}


def test_learning_counts_steps_and_admits_failure():
    data = blobs(np.random.default_rng(0), n_train=320)
    options = {"epochs": 2, "repeats": 2}
    easy = breakeven.learning(BASE, data, target=0.5, **options)
    assert [entry["staleness"] for entry in easy] == [n for n, _ in breakeven.STALENESS]
    assert all(entry["steps_ratio"] > 0 and None not in entry["steps"] for entry in easy)
    soon, late = breakeven.learning(BASE, data, target=0.9, staleness=[(1, 0.0), (30, 0.1)],
                                    **options)
    assert soon["backprop_steps"] == late["backprop_steps"] and soon["steps"] != late["steps"]
    hard = breakeven.learning(BASE, data, target=1.0001, **options)
    assert all(entry["steps_ratio"] is None for entry in hard)


def test_steps_ratio_is_known_where_it_was_measured():
    found = {"learning": [{"workers": w, "latency": 0.005, "steps_ratio": ratio}
                          for w, ratio in ((2, 2.0), (4, None))]}
    assert breakeven.steps_ratio(found, 1, 9.0) == 1
    assert breakeven.steps_ratio(found, 2, 0.0) == breakeven.steps_ratio(found, 2, 0.005) == 2
    assert breakeven.steps_ratio(found, 4, 0.0) == np.inf
    assert np.isnan(breakeven.steps_ratio(found, 2, 0.006))
    assert np.isnan(breakeven.steps_ratio(found, 8, 0.0))
