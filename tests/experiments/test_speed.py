"""The comparison of speed, end to end on tiny data, and what it says of made-up figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.cli import main
from sgdni.cli import speed as cli_speed
from sgdni.experiments.accuracy import compare
from sgdni.experiments.contenders import Contender
from sgdni.experiments.record import write
from sgdni.experiments.speed import breakeven, pictures, race, run, sweep, tables
from sgdni.experiments.speed.contenders import (
    BACKPROP,
    DATA_PARALLEL,
    DELAYED,
    DNI,
    LOCAL_ERROR,
    LOCAL_LOSS,
    SPLIT,
    Links,
    Plan,
    entered,
    over_links,
)
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError
from sgdni.training.batches import minibatches
from sgdni.training.evaluation import evaluate

BASE = replace(TINY, hidden=(8, 8), cuts=(1,))
OPTIONS = {"cores": 2, "links": Links(0.001), "epochs": 1, "repeats": 2, "target": 0.5, "steps": 8}
ALL_CORES = "backprop, 2 BLAS threads"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    data = blobs(np.random.default_rng(0), n_train=320)
    watched, parts = [], []

    def watch(things, name, **options):
        watched.append(name)
        return things
    few = [p for p in sweep.points(BASE, data)
           if p[0] in ("base", "workers") or p[1] == 0.001]
    with pytest.MonkeyPatch.context() as patch:  # a few points: the others differ in settings only
        patch.setattr(sweep, "points", lambda *args: few)
        patch.setattr(breakeven, "MEASURED", (0.0, 0.001))
        patch.setattr(breakeven, "LEARNT", (2, 4))
        patch.setattr(compare, "tqdm", watch)
        found = run.compare_speed(Plan(data, BASE, **OPTIONS),
                                  on_part=lambda results: parts.append(sorted(results)))
    assert {"repeat 2 of 2", "sweep", "predict", "measure"} <= set(watched)
    assert "race" in parts[0] and len(parts) == 2 + 5 and parts[-1] == sorted(found)
    # as everyone else meets it: from the file
    return json.loads(write(found, tmp_path_factory.mktemp("speed")).read_text())


def test_everything_is_there(results):
    assert results["finished"] == ["race", "sweep", "parallel_limit", "break_even_map"]
    assert results["findings"].keys() == {
        "images_per_second_vs_backprop", "images_per_second_vs_best_rival",
        "time_to_target_vs_backprop", "time_to_target_vs_best_rival",
        "time_to_target_5ms_vs_model_parallel", "time_to_target_5ms_vs_data_parallel",
        "time_to_target_1ms_1gbit_vs_best_rival", "time_to_target_1ms_100mbit_vs_best_rival"}
    assert [row["name"] for row in results["race"]][:3] == [BACKPROP, ALL_CORES, SPLIT]
    for row in results["race"]:
        assert row["failure"] is None and row["images_per_second"] > 0
        assert len(row["update_latency"]) == 2
        assert row["vs_backprop"]["images_per_second"] > 0
    by_name = {row["name"]: row for row in results["race"]}
    split = by_name[f"{SPLIT}, 1 ms links"]
    for self in (by_name[BACKPROP]["vs_backprop"], split["vs_model_parallel"]):
        assert self == {"images_per_second": 1, "seconds_to_target": 1}
    # two links to wait for: the lowest module cannot be updated earlier
    assert split["update_latency"][0] > 0.002 and split["latency"] == 0.001
    assert results["parallel_limit"] > 0


def test_sweep_predicts_where_every_worker_has_a_core(results):
    assert [point["changed"] for point in results["sweep"]][:2] == ["base", "latency"]
    for point in results["sweep"]:
        for row in point["rows"]:
            crowded = point["workers"] > 2 and row["contender"] not in (BACKPROP, ALL_CORES)
            assert (row["predicted_over_measured"] is None) == crowded
            assert len(row["turns"]) == 2


def test_tables_and_pictures(results, tmp_path):
    assert tables.render(results).count("\n") > 20
    late = [point for point in results["sweep"] if point["changed"] == "latency"]
    rows = tables.sweep_table({"sweep": late}).splitlines()
    assert len(rows) == 2 + len(entered(2)) and "latency 1 ms" in rows[-1]
    report = tables.document(results)
    assert all(part in report for part in (rows[2], "(break_even.png)"))
    assert f"make {results['parallel_limit']:.2f} times the images of one" in report
    assert tables.race_table(results).count("\n") == 1 + len(results["race"])
    paths = pictures.draw_all(results, tmp_path)
    assert [p.name for p in paths] == ["race.png", "sweep.png", "predicted.png", "break_even.png"]
    assert all(p.stat().st_size > 10_000 for p in paths)


def test_a_racer_notes_when_it_was_there_first():
    data = blobs(np.random.default_rng(0), n_train=640)
    racer = race.Racer(0.6, Contender("backprop"), BASE, data)
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


@pytest.mark.parametrize("ours, theirs, ratio", [
    ((1, 1, 1), (2, 3, 2), 2),
    ((None, 1, 1), (2, 3, 2), 2),  # 0, 3, 2
    ((None, 1), (2, 3), None),  # as often never as sooner
    ((1, 1, 1), (None, None, 2), None),
    ((None, None, 1), (None, 1, 1), None),
    ((None, 1, None), (None, 2, None), 2),
    ((None,), (None,), None),
])
def test_ratios_count_what_was_never_reached(ours, theirs, ratio):
    assert race.times_faster(ran(*ours), ran(*theirs)) == {
        "images_per_second": 1, "seconds_to_target": ratio}


def made_up(dni, split, target_ratio, all_cores=2.0):
    def row(name, ips, seconds, latency=0.0, method="backprop"):
        return {"name": name, "latency": latency, "method": method, "images_per_second": ips,
                "seconds_to_target": seconds, "repeats": [
                    {"reached": seconds and [seconds, 1, 0.97],
                     "history": [{"train_seconds": 1e3 / ips}]}]}
    seconds = 1 / target_ratio if target_ratio else None
    return race.compared([
        row(BACKPROP, 1000, 1.0), row(ALL_CORES, 1200, all_cores), row(SPLIT, 900, 1.0),
        row(DNI, dni, seconds, method="cdni-ls"), row(f"{SPLIT}, 5 ms links", split, 4.0, 0.005),
        row(f"{DNI}, 5 ms links", dni, seconds, 0.005, "cdni-ls"),
    ])


@pytest.mark.parametrize("rows, found", [
    (made_up(1500, 300, 1.25), (1.5, 1.25, 1.25, 1.25, 5.0)),  # images, best, time, best, links
    (made_up(600, 300, 0.5, all_cores=0.25), (0.6, 0.5, 0.5, 0.125, 2.0)),
    (made_up(1500, 300, 1.25, all_cores=None), (1.5, 1.25, 1.25, 1.25, 5.0)),
    (made_up(1500, 300, None), (1.5, 1.25, None, None, None)),
])
def test_findings_are_against_the_best_rival(rows, found):
    assert list(run.findings(rows).values()) == pytest.approx([*found, None])
    del rows[-2:]  # no 5 ms links
    assert run.findings(rows)["time_to_target_5ms_vs_model_parallel"] is None


def test_breaking_off_is_said_and_drawn(results, tmp_path):
    broken = json.loads(json.dumps(results))
    for row in broken["race"]:
        if row["name"].startswith((DNI, LOCAL_ERROR)):
            row |= {"failure": "seed 0: diverged", "images_per_second": None,
                    "update_latency": None, "test_accuracy": None, "seconds_to_target": None,
                    "repeats": [{"curve": [], "reached": None, "history": []}] * 2}
    broken["race"] = race.compared(broken["race"])
    for point in broken["sweep"]:
        point["rows"] = [row for row in point["rows"] if row["contender"] != DNI]
    broken["break_even_map"]["measured"][0]["locked backprop"] = None
    assert run.findings(broken["race"])["images_per_second_vs_best_rival"] is None
    assert "-" in tables.render(broken) and tables.document(broken)
    assert len(pictures.draw_all(broken, tmp_path)) == 4


def test_a_point_goes_on_without_those_who_break_down():
    data = blobs(np.random.default_rng(0), n_train=320)
    hot = replace(BASE, batch_norm=False, engine="processes")
    every = [replace(c, changes=c.changes | {"lr": 1e9}) for c in entered(2)]
    point = sweep.measure(every, hot, data, cores=2, turns=1, steps=8)
    assert point["rows"] == [] and set(point["failures"]) == {c.name for c in every}


def test_an_error_beside_the_yardstick_ends_it():
    data = blobs(np.random.default_rng(0), n_train=320)
    hot = replace(BASE, lr=1e9, batch_norm=False)
    with pytest.raises(DivergenceError):
        race.parallel_limit(Plan(data, hot, **OPTIONS | {"steps": 50}))


def test_finished_parts_are_kept(results, monkeypatch):
    data = blobs(np.random.default_rng(0), n_train=320)
    earlier = json.loads(json.dumps(results))
    assert run.compare_speed(Plan(data, BASE, **OPTIONS), earlier) == earlier
    earlier["finished"].remove("parallel_limit")
    monkeypatch.setattr(run, "parallel_limit", lambda plan: 1.23)
    again = run.compare_speed(Plan(data, BASE, **OPTIONS), earlier)
    assert again["parallel_limit"] == 1.23 and again["break_even_map"] == results["break_even_map"]
    with pytest.raises(ValueError, match="made with other settings"):
        run.compare_speed(Plan(data, replace(BASE, lr=0.01), **OPTIONS), earlier)


def test_on_the_command_line(results, monkeypatch, tmp_path, capsys):
    given = {}

    def measured(plan, earlier, on_part):
        given.update(vars(plan))
        on_part(results)
        return results
    monkeypatch.setattr(cli_speed, "compare_speed", measured)
    options = ["--hidden", "9", "8", "--latency", "0.002", "--bandwidth", "1e6",
               "--repeats", "1", "--out", str(tmp_path)]
    assert main(["benchmark", "--speed", *options]) == 0
    assert given["links"] == Links(0.002, 1e6) and given["repeats"] == 1
    assert given["settings"].bandwidth is None  # of those without links
    assert given["settings"].hidden == (9, 8) and given["settings"].cuts is not None
    assert tables.render(results) in capsys.readouterr().out
    assert (tmp_path / "README.md").read_text() == tables.document(results)
    assert (tmp_path / "break_even.png").exists()


def test_contenders_on_one_core_leave_out_threads_of_blas():
    assert len(entered(1)) == len(entered(2)) - 1


def test_over_links_queues_cover_the_latency():
    linked = over_links(entered(2), BASE, Links(0.02))
    assert {c.name for c in linked} == {f"{name}, 20 ms links" for name in (
        SPLIT, DATA_PARALLEL, DELAYED, DNI, LOCAL_ERROR, LOCAL_LOSS)}
    assert all(c.settings(BASE).queue_size == 20 for c in linked)
    quick = over_links(entered(2), BASE, Links(0.001, 125e6))[0].settings(BASE)
    assert (quick.queue_size, quick.bandwidth) == (BASE.queue_size, 125e6)


def test_a_new_contender_is_one_line_with_settings_of_its_own():
    data = blobs(np.random.default_rng(0), n_train=320)
    unknown = Contender("no schedule yet", "cdni", "threads", changes={"batch_size": 16})
    [row] = sweep.measure([unknown], BASE, data, cores=2, turns=1, steps=8)["rows"]
    assert row["predicted_over_measured"] is None
    assert row["images_per_second"] == pytest.approx(16 / row["seconds_per_step"])


@pytest.mark.parametrize("network, record", [("mlp", "rates.json"), ("cnn", "rates-cnn.json")])
def test_everyone_has_the_rate_that_was_chosen_for_it(network, record):
    path = Path(__file__).parents[2] / "benchmarks/records" / record
    chosen = json.loads(path.read_text())["chosen"]
    rates = {c.name: c.settings(Settings(**cli_speed.SETTINGS[network])).lr
             for c in entered(2, network)}
    assert chosen == {name: rates[name] for name in chosen} and len(chosen) == len(rates) - 2


def test_points_change_one_thing_each():
    data = blobs(np.random.default_rng(0), n_train=600)
    found = sweep.points(BASE, data)
    assert found[0][0] == "base" and len({point[:2] for point in found}) == len(found)
    assert all(len(s.interfaces) == 1 for changed, _, s in found if changed != "workers")
