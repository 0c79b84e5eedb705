"""The test accuracy after so many minibatches: what several experiments compare."""

from __future__ import annotations

import numpy as np

from sgdni.data import Dataset
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError
from sgdni.training import Trainer
from sgdni.training.batches import Minibatches
from sgdni.training.evaluation import evaluate


def accuracy(method: str, settings: Settings, data: Dataset, steps: int) -> float:
    """Return a method's test accuracy after so many minibatches; 0 if training diverged."""
    return accuracy_after(build_trainer(method, settings, data), steps)


def accuracy_after(trainer: Trainer, steps: int) -> float:
    """Return the test accuracy after so many minibatches; 0 if training diverged."""
    data, network = trainer.data, trainer.schedule.network
    batches = Minibatches(data.examples(), trainer.batch_size, trainer.rng, trainer.dtype, steps)
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for _ in trainer.schedule.run(batches):
                pass
            return evaluate(network, data.x_test, data.y_test, trainer.dtype)[1]
    except (DivergenceError, FitError):
        return 0.0
