"""A yardstick for what more cores are worth: trainings side by side that share only the machine.

They make less than cores times the images of one alone where cores share memory bandwidth, caches
or power; whoever splits one training over the cores meets the same. (No strict bound: parts of a
network need less cache than the whole.)
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from sgdni._util.shared import shared_zeros
from sgdni.data import Dataset
from sgdni.experiments.speed.contenders import Way
from sgdni.parallel.workers import Processes
from sgdni.runs.settings import Settings
from sgdni.training import Trainer
from sgdni.training.batches import endless


def parallel_limit(way: Way, settings: Settings, data: Dataset, *, cores: int, turns: int,
                   steps: int) -> float:
    """Return the images per second of `cores` trainings at once over those of one alone.

    Each is a one-core training in a process of its own. Median over `turns`, alone and together
    in turns.
    """
    trainers = [way.trainer(settings, data) for _ in range(cores)]
    ratios = []
    for _ in range(turns):
        [alone], together = _rates(trainers[:1], steps), _rates(trainers, steps)
        ratios.append(float(sum(together)) / alone)
    return float(np.median(ratios))


def _rates(trainers: list[Trainer], steps: int) -> np.ndarray:
    """Return each one's steps per second while all are at work."""
    seconds, team = shared_zeros((len(trainers),)), Processes()

    def work(i: int, emit) -> None:
        trainer = trainers[i]
        # On, until the slowest has its time; the first half warms up.
        for done, batch in enumerate(endless(trainer.data, trainer.batch_size, trainer.rng,
                                             trainer.dtype), start=1):
            if done == steps // 2 + 1:
                started = time.perf_counter()
            trainer.schedule.step(*batch)
            if done == steps:
                seconds[i] = (time.perf_counter() - started) / (steps - steps // 2)
            if team.stopping or (seconds > 0).all():
                return

    tasks = [partial(work, i) for i in range(len(trainers))]
    for _ in team.run(tasks, lambda i: None, lambda i, state: None):
        pass
    return 1 / seconds
