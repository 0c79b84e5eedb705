"""What more cores are worth at most: trainings side by side that share nothing but the machine.

No way to split one training over the cores can gain more than that. It is less than the number of
cores where they share memory bandwidth, caches or power.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from sgdni.benchmark.speed.contenders import Way
from sgdni.data import Dataset
from sgdni.settings import Settings
from sgdni.shared import shared_zeros
from sgdni.training import Trainer
from sgdni.training.batches import minibatches
from sgdni.training.workers import Processes


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
        while not (seconds > 0).all():  # on, until the slowest has its time
            started = time.perf_counter()
            done = 0
            for batch in minibatches(trainer.data.x_train, trainer.data.y_train,
                                     trainer.batch_size, trainer.rng, trainer.dtype):
                trainer.schedule.step(*batch)
                done += 1
                if done == steps or team.stopping:
                    break
            if not seconds[i]:
                seconds[i] = (time.perf_counter() - started) / done

    tasks = [partial(work, i) for i in range(len(trainers))]
    for _ in team.run(tasks, lambda i: None, lambda i, state: None):
        pass
    return 1 / seconds
