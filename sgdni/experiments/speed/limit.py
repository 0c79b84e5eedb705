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
from sgdni.experiments.speed.contenders import Plan
from sgdni.parallel.workers import Processes
from sgdni.training import Trainer
from sgdni.training.batches import endless


def parallel_limit(plan: Plan) -> float:
    """Return the images per second of as many one-core trainings as cores over those of one alone.

    Each is in a process of its own. Median over turns, alone and together.
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
