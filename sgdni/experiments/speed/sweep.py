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
from sgdni.experiments.accuracy.compare import Watch, compare, unwatched
from sgdni.experiments.contenders import Contender
from sgdni.experiments.medians import by_module, median
from sgdni.experiments.speed.contenders import linked
from sgdni.experiments.speed.costs import predict
from sgdni.runs.cuts import balance
from sgdni.runs.settings import Settings
from sgdni.schedules import Recorder
from sgdni.timeline import step_seconds
from sgdni.training.batches import Minibatches

COST_REPEATS = 60  # of every operation, for the mean


def sweep(contenders: Sequence[Contender], base: Settings, data: Dataset, *, cores: int,
          turns: int, steps: int, watch: Watch = unwatched) -> list[dict]:
    """Measure at every point; return what was changed, its value, and what `measure` says."""
    return [{"changed": changed, "value": value, **measure(
                 contenders, settings, data, cores=cores, turns=turns, steps=steps)}
            for changed, value, settings in watch(points(base, data), "sweep")]


def points(base: Settings, data: Dataset) -> list[tuple[str, float, Settings]]:
    """Return the base and what differs from it in one respect each: which, its value, settings.

    A network of another depth is cut anew for as many workers, by measured cost; for another
    number of workers cuts follow one hidden layer above another.
    """
    width, depth, workers = base.hidden[0], len(base.hidden), len(base.interfaces) + 1
    base = replace(base, engine="processes")  # as a latency needs; contenders have their own
    changes = [("base", 0, {})]
    changes += [("latency", s, linked(base, s)) for s in (0.001, 0.005, 0.02)]
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
        self.steps, self.trainer = steps, contender.trainer(settings, data)
        trainer, self.history = self.trainer, []
        trainer.schedule.recorder = Recorder(trainer.schedule.network.modules)
        self.batches = Minibatches(data.examples(), trainer.batch_size, trainer.rng, trainer.dtype,
                                   steps)
        # The timeline gives every worker a core of its own.
        known = contender.schedule and contender.workers(settings) <= cores
        self.predict = partial(predict, contender, settings, data) if known else None

    def epoch(self) -> None:
        trainer = self.trainer
        recorder = trainer.schedule.recorder
        recorder.begin()
        deque(trainer.schedule.run(self.batches), maxlen=0)
        self.history.append({
            "seconds_per_step": step_seconds(recorder.intervals, self.steps),
            "update_latency": [float(np.median(t)) for t in recorder.update_latencies()],
            "predicted": self.predict and self.predict(len(self.history),
                                                       min(self.steps, COST_REPEATS)),
        })

    def dismiss(self) -> None:
        self.trainer.dismiss()


def measure(contenders: Sequence[Contender], settings: Settings, data: Dataset, *, cores: int,
            turns: int, steps: int) -> dict:
    """Measure the contenders with these settings, in turns; return JSON-ready one row for each.

    Predicted is null where there are more workers than cores.
    """
    runs = compare(contenders, data, settings, epochs=turns, repeats=1,
                   start=partial(Stint, steps, cores))
    return {
        "settings": settings.to_dict(), "workers": len(settings.interfaces) + 1,
        "rows": [_row(c, run.histories[0], settings)
                 for c, run in zip(contenders, runs.values(), strict=True) if run.histories[0]],
        "failures": {name: run.failure for name, run in runs.items() if run.failure},
    }


def _row(contender: Contender, turns: list[dict], settings: Settings) -> dict:
    step = median([turn["seconds_per_step"] for turn in turns])
    return {
        "contender": contender.name, "seconds_per_step": step,
        "images_per_second": contender.settings(settings).batch_size / step,
        "update_latency": by_module([turn["update_latency"] for turn in turns]),
        "predicted_seconds_per_step": median([turn["predicted"] for turn in turns]),
        "predicted_over_measured": median([
            turn["predicted"] and turn["predicted"] / turn["seconds_per_step"] for turn in turns]),
        "turns": turns,
    }


def steps_faster(point: dict, ours: str, theirs: str) -> float | None:
    """Return how many times as many steps one makes as the other, the median of ratios by turn.

    None when one of them broke down.
    """
    turns = {row["contender"]: row["turns"] for row in point["rows"]}
    return median([b["seconds_per_step"] / a["seconds_per_step"]
                   for a, b in zip(turns.get(ours, []), turns.get(theirs, []), strict=False)])
