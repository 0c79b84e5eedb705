"""The figures of docs/results.md are those of the recorded runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from sgdni.experiments import convolutions, delayed_recall, depth, links
from sgdni.experiments.accuracy.results import as_markdown
from sgdni.experiments.catalogue import EXPERIMENTS
from sgdni.experiments.copying import PAPER, by_window
from sgdni.experiments.in_time import best_rate
from sgdni.experiments.speed.breakeven import steps_ratio
from sgdni.experiments.speed.contenders import (
    BACKPROP,
    DATA_PARALLEL,
    DELAYED,
    DNI,
    LOCAL_ERROR,
    LOCAL_LOSS,
    NETWORKS,
    SPLIT,
    Links,
)
from sgdni.experiments.speed.race import times_faster
from sgdni.experiments.speed.run import findings
from sgdni.experiments.speed.sweep import steps_faster
from sgdni.experiments.speed.tables import document, race_table, sweep_table

ROOT = Path(__file__).parents[1]
RESULTS = (ROOT / "docs/results.md").read_text(encoding="utf-8")
WORDS = " ".join(RESULTS.split())
REPORT = (ROOT / "benchmarks/records/speed/README.md").read_text(encoding="utf-8")
SPEED = json.loads((ROOT / "benchmarks/records/speed/results.json").read_text())
CLAIM = 3


@pytest.mark.parametrize("record", ["mnist", "mnist-5k"])
def test_tables_are_those_of_the_records(record):
    results = json.loads((ROOT / "benchmarks/records" / record / "results.json").read_text())
    assert as_markdown(results) in RESULTS


def test_what_is_said_of_accuracy_by_local_error():
    record = json.loads((ROOT / "benchmarks/records/mnist-local-error/results.json").read_text())
    first = json.loads((ROOT / "benchmarks/records/mnist/results.json").read_text())
    assert record["settings"]["hidden"] == first["settings"]["hidden"]
    assert record["settings"]["lr"] == first["settings"]["lr"]
    assert {len(epochs) for row in record["rows"] for epochs in row["history"]} == {20}
    found = {row["method"]: f"{100 * row['test_accuracy']:.2f}%" for row in record["rows"]}
    assert found == {"backprop": "98.41%", "local-error": "98.44%", "local-loss": "98.46%",
                     "cdni-ls": "98.60%"}
    assert "they have 98.44% and 98.46%, where backprop has 98.41% and `cdni-ls` 98.60%" in RESULTS


RECORDED = sorted(name for name in EXPERIMENTS if (ROOT / "benchmarks/records" / name).is_dir())


@pytest.mark.parametrize("name", RECORDED)
def test_findings_of_experiments_are_those_of_their_records(name):
    record = json.loads((ROOT / f"benchmarks/records/{name}/results.json").read_text())
    experiment = EXPERIMENTS[name]
    assert record["experiment"] == name
    assert record["findings"] == json.loads(json.dumps(experiment.find(record["rows"])))
    assert record["finding"] == experiment.say(record["findings"])
    assert " ".join(record["finding"].split()) in WORDS
    assert f"(../benchmarks/records/{name}/{name}.png)" in RESULTS


def test_what_is_said_of_delayed_recall():
    record = json.loads((ROOT / "benchmarks/records/delayed-recall/results.json").read_text())
    s, rows = record["settings"], record["rows"]
    assert (s["delay"], s["lead"], s["window"], s["windows"]) == (17, 4, 3, 20000)
    windows = sorted(row["windows"] for row in best_rate(rows, "sg", delayed_recall.score))
    assert (windows[0], windows[-1]) == (1800, 2800) and record["findings"]["sg_solved"] == 3
    truncated = [row for row in rows if row["contender"] == "tbptt"]
    assert not any(row["solved"] for row in truncated)
    assert len({row["rate"] for row in truncated}) == 3
    assert round(100 * max(max(row["right"]) for row in truncated)) == 93
    old = json.loads((ROOT / "benchmarks/records/delayed-recall-no-mark.json").read_text())
    assert old["settings"]["delay"] == 24 and old["findings"]["tbptt_solved"] == 2
    for words in ("is there in 1,800 to 2,800 windows", "its best 200 windows had 93% right"):
        assert words in WORDS


def test_what_is_said_of_sums():
    found = json.loads((ROOT / "benchmarks/records/sums/results.json").read_text())["findings"]
    ahead = [100 * (found[f"local_loss_hidden_head_{k}"] - found[f"local_error_hidden_head_{k}"])
             for k in (1, 4)]
    assert f"by {ahead[0]:.1f} points with one interface and {ahead[1]:.1f} with four".replace(
        "0.", ".") in WORDS
    assert found["linear_m_4"] < found["local_error_linear_head_4"] < found["linear_m_1"]


def test_what_is_said_of_links():
    record = json.loads((ROOT / "benchmarks/records/links/results.json").read_text())
    found, rows = record["findings"], record["rows"]

    def first(workers: int, latency: float, bandwidth: float | None = None) -> str:
        when = links.times(rows, workers, Links(latency, bandwidth))
        return min((name for name in when if not np.isnan(when[name])), key=when.get)

    assert {first(workers, 0.0) for workers in (2, 4, 8)} == {DATA_PARALLEL}
    assert {first(workers, 0.001) for workers in (2, 4)} == {DELAYED}
    assert {first(workers, 0.0, 125e6) for workers in (2, 4)} == {DELAYED}
    assert first(8, 0.001) == first(8, 0.0, 125e6) == LOCAL_ERROR
    assert {first(workers, 0.001, 12.5e6) for workers in (2, 4, 8)} == {BACKPROP}
    ahead = [f"{found[f'time_vs_best_{workers}_5ms']:.1f}" for workers in (2, 4, 8)]
    assert f"local error is, {ahead[0]}, {ahead[1]} and {ahead[2]} times as soon" in WORDS
    assert f"{found['predicted_within_10_percent']:.0%} are within 10%" in WORDS
    assert f"median is {found['predicted_over_measured']:.2f} of" in WORDS


def test_what_is_said_of_the_unlock():
    record = json.loads((ROOT / "benchmarks/records/unlock/results.json").read_text())
    found = record["findings"]
    assert (record["settings"]["epochs"], record["settings"]["loss_rate"]) == (4, 0.9)
    assert found["accuracy_wait"] > found["accuracy_synthetic_only"]  # "as accurate"
    assert round(found["update_cost_synthetic_only"], 1) == 2.6
    assert found["accuracy_lossy_wait"] < 0.15  # "nothing at all"
    assert "costs about 2.6 times one of backpropagation" in WORDS
    assert "waiting learns nothing at all" in WORDS


def test_what_is_said_of_sparse_updates():
    record = json.loads((ROOT / "benchmarks/records/sparse/results.json").read_text())
    found, s = record["findings"], record["settings"]
    assert (s["steps"], s["rates"]) == (936, [0.2, 0.1, 0.05])
    assert max(found["dni_5"], found["cdni_5"]) < found["top_only_5"]
    assert f"by least squares has {found['cdni_least_squares_5']:.1%}" in WORDS
    taken = [row["rate"] for row in record["rows"] if row["contender"] in ("DNI", "cDNI")]
    assert taken.count(0.05) >= len(taken) - 1  # "mostly"


def test_what_is_said_of_copy():
    record = json.loads((ROOT / "benchmarks/records/copy/results.json").read_text())
    found, s = record["findings"], record["settings"]
    assert (s["window"], len(s["rates"]), len(found["longest_sg"])) == (3, 2, 3)
    best = max(found["longest_tbptt"])
    for name in ("sg", "sg_aux", "sg_shuffled"):  # "no further than truncation"
        assert max(found[f"longest_{name}"]) <= best
    assert min(found["longest_sg_context"]) > 2 * best
    assert (PAPER[False]["BPTT"][3], PAPER[False]["DNI"][3]) == (8, 14)
    assert "gets no further than truncation" in WORDS
    assert "more than twice as far" in WORDS
    assert "8 without and 14 with synthetic gradients" in WORDS


def test_what_is_said_of_copy_in_other_windows():
    records = [json.loads((ROOT / f"benchmarks/records/{name}").read_text())
               for name in ("copy-2.json", "copy/results.json", "copy-4.json", "copy-5.json")]
    assert by_window(records, repeat=False) in RESULTS
    for record in (records[0], *records[2:]):
        found, s = record["findings"], record["settings"]
        assert (s["windows"], s["rates"]) == (40000, [0.003]) and len(found["longest_sg"]) == 3
        ratios = np.divide(found["longest_sg_context"], found["longest_tbptt"])
        assert min(ratios) >= 1.6  # "at least 1.6 times"
        for name in ("sg", "sg_aux", "sg_shuffled"):
            assert max(np.subtract(found[f"longest_{name}"], found["longest_tbptt"])) <= 1


def test_what_is_said_of_repeat_copy():
    record = json.loads((ROOT / "benchmarks/records/repeat-copy/results.json").read_text())
    found, s = record["findings"], record["settings"]
    assert (s["window"], s["windows"], len(s["rates"])) == (3, 60000, 2)
    assert max(max(found[f"longest_{name}"]) for name in ("sg", "sg_aux", "sg_shuffled")) == max(
        found["longest_tbptt"])  # "no gain"
    assert 1.9 < min(found["longest_sg_context"]) / max(found["longest_tbptt"]) < 2.1
    paper = [PAPER[True][name][3] for name in ("BPTT", "DNI", "DNI + auxiliary")]
    assert (f"{paper[0]} without and {paper[1]} with synthetic gradients, {paper[2]} with the "
            "auxiliary task") in WORDS


def test_what_is_said_of_characters():
    record = json.loads((ROOT / "benchmarks/records/characters/results.json").read_text())
    found, s = record["findings"], record["settings"]
    assert (s["window"], s["long_window"], len(found["bits_sg"])) == (5, 20, 3)
    assert ("truncation {:.2f} to {:.2f}, synthetic gradients {:.2f} to {:.2f}, the long windows "
            "{:.2f} to {:.2f}").format(*(end(found[f"bits_{name}"]) for name in (
                "tbptt", "sg", "bptt") for end in (min, max))) in WORDS


def test_what_is_said_of_steps():
    found = json.loads((ROOT / "benchmarks/records/steps/results.json").read_text())["findings"]
    assert f"it is {found['cdni_ls_1_8']:.2f} with one interface" in WORDS
    assert f"{found['cdni_ls_4_8']:.2f} with four" in WORDS
    loss = [value for name, value in found.items() if name.startswith("local_loss")]
    assert len(loss) == 4
    assert f"takes {min(loss):.2f} to {max(loss):.2f} times backprop's steps" in WORDS


def test_what_is_said_of_traces():
    found = json.loads((ROOT / "benchmarks/records/bp-lambda/results.json").read_text())["findings"]
    for rho in (90, 97):  # "differ least from seed to seed"
        names = [name for name in found if name.startswith(f"rho_{rho}")]
        assert min(names, key=lambda name: np.ptp(found[name])) == f"rho_{rho}_ls"
    assert np.median(found["rho_97_lambda_90"]) < np.median(found["rho_97_ls"])
    assert abs(np.median(found["rho_90_lambda_80"]) - np.median(found["rho_90_ls"])) < 0.001
    broken = [name for name, values in found.items() if max(values) > 1]
    assert broken == ["rho_97_lambda_40"] and sum(v > 1 for v in found[broken[0]]) == 1
    assert "differ least from seed to seed; where it is long they do not get as far" in WORDS
    assert "At rho .97 and lambda 0.4 one of the seeds broke down" in WORDS


def test_what_is_said_of_longer_windows():
    record = json.loads((ROOT / "benchmarks/records/window_cost.json").read_text())
    rows = {row["contender"]: row for row in record["rows"]}
    ours, long = rows["synthetic gradients, T = 3"], rows["truncated backprop, T = 25"]
    said = WORDS
    assert f"take {ours['update_vs_short']:.2f} times as long an update" in said
    assert f"keep {ours['bytes'] / 1024:.0f} KiB alive" in said
    assert (f"{long['update_vs_short']:.2f} times as long and {long['bytes'] / 1024:,.0f} KiB"
            in said)
    assert f"takes {long['tick_vs_short']:.2f} times as long as with windows of 3" in said
    ticks = long["tick_vs_short"] / ours["tick_vs_short"]
    assert f"and {ticks:.2f} times as long as with a synthetic" in said


def test_tables_of_speed_are_those_of_the_record():
    assert race_table(SPEED) in RESULTS
    few = [point for point in SPEED["sweep"] if point["changed"] in ("base", "latency")]
    assert sweep_table({"sweep": few}) in RESULTS
    assert all(part in REPORT for part in document(SPEED).split("\n\n"))
    assert SPEED["findings"] == findings(SPEED["race"])


def figures() -> dict[str, float]:
    """What the bullets say in numbers, and what the record says of it."""
    found, rows = SPEED["findings"], {row["name"]: row for row in SPEED["race"]}
    over = rows[f"{DNI}, 5 ms links"]
    learning = {(e["workers"], e["staleness"]): e["steps_ratio"]
                for e in SPEED["break_even_map"]["learning"]}
    alone = times_faster(over, rows[BACKPROP])["seconds_to_target"]
    all_cores = times_faster(rows[DNI], rows["backprop, 2 BLAS threads"])
    said = {
        "make together 1.88 times the images": SPEED["parallel_limit"],
        "is 1.16 times as fast as backprop on one core": found["images_per_second_vs_backprop"],
        "and takes 1.20 times as long to 97%; against": 1 / found["time_to_target_vs_backprop"],
        "is about as fast (0.98) as that": all_cores["images_per_second"],
        "and takes 1.46 times as long to 97%.": 1 / all_cores["seconds_to_target"],
        "it is 4.30 times as fast as backprop split":
            over["vs_model_parallel"]["images_per_second"],
        "reaches 97% 3.19 times sooner": found["time_to_target_5ms_vs_model_parallel"],
        "needs no links, it takes 1.37 times as long": 1 / alone,
        "8 or 24 minibatches late: 1.32": learning[2, 8], " or 1.62 with 2": learning[2, 24],
        "workers; 1.90": learning[3, 8], " or 2.02 with 3": learning[3, 24],
        "workers; 2.43": learning[4, 8], " or 2.59 with 4": learning[4, 24],
    }
    assert learning[8, 8] is None and learning[8, 24] is None  # "most runs were not there"
    return said


@pytest.mark.parametrize("text", [RESULTS, REPORT], ids=["results", "report"])
def test_every_figure_of_the_bullets_is_that_of_the_record(text):
    bullets = text[text.index("- A yardstick"):]
    bullets = bullets[:bullets.index("\n\n")]
    rest = bullets
    for words, value in figures().items():
        assert words in bullets, words
        assert f"{value:.2f}" in words
        rest = rest.replace(words, "")
    assert re.findall(r"\d\.\d\d", rest) == []


def raced(name: str) -> tuple[dict, dict, dict]:
    """Return the record of a race, its findings and its rows by name; they fit each other."""
    record = json.loads((ROOT / f"benchmarks/records/{name}/results.json").read_text())
    assert record["findings"] == findings(record["race"])
    assert document(record) == (ROOT / f"benchmarks/records/{name}/README.md").read_text()
    return record, record["findings"], {row["name"]: row for row in record["race"]}


def test_what_is_said_of_the_newer_race():
    newer, found, rows = raced("race")
    said = RESULTS[RESULTS.index("A newer race"):]
    said = said[:said.index("The same race another day")]
    assert (newer["epochs"], newer["repeats"]) == (2, 5)

    def sooner(rival: str, links: Links | None = None) -> float:
        ours, theirs = (rows[name + (f", {links}" if links else "")]
                        for name in (LOCAL_ERROR, rival))
        return times_faster(ours, theirs)["seconds_to_target"]

    slow, net = Links(0.005), NETWORKS["1gbit"]
    for words, value in {
        "makes 1.42 times the images": found["images_per_second_vs_backprop"],
        "1.06 times those of its best rival": found["images_per_second_vs_best_rival"],
        "1.08 times as soon as one-core": found["time_to_target_vs_backprop"],
        "(0.93)": found["time_to_target_vs_best_rival"],
        "2.94 times sooner than model-parallel": found["time_to_target_5ms_vs_model_parallel"],
        "2.82 times sooner than data-parallel": found["time_to_target_5ms_vs_data_parallel"],
        "1.87 and": sooner(SPLIT, net), "3.29 times.": sooner(DATA_PARALLEL, net),
        "1.02 times as\n  soon": sooner(LOCAL_LOSS), "0.87 times at": sooner(LOCAL_LOSS, slow),
        "1.08 and\n": sooner(DELAYED), "0.93 times;": sooner(DELAYED, slow),
        "0.97 times": found["time_to_target_1ms_1gbit_vs_best_rival"],
    }.items():
        assert words in said and f"{value:.2f}" in words, (words, value)
        said = said.replace(words, "", 1)
    assert re.findall(r"\d\.\d\d", said) == []
    for name, words in {LOCAL_ERROR: "sends 154 kB", LOCAL_LOSS: "and 137 kB", SPLIT: "263 kB with",
                        DELAYED: "263 kB with", DATA_PARALLEL: "and 3,215 kB"}.items():
        assert words in said and f"{rows[name]['bytes_per_step'] / 1000:,.0f} kB" in words
    assert sooner(DATA_PARALLEL) == found["time_to_target_vs_best_rival"]
    assert sooner(DELAYED, net) == found["time_to_target_1ms_1gbit_vs_best_rival"]


def test_what_is_said_of_the_race_of_convolutions():
    record, found, rows = raced("race-cnn")
    s = record["settings"]
    assert (s["hidden"], s["cuts"], record["target"], record["epochs"], record["repeats"]) == (
        [16, 32], [1], 0.98, 1, 3)

    def faster(rival: str, ours: str = LOCAL_ERROR, of: str = "images_per_second") -> str:
        return f"{times_faster(rows[ours], rows[rival])[of]:.2f}"

    def sooner(rival: str, ours: str = LOCAL_ERROR) -> str:
        return faster(rival, ours, "seconds_to_target")

    threads, slow = "backprop, 2 BLAS threads", f", {Links(0.005)}"
    said = RESULTS[RESULTS.index("And for convolutions"):]
    said = said[:said.index("Where does the time")]
    for words in (
            f"makes {faster(BACKPROP)} times the images",
            f"at 98% {sooner(BACKPROP)} times as\n  soon",
            f"{faster(threads)} and {sooner(threads)} times: a",
            f"next to nothing ({faster(BACKPROP, threads)})",
            f"best rival, {faster(DATA_PARALLEL)} and {sooner(DATA_PARALLEL)}, a tie",
            f"local loss {faster(LOCAL_LOSS)} and {sooner(LOCAL_LOSS)}",
            f"is {faster(BACKPROP, DNI)} and {sooner(BACKPROP, DNI)} times as fast",
            f"{sooner(SPLIT + slow, LOCAL_ERROR + slow)} times as soon as model",
            f"{sooner(DATA_PARALLEL + slow, LOCAL_ERROR + slow)} times as data"):
        assert words in said, words
        said = said.replace(words, "", 1)
    assert re.findall(r"\d\.\d\d(?!\d)", said.replace("0.98", "")) == []


def test_what_is_said_of_the_race_over_100_mbit():
    record, found, rows = raced("race-100mbit")
    slow = NETWORKS["100mbit"]

    def sooner(rival: str, crossing: bool = False) -> float:
        over = f", {slow}" if crossing else ""
        rival = rival if rival == BACKPROP else rival + over
        return times_faster(rows[LOCAL_ERROR + over], rows[rival])["seconds_to_target"]

    assert sooner(DATA_PARALLEL) == found["time_to_target_vs_best_rival"]
    assert sooner(DELAYED, True) == found["time_to_target_1ms_100mbit_vs_best_rival"]
    said = RESULTS[RESULTS.index("The same race another day"):]
    said = said[:said.index("And for convolutions")]
    for words, value in {
        "makes 1.60 times the images": found["images_per_second_vs_backprop"],
        "1.06 times those": found["images_per_second_vs_best_rival"],
        "is 1.31 times as soon as one-core": sooner(BACKPROP),
        "1.01 times as data-parallel": sooner(DATA_PARALLEL),
        "local loss 0.95": sooner(LOCAL_LOSS), "2.10 times as soon as model": sooner(SPLIT, True),
        "9.79 times as data-parallel": sooner(DATA_PARALLEL, True),
        "(0.86)": sooner(DELAYED, True), "does not: 0.31": sooner(BACKPROP, True),
    }.items():
        assert words in said and f"{value:.2f}" in words, (words, value)
        said = said.replace(words, "", 1)
    assert re.findall(r"\d\.\d\d(?!\d)", said) == []


def test_what_is_said_of_where_the_time_goes():
    record = json.loads((ROOT / "benchmarks/records/worker_profile.json").read_text())
    found = record["findings"]
    lower = sum(value for name, value in found.items() if name.startswith("lower"))
    assert len(record["turns"]) == 20
    for words, share in {"95% of it is": found["slower_workers_share"],
                         "(38% forward": found["upper_forward"],
                         "57% backward": found["upper_backward"],
                         "busy for 64% of the step": lower}.items():
        assert words in WORDS and f"{share:.0%}" in words, (words, share)
    assert f"make {found['steps_per_second_vs_backprop']:.2f} times the steps" in WORDS


def test_what_is_said_of_the_cost_of_a_step():
    record = json.loads((ROOT / "benchmarks/records/step_cost.json").read_text())
    momentum, plain, deeper = ({row["contender"]: row for row in one["rows"]}
                               for one in record["runs"])

    def cost(run: dict, name: str) -> float:
        return run[name]["cost_vs_backprop"]

    products, torch = "its matrix products alone", "pytorch eager"
    for words, value in {
        "costs 1.07 times": cost(deeper, "local error, 1 interface, fitted on every step"),
        "and 1.22 times with four": cost(deeper, "local error, 4 interfaces, fitted on every step"),
        "processes 1.23\n": cost(momentum, torch), "(1.22)": cost(plain, torch),
    }.items():
        assert words in RESULTS and f"{value:.2f}" in words, (words, value)
    assert f"{cost(momentum, products):.0%} of a backprop step are matrix products" in RESULTS
    assert f"({cost(plain, products):.0%} with plain SGD)" in RESULTS
    for name, row in deeper.items():
        if "8th" in name:
            assert abs(row["cost_vs_backprop"] - 1) <= 0.02  # "as much as backprop's"
    linear = [row["cost_vs_backprop"] / row["predicted_cost_vs_backprop"]
              for run in (momentum, plain) for name, row in run.items() if "cdni" in name]
    assert 0.09 < max(abs(ratio - 1) for ratio in linear) <= 0.11


def since(rival: str, learnt: bool = False) -> dict[float, list[int]]:
    """From which latency (ms) on DNI is over 3-fold faster by the map, with how many workers."""
    found, said = SPEED["break_even_map"], {}
    for workers, ratios in zip(found["workers"], found["predicted"][rival], strict=True):
        pairs = [(1e3 * s, r / (steps_ratio(found, workers, s) if learnt else 1))
                 for s, r in zip(found["latencies"], ratios, strict=True)]
        pairs = [(s, r) for s, r in pairs if not np.isnan(r)]  # where steps were measured
        below = [k for k, (_, r) in enumerate(pairs) if r <= CLAIM]
        first = below[-1] + 1 if below else 0
        if first < len(pairs):
            said.setdefault(pairs[first][0], []).append(workers)
    return said


@pytest.mark.parametrize("rival, learnt, words, latencies", [
    (SPLIT, False, "against backprop split over the same workers and links from 5 ms on with 2 "
     "workers; from 1 ms on with 3 or 4 workers; at any latency with 8, 16, 32 or 64 workers.",
     {5: [2], 1: [3, 4], 0: [8, 16, 32, 64]}),
    (SPLIT, True, "in time to 97% against the same from 5 ms on with 2, 3 or 4 workers.",
     {5: [2, 3, 4]}),
    ("best", False, "in images per second from 0.2 ms on with 16 workers; at any latency with 32 "
     "or 64 workers, and", {0.2: [16], 0: [32, 64]}),
    ("best", True, "and in time to 97% nowhere on the map.", {}),
])
def test_what_is_said_of_the_map_is_on_the_map(rival, learnt, words, latencies):
    assert words in RESULTS and words in REPORT
    assert since(rival, learnt) == latencies


def test_what_else_is_said_of_the_sweep():
    seldom = next(p for p in SPEED["sweep"] if (p["changed"], p["value"]) == ("fit_every", 8))
    assert f"DNI makes {steps_faster(seldom, DNI, BACKPROP):.2f} times the images" in RESULTS
    ratios = [row["predicted_over_measured"] for p in SPEED["sweep"] for row in p["rows"]]
    known = [r for r in ratios if r is not None]
    assert f"at\n{sum(0.85 <= r <= 1.15 for r in known)} of {len(known)} points" in REPORT


def recorded(name):
    return json.loads((ROOT / f"benchmarks/records/{name}").read_text())


def middle(values):
    return float(np.median(values))


def test_what_is_said_of_convergence():
    record = recorded("convergence/results.json")
    found, rows = record["findings"], record["rows"]
    assert max(found["mse_gap"]) <= 1e-9
    assert max(found["prediction_error"] + found["prediction_error_classes"]) <= 1e-5
    assert max(found["backprop_gap"]) < 1e-4 and min(found["new_point_cosine"]) > 1 - 1e-6
    one = [row for row in rows if (row["what"], row.get("model")) == ("one logit", "linear")]
    assert len(one) == 36
    for clouds, low, high in ((("gaussian", "log-normal"), 0.0006, 0.023),
                              (("far cluster",), 0.10, 0.21)):
        gaps = [row["gap"] for row in one if row["cloud"] in clouds]
        assert (round(min(gaps), 4 if low < 0.01 else 2), round(max(gaps), 3 if low < 0.01 else 2)
                ) == (low, high)
    narrow = [row["gap"] for row in rows
              if (row.get("network"), row.get("model")) == ("bottleneck", "local error")]
    assert len(narrow) == 6 and max(narrow) < 1e-9
    worse = [row for row in rows if row["what"] == "log loss" and row["network"] == "direct"]
    assert (min(row["gap"] for row in worse if row["model"] == "local error")
            > max(row["gap"] for row in worse if row["model"] == "linear"))
    assert set(found["largest_stable_sg_rate"]) == {0.1}
    assert "all 36 cases" in WORDS and "stable up to a rate of 0.1" in WORDS


def test_what_is_said_of_implied_losses():
    record = recorded("implicit-loss/results.json")
    found, s = record["findings"], record["settings"]
    assert (s["early"], s["late"]) == (20, 5000)
    assert found["least_at_local_error_late"] == [None] * 3  # nothing is pushed back
    assert f"a random matrix has {middle(found['antisymmetric_random']):.2f}" in WORDS
    assert found["antisymmetric_local_loss"] == [0, 0, 0]


def test_what_is_said_of_random_labels():
    record = recorded("random-labels/results.json")
    found, s = record["findings"], record["settings"]
    assert (s["size"], s["layers"], s["width"]) == (1000, 4, 128)
    for name in ("linear", "local_error"):  # "every one reaches 100%"
        assert min(found[f"known_by_place_{name}"]) == 1
    linear, alone = found["epochs_to_90_by_place"], found["epochs_to_90_by_place_top_only"]
    assert [a > b for a, b in zip(linear[:3], alone[:3], strict=True)] == [True, True, False]
    assert (min(s["rates"]), max(s["rates"]), len(s["rates"])) == (0.005, 0.4, 7)
    chosen = {name: [row["rate"] for row in record["rows"] if row["contender"] == name
                     and row["place"] in (0, 1, 2)] for name in ("linear", "backprop")}
    assert set(chosen["backprop"]) == {0.1} and middle(chosen["linear"]) == 0.01


def test_what_is_said_of_representations():
    own, one = recorded("representations/results.json"), recorded("representations-one-rate.json")
    assert own["settings"] | {"rates": [0.1]} == one["settings"]
    names = ("linear", "local_error", "backprop", "backprop_again", "untrained")
    for record in (own, one):
        found = {key: middle(values) for key, values in record["findings"].items()}
        apart = {name: found[f"contrast_{name}_3"] for name in names}
        assert apart["linear"] > apart["local_error"] > max(apart["backprop"],
                                                            apart["backprop_again"])
        assert found["rsa_backprop_again_3"] - found["rsa_linear_3"] < 0.06  # "hardly less"
        assert found["probe_linear_2"] > found["probe_backprop_2"]
    told = [f"{apart[name]:.2f}" for name in names[:4]]
    alike = [f"{found[f'rsa_{name}_3']:.2f}" for name in names if name != "backprop"]
    linear, local, again, untrained = alike
    assert f"apart by {told[0]}, {told[1]}, {told[2]} and {told[3]}, and the" in WORDS
    assert f"similarities are {linear}, {local}, {again} and {untrained}" in WORDS


def test_what_is_said_of_depth():
    record = recorded("depth/results.json")
    found, s = record["findings"], record["settings"]
    assert depth.beside_the_paper(found) in RESULTS
    assert (s["steps"], s["deep_steps"], len(s["recipes"]), len(s["rates"])) == (2340, 936, 6, 3)
    for layers in s["depths"]:
        error = {name: middle(found[f"error_percent_{name}_{layers}"])
                 for name in ("backprop", "local_error", "cdni")}
        assert error["local_error"] <= error["backprop"] + 0.05  # "level"
        assert error["cdni"] < error["backprop"] + 0.55  # "half a point"
    assert np.all(np.diff([middle(found[f"error_percent_dni_{n}"]) for n in s["depths"]]) > 0)
    assert depth.by_depth(found) in RESULTS and s["deep"] == [10, 20, 30, 50]
    for layers in s["deep"]:
        deep = {name: middle(found[f"accuracy_{layers}_{name}"]) for name in (
            "local_error", "local_loss", "backprop", "linear_in_the_middle")}
        short = min(deep["local_error"], deep["local_loss"]) - deep["backprop"]
        assert abs(short) < 0.005 if layers == 10 else short > 0.01
        assert abs(deep["linear_in_the_middle"] - deep["backprop"]) < 0.01
    assert 0.04 < short < 0.05  # "four points at 50"
    assert f"in the middle has {deep['linear_in_the_middle']:.1%} at 50" in WORDS


def test_what_is_said_of_one_view():
    record = recorded("one-view/results.json")
    found = {name: middle(values) for name, values in record["findings"].items()}
    for name, words in (("direct_feedback_alignment", "direct feedback alignment {}"),
                        ("kickback", "Kickback {}"), ("linear", "the papers' linear model {}"),
                        ("local_loss", "the local loss {}")):
        assert words.format(f"{found[f'accuracy_{name}']:.1%}") in WORDS
    learning = [value for name, value in found.items()
                if name.startswith("accuracy_") and name != "accuracy_top_only"]
    assert max(learning) == found["accuracy_backprop"] and np.ptp(learning) < 0.015
    assert f"rank correlation {found['rank_correlation']:.2f}" in WORDS
    assert {f"{found[f'cost_{name}']:.2f}" for name in ("local_loss", "direct_feedback_alignment")
            } == {"0.93"}
    for name, words in (("feedback_alignment", "feedback alignment's {}"),
                        ("local_error", "local error's {}"),
                        ("linear", "the linear model's by least squares {}")):
        assert words.format(f"{found[f'cost_{name}']:.2f}") in WORDS


def test_what_is_said_of_convolutions():
    record = recorded("cnn/results.json")
    found, s = record["findings"], record["settings"]
    two = recorded("cnn-2.json")
    assert two["settings"] == s | {"channels": [8, 16], "sum_steps": 0}
    assert convolutions.beside_the_paper({"8-16": two["findings"], "8-16-16": found}) in RESULTS
    for size in (two["findings"], found):  # "level"
        assert abs(size["accuracy_local_error"] - size["accuracy_backprop"]) < 0.002
    longer = recorded("cnn-longer.json")
    assert longer["settings"] == s | {"steps": 0, "sum_steps": 2000, "contenders": [
        "top only", "backprop", "local error", "local loss"]}
    control, error, loss = (f"{100 * (longer['findings']['accuracy_backprop_sum'] - value):.1f}"
                            for value in (longer["findings"][f"accuracy_{name}_sum"] for name in (
                                "untrained", "local_error", "local_loss")))
    assert (f"the control is {control} points behind, local error {error} and the local loss {loss}"
            in WORDS)
    above = [100 * (two["findings"][f"accuracy_{name}"] - two["findings"]["accuracy_untrained"])
             for name in ("cdni", "dni")]
    assert 0.45 < min(above) and max(above) < 0.55  # "half a point"
    assert max(found["accuracy_dni"], found["accuracy_cdni"]) < found["accuracy_untrained"]
    assert (s["channels"], s["sum_steps"], s["steps"]) == ([8, 16, 16], 1000, 938)
    digit, untrained, error, loss = (
        f"{100 * (found[f'accuracy_backprop{task}'] - found[f'accuracy_{name}{task}']):.1f}"
        for name, task in (("untrained", ""), ("untrained", "_sum"), ("local_error", "_sum"),
                           ("local_loss", "_sum")))
    assert f"never trained are {digit} points behind backpropagation" in WORDS
    assert (f"they are {untrained} points behind; local error is {error} behind and the local loss "
            f"{loss}, while") in WORDS
    assert max(found["accuracy_dni_sum"], found["accuracy_cdni_sum"]
               ) < found["accuracy_untrained_sum"]
