"""The comparison's bookkeeping: turns, medians, nulls, files and pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni._util.blas import blas_libraries, blas_threads
from sgdni.cli import main
from sgdni.experiments.accuracy.compare import Runs, compare
from sgdni.experiments.accuracy.results import render, summarise
from sgdni.experiments.contenders import Contender
from sgdni.experiments.products import Product
from sgdni.experiments.record import folder_for, write
from sgdni.experiments.tables import markdown, plain
from sgdni.runs.methods import METHODS, build_trainer
from sgdni.schedules import DivergenceError
from sgdni.training import EpochRecord

FIELDS = {
    "method", "workers", "blas_threads", "test_accuracy", "test_accuracy_spread",
    "seconds_per_step", "images_per_second", "speedup_vs_backprop", "seconds_per_epoch",
    "target_accuracy", "seconds_to_target", "sg_relative_error", "history",
}


def test_command_writes_results_and_pictures(tmp_path, capsys):
    words = ["benchmark", "--hidden", "16", "12", "--epochs", "2", "--repeats", "2", "--out",
             str(tmp_path / "deep" / "er")]
    assert main(words) == 0
    folder = tmp_path / "deep" / "er"
    results = json.loads((folder / "results.json").read_text())
    assert {p.name for p in folder.iterdir()} == {"results.json", "accuracy.png", "sg_error.png"}
    for name in ("accuracy.png", "sg_error.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert [row["method"] for row in results["rows"]] == list(METHODS)
    for row in results["rows"]:
        assert FIELDS <= row.keys()
        assert [len(h) for h in row["history"]] == [2, 2]
        interfaces = None if row["method"] == "backprop" else 2
        assert (row["sg_relative_error"] and len(row["sg_relative_error"])) == interfaces
    assert results["rows"][0]["speedup_vs_backprop"] == 1
    assert results["machine"]["cores"] >= 1 and results["settings"]["hidden"] == [16, 12]
    table = capsys.readouterr().out
    assert all(method in table for method in METHODS) and "backprop" in table


class Fake:
    """A contender that diverges in its second epoch if it is called b."""

    def __init__(self, name, turns):
        self.name, self.turns, self.history = name, turns, []

    def dismiss(self):
        self.dismissed = True

    def epoch(self):
        self.turns.append(self.name)
        if self.name == "b" and len(self.history) == 1:
            raise DivergenceError("loss", 1e9, 1e6, None)
        self.history.append(record(len(self.history) + 1, 1.0, 0.5, 1.0))


def record(epoch, seconds, accuracy, total, sg=()):
    return EpochRecord(epoch, 10, 1.0, 0.5, 1.0, accuracy, seconds, total, sg, sg, sg)


def rows_of(histories, target=0.9):
    data = blobs(np.random.default_rng(0))
    runs = {name: Runs(Contender(name), [SimpleNamespace(history=one) for one in h])
            for name, h in histories.items()}
    epochs = max(len(h) for hs in histories.values() for h in hs)
    results = summarise(runs, data, TINY, epochs=epochs, target=target)
    return {row["method"]: row for row in results["rows"]}


def test_rows_are_medians_of_last_epochs_and_of_paired_ratios():
    slow = [[record(1, 2.0, 0.95, 2.0), record(2, 6.0, a, 8.0)] for a in (0.7, 0.91, 0.8)]
    fast = [[record(1, 1.0, 0.5, 1.0), record(2, 2.0, a, 3.0, (0.5, s))]
            for a, s in ((0.6, 0.1), (0.9, 0.2), (0.92, 0.3))]
    rows = rows_of({"backprop": slow, "cdni": fast})
    assert rows["backprop"]["test_accuracy"] == 0.8  # the last epoch, not the best
    assert rows["backprop"]["test_accuracy_spread"] == [0.7, 0.91]
    assert rows["cdni"]["speedup_vs_backprop"] == 2.5  # median of 2, 3, 2, 3, 2, 3
    assert rows["cdni"]["seconds_per_step"] == pytest.approx(0.15)
    assert rows["cdni"]["images_per_second"] == pytest.approx(TINY.batch_size / 0.15)
    assert rows["cdni"]["sg_relative_error"] == [0.5, 0.2]
    assert rows["backprop"]["seconds_to_target"] == 2.0
    assert rows["cdni"]["seconds_to_target"] == 3.0  # reached by two repeats of three
    assert rows["backprop"]["sg_relative_error"] is None


def test_a_target_missed_by_most_repeats_is_null():
    histories = {"backprop": [[record(1, 1.0, a, 1.0)] for a in (0.95, 0.5, 0.6)]}
    assert rows_of(histories)["backprop"]["seconds_to_target"] is None
    assert rows_of(histories, target=None)["backprop"]["seconds_to_target"] is None


def test_without_backprop_there_is_no_speedup():
    assert rows_of({"cdni": [[record(1, 1.0, 0.9, 1.0)]]})["cdni"]["speedup_vs_backprop"] is None


def test_contenders_take_turns_and_a_diverged_one_drops_out(tmp_path):
    turns = []
    data = blobs(np.random.default_rng(0))
    contenders = [Contender(name, build=lambda s, d, name=name: Fake(name, turns))
                  for name in "abc"]
    runs = compare(contenders, data, TINY, epochs=3, repeats=1)
    assert "".join(turns) == "abcabcac"
    assert "diverged" in runs["b"].failure
    results = summarise(runs, data, TINY, epochs=3, target=0.9)
    assert results["rows"][1]["test_accuracy"] is None
    assert "b broke off" in render(results)
    assert json.loads(write(results, tmp_path).read_text())["rows"][1]["failure"]


def test_workers_end_with_the_repeat_however_it_ends():
    """Also those of a contender that broke down, which may have workers that wait."""
    class Stopped(Fake):
        def epoch(self):
            if len(self.history) == 2:
                raise KeyboardInterrupt
            super().epoch()

    learners = {name: kind(name, []) for name, kind in
                (("a", Fake), ("b", Fake), ("c", Stopped))}
    contenders = [Contender(name, build=lambda s, d, name=name: learners[name])
                  for name in learners]
    with pytest.raises(KeyboardInterrupt):
        compare(contenders, blobs(np.random.default_rng(0)), TINY, epochs=3, repeats=1)
    assert all(learner.dismissed for learner in learners.values())


def test_blas_threads_are_those_of_the_contender():
    seen = []

    class Looks(Fake):
        def epoch(self):
            seen.append({library["num_threads"] for library in blas_libraries()})
            super().epoch()

    contenders = [
        Contender(name, blas_threads=count, build=lambda s, d, name=name: Looks(name, []))
        for name, count in (("a", 1), ("c", 2))
    ]
    with blas_threads(2):
        compare(contenders, blobs(np.random.default_rng(0)), TINY, epochs=1, repeats=1)
    assert seen in ([{1}, {2}], [set(), set()])  # none to be seen where BLAS has no such switch


def test_validation_images_come_from_the_training_set(tmp_path):
    words = ["benchmark", "--hidden", "8", "--epochs", "1", "--repeats", "1", "--methods",
             "backprop", "--validate", "500", "--out", str(tmp_path)]
    assert main(words) == 0
    data = json.loads((tmp_path / "results.json").read_text())["data"]
    assert data == {"name": "mnist-5k-validation", "train": 3500, "test": 500}


def test_a_contender_that_breaks_down_leaves_the_others_their_results(tmp_path):
    words = ["benchmark", "--hidden", "8", "--epochs", "1", "--repeats", "1", "--ridge", "0",
             "--methods", "backprop", "cdni-ls", "--out", str(tmp_path)]
    assert main(words) == 0
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert rows[0]["test_accuracy"] > 0.5
    assert rows[1]["test_accuracy"] is None and "singular" in rows[1]["failure"]


def test_seconds_add_up_over_epochs():
    trainer = build_trainer("backprop", TINY, blobs(np.random.default_rng(0)))
    records = [trainer.epoch() for _ in range(3)]
    assert all(r.train_seconds > 0 for r in records)
    assert [r.total_seconds for r in records] == pytest.approx(
        np.cumsum([r.train_seconds for r in records]))


def test_repeats_use_consecutive_seeds_and_are_reproducible():
    data = blobs(np.random.default_rng(0))
    def losses():
        runs = compare([Contender("cdni")], data, TINY, epochs=1, repeats=2)
        return [h[0].train_loss for h in runs["cdni"].histories]
    first = losses()
    assert first == losses() and first[0] != first[1]


def test_non_finite_figures_become_null(tmp_path):
    path = write({"rows": [{"x": float("nan"), "y": [1.0, float("inf")]}]}, tmp_path)
    assert json.loads(path.read_text()) == {"rows": [{"x": None, "y": [1.0, None]}]}


def test_a_folder_that_stays_empty_is_dropped(tmp_path):
    with pytest.raises(ValueError, match="no"), folder_for(tmp_path / "a/b", "x"):
        raise ValueError("no")
    assert not (tmp_path / "a/b").exists()
    with folder_for(tmp_path / "a/b", "x") as folder:
        write({}, folder)
    assert (tmp_path / "a/b/results.json").exists()


def test_an_empty_folder_that_was_there_stays(tmp_path):
    with pytest.raises(ValueError, match="no"), folder_for(tmp_path, "x"):
        raise ValueError("no")
    assert tmp_path.is_dir()


def test_an_interrupted_write_leaves_the_old_record(tmp_path):
    write({"a": 1}, tmp_path)
    with pytest.raises(TypeError):
        write({"a": object()}, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_tables_in_both_forms():
    rows = [{"who": "a", "ms": "1.0"}, {"who": "long", "ms": "10.0"}]
    assert plain(rows).splitlines() == [
        "who     ms", "----------", "a      1.0", "long  10.0"]
    assert markdown(rows).splitlines() == [
        "| who | ms |", "|---|---:|", "| a | 1.0 |", "| long | 10.0 |"]


def test_a_contender_has_settings_of_its_own():
    base = replace(TINY, hidden=(8, 8), cuts=(1,), engine="processes", latency=0.001)
    assert Contender("backprop").settings(base) == base and Contender("cdni").workers(base) == 2
    alone = Contender("a", "backprop", "sequential", changes={"lr": 0.5})
    assert alone.settings(base) == replace(base, engine="sequential", latency=0.0, lr=0.5)
    assert alone.workers(base) == 1
    assert Contender("peer", build=lambda s, d: None).workers(base) == 1
    trainer = alone.trainer(base, blobs(np.random.default_rng(0)))
    assert trainer.schedule.network.modules[0].optimizer.lr == 0.5


def test_products_alone_compute_the_listed_shapes(rng, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from step_cost import ProductsAlone

    alone = ProductsAlone([Product("a", 3, 4, 5), Product("b", 4, 3, 5, transposed="left")], rng)
    alone.step()
    for left, right, out in alone._triples:
        np.testing.assert_allclose(out, left @ right, rtol=1e-5)
    with pytest.raises(ValueError, match="plain products"):
        ProductsAlone([Product("c", 3, 3, 3, solve=True)], rng)


def test_operations_of_products_and_solutions():
    assert Product("a", 3, 4, 5, per_step=0.5).operations == 60
    assert Product("s", 3, 3, 5, solve=True).operations == 2 * 27 / 3 + 4 * 9 * 5
