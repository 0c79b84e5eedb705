"""The experiments by name. A new one is one file and one more entry here."""

from __future__ import annotations

from sgdni.experiments import (
    bp_lambda,
    characters,
    convergence,
    convolutions,
    copying,
    delayed_recall,
    depth,
    implicit_loss,
    links,
    one_view,
    random_labels,
    representations,
    sg_quality,
    sparse,
    steps,
    sums,
    two_clocks,
    unlock,
)
from sgdni.experiments.frame import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for experiment in (
        sg_quality.EXPERIMENT,
        steps.EXPERIMENT,
        sums.EXPERIMENT,
        links.EXPERIMENT,
        delayed_recall.EXPERIMENT,
        convolutions.EXPERIMENT,
        copying.COPY,
        copying.REPEAT_COPY,
        characters.EXPERIMENT,
        two_clocks.EXPERIMENT,
        unlock.EXPERIMENT,
        sparse.EXPERIMENT,
        bp_lambda.EXPERIMENT,
        convergence.EXPERIMENT,
        implicit_loss.EXPERIMENT,
        representations.EXPERIMENT,
        one_view.EXPERIMENT,
        random_labels.EXPERIMENT,
        depth.EXPERIMENT,
    )
}
