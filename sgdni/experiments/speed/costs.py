"""What operations and messages cost here and now, and the step time that follows from them."""

from __future__ import annotations

import numpy as np

from sgdni.data import Dataset
from sgdni.experiments.contenders import Contender
from sgdni.runs.methods import build_network
from sgdni.runs.settings import Settings
from sgdni.timeline import SCHEDULES, Links, ModuleCost, measure_costs, measure_link, step_seconds
from sgdni.training.batches import endless

PLAYED_STEPS = 200  # of the timeline; enough for the start not to matter


def module_costs(method: str, settings: Settings, data: Dataset, rng: np.random.Generator,
                 workers: str | None = None, **options) -> list[ModuleCost]:
    """Measure the modules of a fresh network; options as for measure_costs."""
    network = build_network(method, settings, data.n_features, data.n_classes, rng)
    batches = endless(data, settings.batch_size, rng, np.dtype(settings.dtype))
    return measure_costs(network, batches, workers, **options)


def link_costs(settings: Settings, data: Dataset, latency: float, repeats: int) -> Links:
    """Measure messages between workers: h with labels and context up, a gradient down."""
    size, dtype = settings.batch_size, np.dtype(settings.dtype)
    h, c = (np.zeros((size, width), dtype) for width in (max(settings.hidden), data.n_classes))
    up = (0, h, np.zeros(size, np.int64), c)
    return Links(*(measure_link(message, settings.engine, latency, max(8, repeats // 4))
                   for message in (up, (h,))))


def predict(contender: Contender, base: Settings, data: Dataset, turn: int, repeats: int
            ) -> float:
    """Return the seconds of a step that the timeline predicts from costs measured now."""
    s = contender.settings(base)
    decoupled, workers, options = contender.schedule == "decoupled", None, {}
    if s.engine != "sequential":
        workers = s.engine
        options = {"latency": s.latency, "links": link_costs(s, data, s.latency, repeats)}
    if decoupled:
        options |= {"fit_every": s.fit_every, "queue_size": s.queue_size}
    # Locked workers take turns, so that none disturbs another.
    costs = module_costs(contender.method, s, data, np.random.default_rng((s.seed, turn)), workers,
                         together=decoupled, repeats=repeats, threads=contender.blas_threads)
    return step_seconds(SCHEDULES[contender.schedule](costs, PLAYED_STEPS, **options), PLAYED_STEPS)
