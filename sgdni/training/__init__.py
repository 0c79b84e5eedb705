"""Schedules (who computes what when) and the loop that runs them over a data set."""

from sgdni.training.asynchronous import Asynchronous
from sgdni.training.backprop import Backprop
from sgdni.training.decoupled import Decoupled
from sgdni.training.divergence import DivergenceError, DivergenceGuard
from sgdni.training.history import EpochRecord, seconds_to_accuracy
from sgdni.training.model_parallel import ModelParallel
from sgdni.training.recorder import Interval, Recorder
from sgdni.training.schedule import Schedule, StepResult
from sgdni.training.trainer import Trainer

__all__ = [
    "Asynchronous", "Backprop", "Decoupled", "DivergenceError", "DivergenceGuard", "EpochRecord",
    "Interval", "ModelParallel", "Recorder", "Schedule", "StepResult", "Trainer",
    "seconds_to_accuracy",
]
