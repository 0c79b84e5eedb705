"""The comparison of speed, end to end on tiny data, and what it says of made-up figures."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.cli import main
from sgdni.cli import speed as cli_speed
from sgdni.experiments.speed import breakeven, pictures, race, run, sweep, text
from sgdni.experiments.speed.contenders import BACKPROP, DNI, SPLIT, ways
from sgdni.experiments.speed.limit import parallel_limit
from sgdni.experiments.speed.verdict import faster, verdict
from sgdni.runs.cuts import balance
from sgdni.runs.methods import build_trainer
from sgdni.schedules import DivergenceError
from sgdni.timeline import LinkCost, Links, ModuleCost
from sgdni.timeline.balance import balanced_cuts
from sgdni.training.batches import minibatches
from sgdni.training.evaluation import evaluate

BASE = replace(TINY, hidden=(8, 8), cuts=(1,))


@pytest.fixture(scope="module")
def results():
    data = blobs(np.random.default_rng(0), n_train=320)
    calls, parts = [], []
    with pytest.MonkeyPatch.context() as patch:  # a few points: the others differ in settings only
        patch.setattr(run, "points", lambda *a: [
            p for p in sweep.points(*a) if p.changed in ("base", "workers") or p.value == 0.001])
        patch.setattr(breakeven, "MEASURED", (0.0, 0.001))
        patch.setattr(run, "MEASURED", (0.0, 0.001))
        found = run.compare_speed(data, BASE, cores=2, latency=0.001, epochs=2, repeats=2,
                                  target=0.5, steps=8, on_turn=calls.append,
                                  on_part=lambda results: parts.append(sorted(results)))
        assert len(calls) == run.turns(data, BASE, cores=2, epochs=2, repeats=2)
    assert "race" in parts[0] and len(parts) == 2 + 5 and parts[-1] == sorted(found)
    return found


def test_everything_is_there_and_goes_through_json(results):
    assert json.loads(json.dumps(results, allow_nan=False)).keys() >= {"race", "sweep", "map"}
    assert [row["name"] for row in results["race"]][:3] == [
        BACKPROP, "backprop, 2 BLAS threads", SPLIT]
    for row in results["race"]:
        assert row["failure"] is None and row["images_per_second"] > 0
        assert len(row["update_latency"]) == 2
        assert row["vs_backprop"]["images_per_second"] > 0
    by_name = {row["name"]: row for row in results["race"]}
    split = by_name[f"{SPLIT}, 1 ms links"]
    for self in (by_name[BACKPROP]["vs_backprop"], split["vs_model_parallel"]):
        assert self == {"images_per_second": 1, "seconds_to_target": 1, "reached": [2, 2],
                        "repeats": 2}
    # two links to wait for: the lowest module cannot be updated earlier
    assert split["update_latency"][0] > 0.002
    assert results["verdict"] and all(line.endswith(".") for line in results["verdict"])


def test_limit_is_that_of_trainings_side_by_side(results):
    assert results["parallel_limit"] > 0
    words = f"make together {results['parallel_limit']:.2f} times"
    assert words in results["verdict"][0]


def test_sweep_predicts_where_every_worker_has_a_core(results):
    for point in results["sweep"]:
        for row in point["rows"]:
            crowded = point["workers"] > 2 and row["way"] not in (
                BACKPROP, "backprop, 2 BLAS threads")
            assert (row["predicted_over_measured"] is None) == crowded


def test_tables_and_pictures(results, tmp_path):
    assert text.render(results).count("\n") > 20
    rows = text.sweep_markdown(results, "latency").splitlines()
    assert len(rows) == 2 + 5 and "latency 1 ms" in rows[-1]
    report = text.document(results)
    assert all(part in report for part in (rows[2], results["verdict"][0], "(break_even.png)"))
    ratios = [row["predicted_over_measured"] for p in results["sweep"] for row in p["rows"]]
    known = [r for r in ratios if r is not None]
    assert f"at {sum(0.85 <= r <= 1.15 for r in known)} of {len(known)} points" in report
    assert text.race_markdown(results).count("\n") == 1 + len(results["race"])
    paths = pictures.draw_all(results, tmp_path)
    assert [p.name for p in paths] == ["race.png", "sweep.png", "predicted.png", "break_even.png"]
    assert all(p.stat().st_size > 10_000 for p in paths)


def test_a_racer_notes_when_it_was_there_first():
    data = blobs(np.random.default_rng(0), n_train=640)
    racer = race.Racer(build_trainer("backprop", BASE, data), 0.6)
    racer.epoch()
    seconds, steps, accuracy = racer.reached
    assert accuracy >= 0.6 and all(a < 0.6 for _, _, a in racer.curve[:-1])
    again = build_trainer("backprop", BASE, data)  # the same run, stopped there
    batches = minibatches(data.x_train, data.y_train, BASE.batch_size, again.rng, np.float32)
    for _, batch in zip(range(steps), batches, strict=False):
        again.schedule.step(*batch)
    _, right = evaluate(again.schedule.network, data.x_test, data.y_test)
    assert right == accuracy
    assert 0 < seconds <= racer.history[0].train_seconds + 0.01


def ran(*seconds):
    return {"repeats": [{"reached": None if s is None else [s, 1, 0.97],
                         "history": [{"train_seconds": 2.0}]} for s in seconds]}


@pytest.mark.parametrize("ours, theirs, ratio, reached", [
    ((1, 1, 1), (2, 3, 2), 2, [3, 3]),
    ((None, 1, 1), (2, 3, 2), 2, [2, 3]),  # 0, 3, 2
    ((None, 1), (2, 3), None, [1, 2]),  # as often never as sooner
    ((1, 1, 1), (None, None, 2), None, [3, 1]),
    ((None, None, 1), (None, 1, 1), None, [1, 2]),
    ((None, 1, None), (None, 2, None), 2, [1, 1]),
    ((None,), (None,), None, [0, 0]),
])
def test_ratios_count_what_was_never_reached(ours, theirs, ratio, reached):
    found = race.times_faster(ran(*ours), ran(*theirs))
    assert (found["seconds_to_target"], found["reached"]) == (ratio, reached)
    assert found["images_per_second"] == 1


EQUAL = [ModuleCost(1.0, 2.0, 0.0, 0.1, 0.2), *[ModuleCost(1.0, 1.5, 0.5, 0.1, 0.2)] * 2,
         ModuleCost(1.0, 1.5, 0.5)]


def test_map_by_hand():
    free = (Links(), Links())
    two = [EQUAL[0], EQUAL[3]]
    ratios = breakeven.compare_steps(two, 10.0, 1, free)
    busiest = 1 + 2 + 0.1 + 0.2
    assert ratios["locked backprop"] == pytest.approx((3 + 3) / busiest, rel=0.01)
    assert ratios["model-parallel backprop"] == pytest.approx((6 + 20) / busiest, rel=0.01)
    assert ratios["best"] == min(ratios.values())
    slow = (Links(), Links(up=LinkCost(send=1.0)))  # a message costs its sender
    assert breakeven.compare_steps(two, 0.0, 1, slow)["locked backprop"] == pytest.approx(
        6 / (busiest + 1), rel=0.01)
    assert len(breakeven.stacked(EQUAL, 16)) == 16


def test_learning_counts_steps_and_admits_failure():
    data = blobs(np.random.default_rng(0), n_train=320)
    options = {"epochs": 2, "repeats": 2}
    easy = breakeven.learning(BASE, data, target=0.5, **options)
    assert [entry["lateness"] for entry in easy] == [late for late, _ in breakeven.LATENESS]
    assert all(entry["steps_ratio"] > 0 and None not in entry["steps"] for entry in easy)
    soon, late = breakeven.learning(BASE, data, target=0.9, lateness=[(1, 0.0), (30, 0.1)],
                                    **options)
    assert soon["backprop_steps"] == late["backprop_steps"] and soon["steps"] != late["steps"]
    hard = breakeven.learning(BASE, data, target=1.0001, **options)
    assert all(entry["steps_ratio"] is None for entry in hard)


def test_steps_ratio_is_known_where_it_was_measured():
    chart = made_up(1500, 300, 1.2, 2.0)["map"]
    assert breakeven.steps_ratio(chart, 1, 9.0) == 1
    assert breakeven.steps_ratio(chart, 2, 0.0) == breakeven.steps_ratio(chart, 2, 0.005) == 2
    assert breakeven.steps_ratio(chart, 4, 0.0) == np.inf
    assert np.isnan(breakeven.steps_ratio(chart, 2, 0.006))
    assert np.isnan(breakeven.steps_ratio(chart, 8, 0.0))


def made_up(dni, split, target_ratio, learnt):
    def row(name, ips, seconds, latency=0.0, blas=1):
        return {"name": name, "workers": 2, "latency": latency, "blas_threads": blas, "repeats": [
            {"reached": seconds and [seconds, 1, 0.97], "history": [{"train_seconds": 1e3 / ips}]}]}
    seconds = 1 / target_ratio if target_ratio else None
    return {
        "target": 0.97, "machine": {"cores": 2}, "parallel_limit": 1.7,
        "race": race.compared([
            row(BACKPROP, 1000, 1.0), row("backprop, 2 BLAS threads", 1010, 2.0, blas=2),
            row(SPLIT, 900, 1.0), row(DNI, dni, seconds),
            row(f"{SPLIT}, 5 ms links", split, 4.0, 0.005),
            row(f"{DNI}, 5 ms links", dni, seconds, 0.005),
        ]),
        "map": {"workers": [1, 2, 4], "latencies": [0.0, 0.005],
                "predicted": {"model-parallel backprop": [[1, 1], [1, 4], [3.5, 9]],
                              "best": [[1, 1], [3.1, 1.2], [1.4, 2.9]]},
                "learning": [{"workers": w, "lateness": 8, "latency": 0.005, "steps_ratio": ratio,
                              "epochs": 3} for w, ratio in ((2, learnt), (4, None))]},
    }


def test_verdict_says_what_the_figures_say():
    lines = " ".join(verdict(made_up(1500, 300, 1.25, 2.0)))
    assert "together 1.70 times the images per second of one alone" in lines
    assert "1.50 times as fast as backprop on one core" in lines
    assert "reaches 97% 1.25 times sooner; against backprop whose products use all cores it is " \
           "1.49 times as fast as that, and reaches 97% 2.50 times sooner" in lines
    assert "5.00 times as fast as backprop split" in lines
    assert "reaches 97% 5.00 times sooner; against backprop on one core, which needs no links, " \
           "it reaches 97% 1.25 times sooner" in lines
    assert "4 workers, 8 minibatches late: most runs not there in 3 epochs" in lines
    assert "same workers and links from 5 ms on with 2 workers; at any latency with 4 work" in lines
    # twice the steps make 4 into 2; four workers never get there
    assert "in time to 97% against the same nowhere on the map" in lines
    # 3.1 without a latency and 1.2 with one is not over 3-fold from anywhere on
    assert "in images per second nowhere on the map, and in time to 97% nowhere" in lines
    lines = " ".join(verdict(made_up(400, 300, 0.5, 1.0)))
    assert "0.40 times as fast as backprop on one core" in lines
    assert "takes 2.00 times as long to 97%" in lines
    assert "in time to 97% against the same from 5 ms on with 2 workers" in lines
    assert "does not reach 97% in most runs" in " ".join(verdict(made_up(400, 300, 0, 1.0)))


def test_breaking_off_is_said_and_drawn(results, tmp_path):
    broken = json.loads(json.dumps(results))
    for row in broken["race"]:
        if row["name"].startswith(DNI):
            row |= {"failure": "seed 0: diverged", "images_per_second": None,
                    "update_latency": None, "test_accuracy": None, "seconds_to_target": None,
                    "repeats": [{"curve": [], "reached": None, "history": []}] * 2}
    broken["race"] = race.compared(broken["race"])
    for point in broken["sweep"]:
        point["rows"] = [row for row in point["rows"] if row["way"] != DNI]
    broken["map"]["measured"][0]["locked backprop"] = None
    assert "not comparable (it broke off)" in " ".join(verdict(broken))
    assert "-" in text.render(broken) and text.document(broken)
    assert len(pictures.draw_all(broken, tmp_path)) == 4


def test_a_point_goes_on_without_those_who_break_down():
    data = blobs(np.random.default_rng(0), n_train=320)
    hot = replace(BASE, lr=1e9, batch_norm=False, engine="processes")
    point = sweep.measure(sweep.Point("base", 0, hot), ways(2), data, cores=2, turns=1, steps=8)
    assert point["rows"] == [] and set(point["failures"]) == {way.name for way in ways(2)}


def test_an_error_beside_the_yardstick_ends_it():
    data = blobs(np.random.default_rng(0), n_train=320)
    hot = replace(BASE, lr=1e9, batch_norm=False)
    with pytest.raises(DivergenceError):
        parallel_limit(ways(2)[0], hot, data, cores=2, turns=1, steps=50)


def test_finished_parts_are_kept(results, monkeypatch):
    data = blobs(np.random.default_rng(0), n_train=320)
    options = {"cores": 2, "latency": 0.001, "epochs": 2, "repeats": 2, "target": 0.5, "steps": 8}
    earlier = json.loads(json.dumps(results))
    assert run.compare_speed(data, BASE, earlier=earlier, **options) == earlier
    earlier["finished"].remove("parallel_limit")
    monkeypatch.setattr(run, "parallel_limit", lambda *args, **kwargs: 1.23)
    again = run.compare_speed(data, BASE, earlier=earlier, **options)
    assert again["parallel_limit"] == 1.23 and again["map"] == results["map"]
    with pytest.raises(ValueError, match="made with other settings"):
        run.compare_speed(data, replace(BASE, lr=0.01), earlier=earlier, **options)


def test_on_the_command_line(results, monkeypatch, tmp_path, capsys):
    given = {}

    def measured(data, settings, **options):
        given.update(options, settings=settings)
        options["on_part"](results)
        return results
    monkeypatch.setattr(cli_speed, "compare_speed", measured)
    options = ["--hidden", "9", "8", "--latency", "0.002", "--repeats", "1", "--out", str(tmp_path)]
    assert main(["benchmark", "--speed", *options]) == 0
    assert given["latency"] == 0.002 and given["repeats"] == 1
    assert given["settings"].hidden == (9, 8) and given["settings"].cuts is not None
    assert results["verdict"][0] in capsys.readouterr().out
    assert (tmp_path / "README.md").exists() and (tmp_path / "break_even.png").exists()


@pytest.mark.parametrize("ratio, words", [
    (1.04, "about as fast (1.04) as"), (3.21, "3.21 times as fast as"),
    (0.5, "0.50 times as fast as"), (None, "not comparable (it broke off) with"),
])
def test_faster(ratio, words):
    assert faster(ratio) == words


def test_cuts_give_the_busiest_worker_the_least():
    def layer(seconds):
        return ModuleCost(seconds, 0.0)
    assert balanced_cuts([layer(s) for s in (4, 1, 1, 1, 1)], 2) == (1,)
    assert balanced_cuts([layer(s) for s in (1, 1, 1, 1, 4)], 2) == (4,)
    assert balanced_cuts([layer(s) for s in (1, 1, 1, 1, 1, 1)], 3) == (2, 4)
    assert balanced_cuts([layer(s) for s in (1, 2)], 1) == ()
    # predicting at the first interface costs more than the fourth layer
    dear = [ModuleCost(2, 0, 0, 9), layer(1), layer(1), layer(3)]
    assert balanced_cuts(dear, 2) == (2,)
    # fitting costs a k-th: then the cut may stand at the dear interface
    fitted = [ModuleCost(2, 0, 0, 0, 9), layer(1), layer(1)]
    assert balanced_cuts(fitted, 2) == (2,)
    assert balanced_cuts(fitted, 2, fit_every=100) == (1,)
    with pytest.raises(ValueError, match="workers"):
        balanced_cuts(fitted, 4)


def test_balance_by_measured_cost():
    data = blobs(np.random.default_rng(0), n_features=2000)
    settings = replace(TINY, hidden=(400, 4, 4, 4))  # the lowest layer costs nearly everything
    assert balance("backprop", settings, data, 2).cuts == (1,)
    assert len(balance("cdni-ls", settings, data, 3).cuts) == 2
    with pytest.raises(ValueError, match="workers"):
        balance("cdni-ls", settings, data, 6)


def test_ways_on_one_core_leave_out_threads_of_blas():
    assert len(ways(1)) == len(ways(2)) - 1


def test_points_change_one_thing_each():
    data = blobs(np.random.default_rng(0), n_train=600)
    found = sweep.points(BASE, data, 2)
    assert found[0].changed == "base" and len({(p.changed, p.value) for p in found}) == len(found)
    assert all(len(p.settings.interfaces) == 1 for p in found if p.changed != "workers")
