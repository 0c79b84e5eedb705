"""The one loop over epochs: train, evaluate, record. Every schedule runs in it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from sgdni._util.checks import check_count
from sgdni.analysis.quality import measure
from sgdni.data import Dataset
from sgdni.schedules.divergence import DivergenceError
from sgdni.schedules.schedule import Schedule, StepResult
from sgdni.training.batches import Minibatches, minibatches
from sgdni.training.evaluation import evaluate
from sgdni.training.history import EpochRecord


class Trainer:
    """Feeds a schedule with minibatches of a data set, epoch by epoch.

    Parameters
    ----------
    schedule : Schedule
    data : Dataset
    batch_size : int
        At least 2 and at most the number of training examples.
    rng : numpy.random.Generator
        Shuffles the training set; nothing else draws from it, so two trainers whose generators
        start alike see the same minibatches in the same order, whatever their schedules.
    dtype : float32 or float64
    probe_batches : int
        Minibatches on which the SG models are measured after each epoch, outside the timed part:
        always the same ones, drawn from the training set.

    Attributes
    ----------
    history : list of EpochRecord
    """

    def __init__(self, schedule: Schedule, data: Dataset, *, batch_size: int,
                 rng: np.random.Generator, dtype: np.dtype = np.float32,
                 probe_batches: int = 8) -> None:
        check_count("batch_size", batch_size, 2, len(data.x_train))
        self.schedule, self.data = schedule, data
        self.dtype, self.probe_batches = np.dtype(dtype), probe_batches
        self._batches = Minibatches(data.examples(), batch_size, rng, self.dtype)
        self.history: list[EpochRecord] = []

    @property
    def batch_size(self) -> int:
        return self._batches.batch_size

    @property
    def rng(self) -> np.random.Generator:
        """The generator that shuffles."""
        return self._batches.rng

    @property
    def steps_per_epoch(self) -> int:
        return self._batches.steps

    def epoch(self, on_step: Callable[[StepResult], None] | None = None) -> EpochRecord:
        """Train for one epoch, evaluate, and append the record to `history`.

        `on_step` is called with each step's result, for progress displays.

        Raises
        ------
        DivergenceError
            Naming epoch, step and module, with the history so far.
        """
        data, network, results = self.data, self.schedule.network, []
        try:
            # The guard reports what these warnings would, with the place.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                started = time.perf_counter()
                for result in self.schedule.run(self._batches):
                    results.append(result)
                    if on_step is not None:
                        on_step(result)
                seconds = time.perf_counter() - started
                test_loss, test_accuracy = evaluate(network, data.x_test, data.y_test, self.dtype)
                self.schedule.guard.check_loss(test_loss)
        except DivergenceError as error:
            if error.step is None:  # modules in threads are ahead of the results and say it
                # The last update may be the one that breaks it, which shows in the evaluation.
                error.step = min(len(results) + 1, self.steps_per_epoch)
            error.epoch, error.history = len(self.history) + 1, list(self.history)
            raise error from None
        qualities = measure(network, self._probe()) if network.interfaces else []
        before = self.history[-1].total_seconds if self.history else 0.0
        record = EpochRecord(
            epoch=len(self.history) + 1,
            steps=len(results),
            # Nothing, where the top module had nothing to work on.
            train_loss=float(np.mean([r.loss for r in results] or [np.nan])),
            train_accuracy=float(np.mean([r.accuracy for r in results] or [np.nan])),
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            train_seconds=seconds,
            total_seconds=before + seconds,
            sg_relative_error=tuple(q.relative_error for q in qualities),
            sg_cosine=tuple(q.cosine for q in qualities),
            sg_target_error=tuple(q.target_error for q in qualities),
        )
        self.history.append(record)
        return record

    def _probe(self):
        """Return the minibatches on which SG models are measured."""
        x, y = self.data.x_train, self.data.y_train
        size = min(self.batch_size * self.probe_batches, len(x))
        rows = np.random.default_rng(0).choice(len(x), size, replace=False)
        return minibatches(x[rows], y[rows], self.batch_size, np.random.default_rng(0), self.dtype)

    def dismiss(self) -> None:
        """End the workers that wait for another epoch, if there are any; one more starts others."""
        self.schedule.dismiss()

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        """Every random generator training draws from, for checkpoints."""
        return {"order": self.rng, **self.schedule.generators}
