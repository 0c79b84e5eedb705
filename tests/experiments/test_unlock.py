"""The experiment with synthetic inputs: a tiny run, what is found, and the picture."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import blobs

from sgdni.experiments import unlock
from sgdni.experiments.unlock import CONTENDERS, EXPERIMENT, draw, find, run, say


@pytest.fixture(scope="module")
def rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unlock, "load", lambda name: blobs(np.random.default_rng(0), n_train=640))
        settings = EXPERIMENT.full | {"width": 8, "layers": 2, "epochs": 2, "components": 3}
        shares = []
        found = run(settings, 0, shares.append)
        assert shares == sorted(shares) and len(shares) == 2 * (1 + len(CONTENDERS))
    return [{"seed": 0, **row} for row in found]


def test_everybody_is_there_and_acts(rows):
    by_name = {row["contender"]: row for row in rows}
    assert list(by_name) == ["backprop", *CONTENDERS]
    assert all(len(row["accuracy"]) == 2 and len(row["updates"]) == 3 for row in rows)
    assert by_name["backprop"]["updates"] == [10, 10, 10]  # 640 examples, minibatches of 128
    for name in ("synthetic only", "either", "lossy synthetic"):
        assert all(0 < count <= 10 for count in by_name[name]["updates"])
    assert by_name["lossy wait"]["updates"][-1] < by_name["lossy either"]["updates"][-1]


def test_findings_are_medians_of_the_last_epoch():
    made_up = [{"seed": seed, "contender": name, "accuracy": [0.9, 0.1 * k + 0.01 * seed],
                "updates": [5, 5], "seconds": 1.0 + (name == "synthetic only")}
               for k, name in enumerate(("backprop", *CONTENDERS)) for seed in (0, 2, 1)]
    made_up.append({"seed": 3, "contender": "lossy wait", "accuracy": [], "updates": [0, 0],
                    "seconds": 1.0})
    found = find(made_up)
    assert found["accuracy_backprop"] == 0.01
    assert found["accuracy_synthetic_only"] == pytest.approx(0.21)
    assert found["accuracy_lossy_wait"] == pytest.approx(0.405)  # one of four broke off: 0
    assert found["update_cost_synthetic_only"] == 2
    assert "synthetic ones only 21.0%" in say(found)


def test_the_picture_has_a_line_for_everyone(rows):
    found = find(rows)
    figure = draw({"rows": rows, "findings": found, "finding": say(found),
                   "settings": EXPERIMENT.full | {"epochs": 2}})
    reliable, lossy = figure.axes
    assert len(reliable.lines) == len(lossy.lines) == 4
    assert lossy.get_title() == "90% of messages are lost"
