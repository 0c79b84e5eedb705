"""Whole trainings against the clock: images per second, update latency, time to a test accuracy.

Learning curves are finer than an epoch: weights are copied on the way (see Recorder) and tested
afterwards, outside the measured time, until the target is reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial

import numpy as np

from sgdni._util.shared import shared_zeros
from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import Runs, compare
from sgdni.experiments.contenders import Contender
from sgdni.experiments.medians import by_module, median, speedup
from sgdni.experiments.speed.contenders import BACKPROP, SPLIT, Plan, over_links
from sgdni.experiments.speed.traffic import bytes_per_step
from sgdni.parallel.workers import Processes
from sgdni.runs.settings import Settings
from sgdni.schedules import Recorder
from sgdni.training import EpochRecord, Trainer
from sgdni.training.batches import endless
from sgdni.training.evaluation import evaluate

TESTS_PER_EPOCH = 20


class Racer:
    """A contender that also notes when it first had the target accuracy, and its latencies.

    Attributes
    ----------
    curve : list of (seconds, steps, test accuracy), until the target is reached
    reached : the entry of `curve` with the target, or None so far
    update_latency : of each epoch, the median of each module
    """

    def __init__(self, target: float, contender: Contender, settings: Settings, data: Dataset
                 ) -> None:
        self.target, self.trainer = target, contender.trainer(settings, data)
        self.history, self.dismiss = self.trainer.history, self.trainer.dismiss
        network, steps = self.trainer.schedule.network, self.trainer.steps_per_epoch
        self._every, self._spare = max(1, steps // TESTS_PER_EPOCH), deepcopy(network)
        self.recorder = Recorder(network.modules, self._every, steps // self._every)
        self.trainer.schedule.recorder = self.recorder
        self.curve: list[tuple[float, int, float]] = []
        self.reached: tuple[float, int, float] | None = None
        self.update_latency: list[list[float]] = []

    def epoch(self) -> EpochRecord:
        data = self.trainer.data
        before = self.history[-1].total_seconds if self.history else 0.0
        steps = sum(record.steps for record in self.history)
        self.recorder.begin()
        record = self.trainer.epoch()
        self.update_latency.append([float(np.median(t)) for t in self.recorder.update_latencies()])
        for k, seconds in enumerate(self.recorder.snapshots()):
            if self.reached is None:
                self.recorder.load(k, self._spare.modules)
                _, right = evaluate(self._spare, data.x_test, data.y_test, self.trainer.dtype)
                self.curve.append((before + seconds, steps + (k + 1) * self._every, right))
                if right >= self.target:
                    self.reached = self.curve[-1]
        return record


def race(plan: Plan, on_repeat: Callable[[list[dict]], None] = lambda rows: None) -> list[dict]:
    """Train all, and those with processes once more over each kind of links, in turns.

    Returns JSON-ready rows, with what `times_faster` says of each against backprop on one core
    and against backprop split over the same links. `on_repeat` is called with the rows so far.
    """
    def rows(runs: dict[str, Runs]) -> list[dict]:
        return compared([_row(mine, plan) for mine in runs.values()])

    everyone = [*plan.contenders, *(c for links in plan.kinds_of_links for c in over_links(
        plan.contenders, plan.settings, links))]
    return rows(compare(everyone, plan.data, plan.settings, epochs=plan.epochs,
                        repeats=plan.repeats, start=partial(Racer, plan.target),
                        on_repeat=lambda runs: on_repeat(rows(runs))))


def _row(runs: Runs, plan: Plan) -> dict:
    racers, own = runs.learners, runs.contender.settings(plan.settings)
    return {
        "name": runs.contender.name, "method": runs.contender.method, "engine": own.engine,
        "latency": own.latency, "bandwidth": own.bandwidth,
        "bytes_per_step": bytes_per_step(runs.contender.method, own, plan.data),
        **runs.figures(plan.settings, plan.epochs),
        "update_latency": by_module([t for racer in racers for t in racer.update_latency]),
        "seconds_to_target": median(racer.reached and racer.reached[0] for racer in racers),
        "steps_to_target": median(racer.reached and racer.reached[1] for racer in racers),
        "repeats": [{"curve": racer.curve, "reached": racer.reached,
                     "history": [record.to_dict() for record in racer.history]}
                    for racer in racers],
    }


def compared(rows: list[dict]) -> list[dict]:
    """Return the rows with `vs_backprop` (on one core) and `vs_model_parallel` (same links)."""
    one = next(row for row in rows if row["name"] == BACKPROP)
    split = {_links(row): row for row in rows if row["name"].startswith(SPLIT)}
    return [{**row, "vs_backprop": times_faster(row, one),
             "vs_model_parallel": times_faster(row, split[_links(row)])} for row in rows]


def _links(row: dict) -> tuple[float, float | None]:
    return row["latency"], row.get("bandwidth")


def times_faster(ours: dict, theirs: dict) -> dict[str, float | None]:
    """Say how many times better one row is than another: medians of ratios, above 1 is better.

    Returns
    -------
    dict
        images_per_second : of ratios within one turn.
        seconds_to_target : of ratios within one repeat. A repeat in which only one of them got
        there counts as endlessly better or worse, one in which neither did does not count; None
        unless most that count are numbers.
    """
    def seconds(row: dict) -> np.ndarray:
        return np.array([run["reached"][0] if run["reached"] else np.inf for run in row["repeats"]])

    with np.errstate(invalid="ignore"):
        ratios = seconds(theirs) / seconds(ours)
    ratios = ratios[~np.isnan(ratios)]
    numbers = np.isfinite(ratios) & (ratios > 0)
    histories = [[run["history"] for run in row["repeats"]] for row in (ours, theirs)]
    return {"images_per_second": speedup(*histories),
            "seconds_to_target": median(ratios) if 2 * numbers.sum() > len(ratios) else None}


def parallel_limit(plan: Plan) -> float:
    """Return the images per second of a training on each core over those of one alone.

    A yardstick for what more cores are worth: they share only the machine, and make less than
    cores times the images where cores share memory bandwidth, caches or power; whoever splits one
    training over the cores meets the same. (No strict bound: parts of a network need less cache
    than the whole.)
    """
    trainers = [plan.contenders[0].trainer(plan.settings, plan.data) for _ in range(plan.cores)]
    rates = np.array([(_rate(trainers[:1], plan.steps), _rate(trainers, plan.steps))
                      for _ in range(plan.measuring["turns"])])
    return float(np.median(rates[:, 1] / rates[:, 0]))


def _rate(trainers: list[Trainer], steps: int) -> float:
    """Return the steps per second that they make together while all are at work."""
    seconds, team = shared_zeros((len(trainers),)), Processes()

    def work(i: int, emit) -> None:
        trainer, started = trainers[i], 0.0
        batches = endless(trainer.data, trainer.batch_size, trainer.rng, trainer.dtype)
        # On, until the slowest has its time; the first half warms up.
        for done, batch in enumerate(batches, start=1):
            if done == steps // 2 + 1:
                started = time.perf_counter()
            trainer.schedule.step(*batch)
            if done == steps:
                seconds[i] = (time.perf_counter() - started) / (steps - steps // 2)
            if team.stopping or (seconds > 0).all():
                return

    tasks = [partial(work, i) for i in range(len(trainers))]
    list(team.run(tasks, lambda i: None, lambda i, state: None))
    return float((1 / seconds).sum())
