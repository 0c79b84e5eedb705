"""The loop over epochs that every schedule runs in, and what it keeps."""

from sgdni.training.history import EpochRecord, seconds_to_accuracy
from sgdni.training.trainer import Trainer

__all__ = ["EpochRecord", "Trainer", "seconds_to_accuracy"]
