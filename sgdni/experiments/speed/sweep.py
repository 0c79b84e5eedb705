"""Step time and update latency of every contender, one setting changed at a time, and what the
timeline predicts for it from the costs of single operations.

Costs and runs take turns, since machines drift; figures are medians over turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import compare, progress
from sgdni.experiments.contenders import Contender
from sgdni.experiments.medians import by_module, median
from sgdni.experiments.speed.contenders import Links, Plan, linked
from sgdni.runs.cuts import balance
from sgdni.runs.methods import build_network
from sgdni.runs.settings import Settings
from sgdni.schedules import Recorder
from sgdni.timeline import SCHEDULES, ModuleCost, measure_costs, measure_link, step_seconds
from sgdni.timeline import Links as LinkCosts
from sgdni.training.batches import Minibatches, endless

COST_REPEATS = 60  # of every operation, for the mean
PLAYED_STEPS = 200  # of the timeline; enough for the start not to matter


def sweep(plan: Plan) -> list[dict]:
    """Measure at every point; return what was changed, its value, and what `measure` says."""
    def without(changed: str) -> list[Contender]:
        """Return the contenders without a setting of their own in what is swept."""
        return [replace(c, changes={k: v for k, v in c.changes.items() if k != changed})
                for c in plan.contenders]

    return [{"changed": changed, "value": value,
             **measure(without(changed), settings, plan.data, **plan.measuring)}
            for changed, value, settings in progress(points(plan.settings, plan.data), "sweep")]


def points(base: Settings, data: Dataset) -> list[tuple[str, float, Settings]]:
    """Return the base and what differs from it in one respect each: which, its value, settings.

    A network of another depth is cut anew for as many workers, by measured cost; for another
    number of workers cuts follow one hidden layer above another.
    """
    width, depth, workers = base.hidden[0], len(base.hidden), len(base.interfaces) + 1
    base = replace(base, engine="processes")  # as a latency needs; contenders have their own
    changes = [("base", 0, {})]
    changes += [("latency", s, linked(base, Links(s))) for s in (0.001, 0.005, 0.02)]
    changes += [("bandwidth", b, linked(base, Links(0.001, b))) for b in (125e6, 12.5e6)]
    for layers in (2, 8):
        deeper = replace(base, hidden=(width,) * layers, cuts=None)
        if workers <= layers + 1:
            cuts = balance("cdni-ls", deeper, data, workers).cuts
            changes.append(("depth", layers, {"hidden": deeper.hidden, "cuts": cuts}))
    changes += [("width", w, {"hidden": (w,) * depth}) for w in (64, 512)]
    changes += [("batch_size", b, {"batch_size": b}) for b in (32, 512) if b <= len(data.x_train)]
    changes += [("fit_every", k, {"fit_every": k}) for k in (1, 2, 4, 8) if k != base.fit_every]
    changes += [("workers", w, {"cuts": tuple(range(1, w))})
                for w in (2, 3, 4) if w != workers and w <= depth + 1]
    return [(name, value, replace(base, **what)) for name, value, what in changes]


class Stint:
    """A contender at work for so many steps at a time, with what the timeline predicts each time.
    """

    def __init__(self, steps: int, cores: int, contender: Contender, settings: Settings,
                 data: Dataset) -> None:
        trainer = contender.trainer(settings, data)
        self.steps, self.schedule, self.dismiss = steps, trainer.schedule, trainer.dismiss
        self.recorder = self.schedule.recorder = Recorder(self.schedule.network.modules)
        self.batches = Minibatches(data.examples(), trainer.batch_size, trainer.rng, trainer.dtype,
                                   steps)
        # The timeline gives every worker a core of its own.
        known = contender.schedule and contender.workers(settings) <= cores
        self.predict = partial(predict, contender, settings, data) if known else None
        self.history: list[dict] = []

    def epoch(self) -> None:
        self.recorder.begin()
        deque(self.schedule.run(self.batches), maxlen=0)
        self.history.append({
            "seconds_per_step": step_seconds(self.recorder.intervals, self.steps),
            "update_latency": [float(np.median(t)) for t in self.recorder.update_latencies()],
            "predicted": self.predict and self.predict(len(self.history),
                                                       min(self.steps, COST_REPEATS)),
        })


def measure(contenders: Sequence[Contender], settings: Settings, data: Dataset, *, cores: int,
            turns: int, steps: int) -> dict:
    """Measure the contenders with these settings, in turns; return JSON-ready one row for each.

    Predicted is null where there are more workers than cores.
    """
    runs = compare(contenders, data, settings, epochs=turns, repeats=1,
                   start=partial(Stint, steps, cores))
    return {
        "settings": settings.to_dict(), "workers": len(settings.interfaces) + 1,
        "rows": [_row(run.contender, run.histories[0], settings)
                 for run in runs.values() if run.histories[0]],
        "failures": {name: run.failure for name, run in runs.items() if run.failure},
    }


def _row(contender: Contender, turns: list[dict], settings: Settings) -> dict:
    step = median(turn["seconds_per_step"] for turn in turns)
    return {
        "contender": contender.name, "seconds_per_step": step,
        "images_per_second": contender.settings(settings).batch_size / step,
        "update_latency": by_module([turn["update_latency"] for turn in turns]),
        "predicted_seconds_per_step": median(turn["predicted"] for turn in turns),
        "predicted_over_measured": median(
            turn["predicted"] and turn["predicted"] / turn["seconds_per_step"] for turn in turns),
        "turns": turns,
    }


def steps_faster(point: dict, ours: str, theirs: str) -> float | None:
    """Return how many times as many steps one makes as the other, the median of ratios by turn.

    None when one of them broke down.
    """
    turns = {row["contender"]: row["turns"] for row in point["rows"]}
    return median(b["seconds_per_step"] / a["seconds_per_step"]
                  for a, b in zip(turns.get(ours, []), turns.get(theirs, []), strict=False))


def module_costs(method: str, settings: Settings, data: Dataset, rng: np.random.Generator,
                 workers: str | None = None, **options) -> list[ModuleCost]:
    """Measure the modules of a fresh network; options as for measure_costs."""
    network = build_network(method, settings, data.n_features, data.n_classes, rng,
                            data.image_shape)
    batches = endless(data, settings.batch_size, rng, np.dtype(settings.dtype))
    return measure_costs(network, batches, workers, **options)


def link_costs(settings: Settings, data: Dataset, latency: float, repeats: int) -> LinkCosts:
    """Measure messages between workers: h with labels and context up, a gradient down."""
    size, dtype = settings.batch_size, np.dtype(settings.dtype)
    h, c = (np.zeros((size, width), dtype) for width in (max(settings.hidden), data.n_classes))
    up = (0, h, np.zeros(size, np.int64), c)
    return LinkCosts(*(measure_link(message, settings.engine, latency, max(8, repeats // 4))
                   for message in (up, (h,))))


def predict(contender: Contender, base: Settings, data: Dataset, turn: int, repeats: int
            ) -> float:
    """Return the seconds of a step that the timeline predicts from costs measured now."""
    s, schedule = contender.settings(base), contender.schedule
    workers, options = None, {}
    if s.engine != "sequential":
        workers = s.engine
        options = {"latency": s.latency, "bandwidth": s.bandwidth or np.inf,
                   "links": link_costs(s, data, s.latency, repeats)}
    if schedule == "decoupled":
        options["fit_every"] = s.fit_every
    if schedule in ("decoupled", "delayed gradients"):
        options["queue_size"] = s.queue_size
    # Locked workers take turns, so that none disturbs another.
    costs = module_costs(contender.method, s, data, np.random.default_rng((s.seed, turn)), workers,
                         together=schedule not in ("locked backprop", "model-parallel backprop"),
                         repeats=repeats, threads=contender.blas_threads)
    return step_seconds(SCHEDULES[schedule](costs, PLAYED_STEPS, **options), PLAYED_STEPS)
