"""Step time and update latency of every contender at one point of a sweep, and what the
timeline predicts for it from the costs of single operations.

Costs and runs take turns, since machines drift; figures are medians over turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from sgdni._util.blas import blas_threads
from sgdni.data import Dataset
from sgdni.experiments.speed.contenders import Way
from sgdni.runs.cuts import balance
from sgdni.runs.methods import build_network
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError, Recorder
from sgdni.synthetic import FitError
from sgdni.timeline import SCHEDULES, Links, ModuleCost, measure_costs, measure_link, step_seconds
from sgdni.training.batches import endless

COST_REPEATS = 60  # of every operation, for the mean
PLAYED_STEPS = 200  # of the timeline; enough for the start not to matter


@dataclass(frozen=True)
class Point:
    """One point: what differs from the base, its value, and the whole settings."""

    changed: str
    value: float
    settings: Settings


def points(base: Settings, data: Dataset, cores: int) -> list[Point]:
    """Return the base and what differs from it in one respect each.

    A network of another depth is cut anew for as many workers, by measured cost; for another
    number of workers cuts follow one hidden layer above another.
    """
    width, depth = base.hidden[0], len(base.hidden)
    base = replace(base, engine="processes")  # as links with a latency need; each way has its own
    changes = [("base", 0, {})]
    changes += [("latency", s, {"latency": s}) for s in (0.001, 0.005, 0.02)]
    workers = len(base.interfaces) + 1
    for layers in (2, 8):
        deeper = replace(base, hidden=(width,) * layers, cuts=None)
        if workers <= layers + 1:
            cuts = balance("cdni-ls", deeper, data, workers).cuts
            changes.append(("depth", layers, {"hidden": deeper.hidden, "cuts": cuts}))
    changes += [("width", w, {"hidden": (w,) * depth}) for w in (64, 512)]
    changes += [("batch_size", b, {"batch_size": b}) for b in (32, 512) if b <= len(data.x_train)]
    changes += [("fit_every", k, {"fit_every": k}) for k in (1, 2, 4, 8) if k != base.fit_every]
    changes += [
        ("workers", w, {"cuts": tuple(range(1, w))})
        for w in (2, 3, 4) if w != workers and w <= len(base.hidden) + 1
    ]
    return [Point(name, value, linked(replace(base, **what))) for name, value, what in changes]


def measure(point: Point, every: Sequence[Way], data: Dataset, *, cores: int, turns: int,
            steps: int, on_turn: Callable[[], None] = lambda: None) -> dict:
    """Measure the ways at one point; return a JSON-ready row with one entry for each way.

    Predicted is null where there are more workers than cores: the timeline gives every worker a
    core of its own.
    """
    settings = point.settings
    trainers = {way: way.trainer(settings, data) for way in every}
    found: dict[Way, list[dict]] = {way: [] for way in every}
    failures: dict[Way, str] = {}
    for turn in range(turns):
        costs = Costs(settings, data, np.random.default_rng((settings.seed, turn)),
                      min(steps, COST_REPEATS))
        for way, trainer in trainers.items():
            recorder = Recorder(trainer.schedule.network.modules)
            trainer.schedule.recorder = recorder
            batches = endless(data, settings.batch_size, trainer.rng, trainer.dtype)
            try:
                with blas_threads(way.blas_threads):
                    deque(trainer.schedule.run(islice(batches, steps)), maxlen=0)
            except (DivergenceError, FitError) as error:
                failures[way] = str(error)
                continue
            found[way].append({
                "seconds_per_step": step_seconds(recorder.intervals, steps),
                "update_latency": [float(np.median(t)) for t in recorder.update_latencies()],
                "locked_seconds": [float(np.median(t)) for t in recorder.locked_seconds()],
                "predicted": costs.predict(way) if way.workers(settings) <= cores else None,
            })
            on_turn()
    return {
        "changed": point.changed, "value": point.value, "settings": settings.to_dict(),
        "workers": len(settings.interfaces) + 1,
        "rows": [_row(way, found[way], settings) for way in every if found[way]],
        "failures": {way.name: text for way, text in failures.items()},
    }


class Costs:
    """What operations and messages cost at a point right now, measured when first asked for."""

    def __init__(self, settings: Settings, data: Dataset, rng: np.random.Generator,
                 repeats: int) -> None:
        self.settings, self.data, self.rng, self.repeats = settings, data, rng, repeats
        self._modules: dict[tuple[str | None, bool, int], list[ModuleCost]] = {}
        self._links: dict[tuple[str, float], Links] = {}

    def modules(self, workers: str | None, together: bool = True, threads: int = 1
                ) -> list[ModuleCost]:
        """Return the costs of the modules (see measure_costs)."""
        key = workers, together, threads
        if key not in self._modules:
            network = build_network("cdni-ls", self.settings, self.data.n_features,
                                    self.data.n_classes, self.rng)
            batches = endless(self.data, self.settings.batch_size, self.rng,
                              np.dtype(self.settings.dtype))
            self._modules[key] = measure_costs(
                network, batches, workers, together=together, repeats=self.repeats,
                threads=threads)
        return self._modules[key]

    def links(self, engine: str, latency: float) -> Links:
        """Return the costs of messages between workers of that kind."""
        if (engine, latency) not in self._links:
            s, dtype = self.settings, np.dtype(self.settings.dtype)
            h = np.zeros((s.batch_size, max(s.hidden)), dtype)
            y = np.zeros(s.batch_size, np.int64)
            c = np.zeros((s.batch_size, self.data.n_classes), dtype)
            up, down, target = (
                measure_link(message, engine, latency, max(8, self.repeats // 4))
                for message in ((0, h, y), (h,), (h, c, h))
            )
            self._links[engine, latency] = Links(up, down), Links(up, target)
        return self._links[engine, latency]

    def predict(self, way: Way) -> float | None:
        """Return the seconds of a step that the timeline predicts."""
        s = self.settings
        options = {}
        if not way.parallel:
            costs = self.modules(None, threads=way.blas_threads)
        else:
            locked, decoupled = self.links(way.engine, s.latency)
            options = {"latency": s.latency, "links": locked}
            if way.schedule == "decoupled":
                costs = self.modules(way.engine)
                options |= {"fit_every": s.fit_every, "queue_size": s.queue_size,
                            "links": decoupled}
            else:  # one worker at a time is at work
                costs = self.modules(way.engine, together=False)
        return step_seconds(SCHEDULES[way.schedule](costs, PLAYED_STEPS, **options), PLAYED_STEPS)


def _row(way: Way, turns: list[dict], settings: Settings) -> dict:
    step = float(np.median([t["seconds_per_step"] for t in turns]))
    predicted = [t["predicted"] for t in turns if t["predicted"] is not None]
    return {
        "way": way.name,
        "seconds_per_step": step,
        "images_per_second": settings.batch_size / step,
        "update_latency": [float(v) for v in np.median([t["update_latency"] for t in turns], 0)],
        "locked_seconds": [float(v) for v in np.median([t["locked_seconds"] for t in turns], 0)],
        "predicted_seconds_per_step": float(np.median(predicted)) if predicted else None,
        "predicted_over_measured": float(np.median([
            t["predicted"] / t["seconds_per_step"] for t in turns])) if predicted else None,
        "turns": turns,
    }


def times_faster(point: dict, ours: str, theirs: str) -> float | None:
    """Return how many times as many steps one way makes as another: median of ratios by turn.

    None when one of them broke down.
    """
    turns = {row["way"]: row["turns"] for row in point["rows"]}
    if ours not in turns or theirs not in turns:
        return None
    return float(np.median([
        b["seconds_per_step"] / a["seconds_per_step"]
        for a, b in zip(turns[ours], turns[theirs], strict=False)
    ]))


def linked(settings: Settings) -> Settings:
    """Return settings whose queues are deep enough to cover the latency with steps of 1 ms."""
    return replace(settings, queue_size=max(settings.queue_size, int(1000 * settings.latency)))
