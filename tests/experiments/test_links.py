"""Which links suit whom: ratios from made-up times, and the rows of a tiny run."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import blobs

from sgdni.experiments import links
from sgdni.experiments.links import EXPERIMENT, HERE, PLAYED, advantage, draw, find, say, times
from sgdni.experiments.speed.contenders import BACKPROP, DELAYED, LOCAL_ERROR, SPLIT, Links


def played(workers, link, **seconds):
    every = {name: 9.0 for name in PLAYED} | {BACKPROP: 1.0} | seconds
    return {"kind": "played", "workers": workers, "latency": link.latency,
            "bandwidth": link.bandwidth, "seconds": every, "seed": 0}


def steps(workers, name, late, *counts):
    return [{"kind": "steps", "workers": workers, "late": late, "contender": name, "steps": n,
             "seed": seed} for seed, n in enumerate(counts)]


ROWS = [
    played(2, HERE, **{SPLIT: 0.8, LOCAL_ERROR: 0.5, DELAYED: 0.6}),
    played(2, Links(1.0), **{SPLIT: 2.8, LOCAL_ERROR: 0.5, DELAYED: 0.6}),
    *steps(2, BACKPROP, 0, 100, 120, 110), *steps(2, LOCAL_ERROR, 8, 110, 110, None),
    *steps(2, DELAYED, 8, 220, 330, None), *steps(2, LOCAL_ERROR, 24, None, None, 110),
]


def test_time_is_steps_times_the_time_of_a_step():
    found = times(ROWS, 2, HERE)
    assert found[BACKPROP] == 1 and found[SPLIT] == pytest.approx(0.8)
    assert found[LOCAL_ERROR] == pytest.approx(0.5 * 110 / 110)
    assert found[DELAYED] == pytest.approx(0.6 * 330 / 110)
    assert advantage(found) == pytest.approx(0.8 / 0.5)


def test_slow_links_make_gradients_late_and_what_was_not_counted_is_unknown():
    found = times(ROWS, 2, Links(1.0))  # 4 + 2 / .5 = 8 late; delayed: 4 + 2 / .6 = 7.3
    assert found[LOCAL_ERROR] == pytest.approx(0.5)
    rows = [*ROWS, played(2, Links(5.0), **{LOCAL_ERROR: 0.5})]
    assert times(rows, 2, Links(5.0))[LOCAL_ERROR] == np.inf  # 24 late: most were not there
    rows = [*ROWS, played(2, Links(50.0), **{LOCAL_ERROR: 0.5})]
    assert np.isnan(times(rows, 2, Links(50.0))[LOCAL_ERROR])
    assert np.isnan(advantage(times(rows, 2, Links(50.0))))


@pytest.fixture(scope="module")
def results():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "load", lambda name: blobs(np.random.default_rng(0), n_train=320))
        patch.setattr(links, "LATENCIES", (0.0, 0.001, 0.005))
        patch.setattr(links, "MEASURED", links.MEASURED[:2])
        settings = EXPERIMENT.full | {"data": "blobs", "width": 8, "workers": 4, "epochs": 2,
                                      "target": 40.0, "steps": 8, "aside": 64,
                                      "rates": (0.1, 0.05)}
        shares = []
        rows = [{"seed": 0, **row} for row in links.run(settings, 0, shares.append)]
        assert shares == sorted(shares) and 0 < shares[0] and shares[-1] < 1
        findings = find(rows)
        yield {"rows": rows, "findings": findings, "finding": say(findings), "settings": settings}


def test_rates_are_chosen_on_images_set_aside(monkeypatch):
    best = {(BACKPROP, 0): 0.05, (DELAYED, 8): 0.02, (LOCAL_ERROR, 8): 0.05, (DELAYED, 24): 0.1,
            (LOCAL_ERROR, 24): 0.02}
    data, names = blobs(np.random.default_rng(0)), {"backprop": BACKPROP, "delayed": DELAYED,
                                                    "local-error": LOCAL_ERROR}

    def pretend(contender, base, images, epochs, target):
        late = contender.changes.get("queue_size", 0)
        wanted = best[names[contender.name], late]
        if images is data:
            return round(1000 * contender.changes["lr"])
        assert images.name.endswith("validation")
        return 100 if contender.changes["lr"] == wanted else None

    monkeypatch.setattr(links, "steps_to_target", pretend)
    rows = links.counted(EXPERIMENT.full | {"aside": 20}, data, 2, 0, lambda share: None)
    assert {(row["contender"], row["late"]): row["rate"] for row in rows} == best
    assert all(row["steps"] == round(1000 * row["rate"]) for row in rows)


def test_every_kind_of_row_is_there(results):
    rows = results["rows"]
    assert {row["kind"] for row in rows} == {"played", "steps", "measured"}
    assert {row["workers"] for row in rows if row["kind"] == "played"} == {2, 4}
    assert {row["contender"] for row in rows if row["kind"] == "measured"} == set(PLAYED) - {
        "pipelined backprop"}
    assert all(row["predicted"] > 0 for row in rows if row["kind"] == "measured")
    slow = [row["seconds"] for row in rows if row["kind"] == "played" and row["workers"] == 4
            and row["latency"] == 0.005 and row["bandwidth"] is None]
    # four workers in a row: there and back over three links
    assert all(cell[SPLIT] > 0.03 and cell[LOCAL_ERROR] < cell[SPLIT] / 2 for cell in slow)


def test_findings_and_picture(results, tmp_path, monkeypatch):
    monkeypatch.setattr(links, "LATENCIES", (0.0, 0.001, 0.005))
    findings = results["findings"]
    assert {"time_vs_best_2_fast", "time_vs_best_4_5ms", "time_vs_best_2_1gbit",
            "predicted_over_measured", "predicted_within_10_percent"} <= set(findings)
    assert 0 <= findings["predicted_within_10_percent"] <= 1
    figure = draw(results)
    assert len(figure.axes) == 3 and all(len(axes.patches) == 6 for axes in figure.axes)
