"""Whole trainings against the clock: images per second, update latency, time to a test accuracy.

Learning curves are finer than an epoch: weights are copied on the way (see Recorder) and tested
afterwards, outside the measured time, until the target is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np

from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import Recipe, Runs, compare
from sgdni.experiments.speed.contenders import BACKPROP, SPLIT, Way, with_links
from sgdni.experiments.speed.sweep import linked
from sgdni.runs.settings import Settings
from sgdni.schedules import Recorder
from sgdni.training import EpochRecord, Trainer
from sgdni.training.evaluation import evaluate

TESTS_PER_EPOCH = 20


class Racer:
    """A trainer that also notes when it first had the target accuracy, and its latencies.

    Attributes
    ----------
    curve : list of (seconds, steps, test accuracy), until the target is reached
    reached : the entry of `curve` with the target, or None so far
    """

    def __init__(self, trainer: Trainer, target: float) -> None:
        self.trainer, self.target = trainer, target
        self.history: list[EpochRecord] = trainer.history
        network = trainer.schedule.network
        self._every = max(1, trainer.steps_per_epoch // TESTS_PER_EPOCH)
        self.recorder = Recorder(network.modules, self._every,
                                 trainer.steps_per_epoch // self._every)
        trainer.schedule.recorder = self.recorder
        self._spare = deepcopy(network)
        self.curve: list[tuple[float, int, float]] = []
        self.reached: tuple[float, int, float] | None = None
        self.update_latency: list[list[float]] = []
        self.locked_seconds: list[list[float]] = []

    def epoch(self) -> EpochRecord:
        before = self.history[-1].total_seconds if self.history else 0.0
        steps = sum(record.steps for record in self.history)
        self.recorder.begin()
        record = self.trainer.epoch()
        for found, ours in ((self.recorder.update_latencies(), self.update_latency),
                            (self.recorder.locked_seconds(), self.locked_seconds)):
            ours.append([float(np.median(track)) for track in found])
        for k, seconds in enumerate(self.recorder.snapshots()):
            if self.reached is None:
                self._test(k, before + seconds, steps + (k + 1) * self._every)
        return record

    def _test(self, k: int, seconds: float, steps: int) -> None:
        self.recorder.load(k, self._spare.modules)
        data = self.trainer.data
        _, right = evaluate(self._spare, data.x_test, data.y_test, self.trainer.dtype)
        self.curve.append((seconds, steps, right))
        if right >= self.target:
            self.reached = self.curve[-1]


def race(every: Sequence[Way], data: Dataset, settings: Settings, *, latency: float, epochs: int,
         repeats: int, target: float, on_turn: Callable[[str], None] = lambda name: None,
         on_repeat: Callable[[list[dict]], None] = lambda rows: None) -> list[dict]:
    """Train all ways, and those with workers once more over links with a latency, in turns.

    `on_turn` is called before each epoch of each, `on_repeat` with the rows so far after each
    repeat.

    Returns
    -------
    list of dict
        JSON-ready rows, with what `times_faster` says of each against backprop.
    """
    entries = {way.name: (way, 0.0) for way in every}
    links = f", {1e3 * latency:g} ms links"
    entries |= {f"{way.name}{links}": (way, latency) for way in with_links(every)}
    racers: dict[str, list[Racer]] = {name: [] for name in entries}

    def recipe(name: str, way: Way, latency: float) -> Recipe:
        def build(settings: Settings, data: Dataset) -> Racer:
            there = linked(replace(settings, engine="processes", latency=latency))
            racers[name].append(Racer(way.trainer(there, data), target))
            return racers[name][-1]
        return Recipe(build, way.workers(settings), way.blas_threads)

    recipes = {name: recipe(name, *entry) for name, entry in entries.items()}

    def rows(runs: dict[str, Runs]) -> list[dict]:
        found = [
            {
                "name": name, "method": way.method, "engine": way.engine, "latency": seconds,
                "workers": way.workers(settings), "blas_threads": way.blas_threads,
                "failure": runs[name].failure,
                **_figures(racers[name], settings.batch_size, epochs),
            }
            for name, (way, seconds) in entries.items()
        ]
        return compared(found)

    return rows(compare(recipes, data, settings, epochs=epochs, repeats=repeats, on_turn=on_turn,
                        on_repeat=lambda runs: on_repeat(rows(runs))))


def _figures(racers: list[Racer], batch_size: int, epochs: int) -> dict:
    records = [r for racer in racers for r in racer.history]
    last = [racer.history[-1].test_accuracy for racer in racers if len(racer.history) == epochs]
    return {
        "images_per_second": _median([batch_size * r.steps / r.train_seconds for r in records]),
        "update_latency": _by_module([t for racer in racers for t in racer.update_latency]),
        "locked_seconds": _by_module([t for racer in racers for t in racer.locked_seconds]),
        "test_accuracy": _median(last),
        "test_accuracy_spread": [min(last), max(last)] if last else None,
        "seconds_to_target": _median([_reached(racer, 0) for racer in racers]),
        "steps_to_target": _median([_reached(racer, 1) for racer in racers]),
        "repeats": [
            {"curve": racer.curve, "reached": racer.reached,
             "history": [r.to_dict() for r in racer.history]}
            for racer in racers
        ],
    }


def compared(rows: list[dict]) -> list[dict]:
    """Return the rows with `vs_backprop` (on one core) and `vs_model_parallel` (same links)."""
    one = next(row for row in rows if row["name"] == BACKPROP)
    split = {row["latency"]: row for row in rows if row["name"].startswith(SPLIT)}
    return [
        {**row, "vs_backprop": times_faster(row, one),
         "vs_model_parallel": times_faster(row, split[row["latency"]])}
        for row in rows
    ]


def times_faster(ours: dict, theirs: dict) -> dict:
    """Say how many times better one row is than another: medians of ratios, above 1 is better.

    Returns
    -------
    dict
        images_per_second : of ratios within one turn.
        seconds_to_target : of ratios within one repeat. A repeat in which only one of them got
        there counts as endlessly better or worse, one in which neither did does not count; None
        unless most that count are numbers.
        reached : in how many repeats ours and theirs got there; repeats : of how many.
    """
    pairs = list(zip(ours["repeats"], theirs["repeats"], strict=True))
    ratios = [b["reached"][0] / a["reached"][0] if a["reached"] and b["reached"]
              else np.inf if a["reached"] else 0.0
              for a, b in pairs if a["reached"] or b["reached"]]
    numbers = sum(0 < ratio < np.inf for ratio in ratios)
    return {
        "images_per_second": _median([
            b["train_seconds"] / a["train_seconds"]
            for x, y in pairs for a, b in zip(x["history"], y["history"], strict=False)
        ]),
        "seconds_to_target": _median(ratios) if 2 * numbers > len(ratios) else None,
        "reached": [sum(bool(run["reached"]) for run in row["repeats"]) for row in (ours, theirs)],
        "repeats": len(pairs),
    }


def _reached(racer: Racer, k: int) -> float:
    return np.inf if racer.reached is None else racer.reached[k]


def _median(values: list[float]) -> float | None:
    value = float(np.median(values)) if values else np.inf
    return value if np.isfinite(value) else None


def _by_module(values: list[list[float]]) -> list[float] | None:
    return [float(v) for v in np.median(values, axis=0)] if values else None
