"""The experiments by name. A new one is one file and one more entry here."""

from __future__ import annotations

from sgdni.experiments import characters, copying, delayed_recall, sg_quality, steps
from sgdni.experiments.frame import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for experiment in (
        sg_quality.EXPERIMENT, steps.EXPERIMENT, delayed_recall.EXPERIMENT, copying.COPY,
        copying.REPEAT_COPY, characters.EXPERIMENT)
}
