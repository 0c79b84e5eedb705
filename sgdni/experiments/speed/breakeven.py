"""The break-even map: how many times faster than backpropagation, over workers and latency.

One hidden layer for each worker, so the network grows with the workers, and each worker on a
machine of its own, so that none slows another down. Throughput is predicted by the timeline from
costs measured here. How many more steps learning takes is measured, up to `LEARNT` workers and
with targets as late as the latency makes them, up to `LATENESS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import Recipe, compare
from sgdni.experiments.speed.contenders import BACKPROP, DNI, SPLIT, Way
from sgdni.experiments.speed.race import Racer
from sgdni.experiments.speed.sweep import Costs, Point, measure, times_faster
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.timeline import SCHEDULES, Links, ModuleCost, step_seconds

WORKERS = (1, 2, 3, 4, 8, 16, 32, 64)
LATENCIES = (0.0, 0.0002, 0.001, 0.005, 0.02, 0.1)
LEARNT = (2, 3, 4, 8)  # workers for which the steps to the target are measured
# By how many minibatches targets come late there, and up to which latency that is enough: twice
# the latency, in steps of 2 ms, and what waits in queues.
LATENESS = ((8, 0.005), (24, 0.02))
MEASURED = (0.0, 0.001, 0.005, 0.02)  # latencies at which two workers are measured
RIVALS = ("locked backprop", "model-parallel backprop", "pipelined backprop")


def layered(base: Settings, workers: int, latency: float = 0.0) -> Settings:
    """Return the base with one hidden layer for each worker."""
    return replace(base, hidden=(base.hidden[0],) * workers, cuts=tuple(range(1, workers)),
                   engine="processes", latency=latency,
                   queue_size=max(base.queue_size, int(1000 * latency)))


def chart(base: Settings, data: Dataset, every: Sequence[Way], *, cores: int, turns: int,
          steps: int, epochs: int, repeats: int, target: float,
          on_turn: Callable[[str], None] = lambda name: None) -> dict:
    """Return the JSON-ready map.

    predicted : for each rival and "best" of them, times faster by workers and latency.
    measured : the same at two workers, where there are two cores (which they share).
    learning : by workers and lateness, steps to the target of DNI over those of backprop.
    """
    costs = Costs(layered(base, 4), data, np.random.default_rng(base.seed), steps)
    modules, links = costs.modules(None), costs.links("processes", 0.0)
    waits = costs.links("processes", 0.005)  # waking from a timer costs more than from a signal
    predicted: dict[str, list[list[float]]] = {name: [] for name in (*RIVALS, "best")}
    for workers in WORKERS:
        # One worker is backprop, whoever it is.
        rows = [
            dict.fromkeys(predicted, 1.0) if workers == 1 else compare_steps(
                stacked(modules, workers), latency, base.fit_every, waits if latency else links)
            for latency in LATENCIES
        ]
        for name, table in predicted.items():
            table.append([row[name] for row in rows])
        on_turn("predict")
    ways = [way for way in every if way.name in (BACKPROP, SPLIT, DNI)]
    measured = []
    for latency in MEASURED if cores > 1 else ():
        point = measure(Point("map", latency, layered(base, 2, latency)), ways, data, cores=cores,
                        turns=turns, steps=steps, on_turn=lambda: on_turn("measure"))
        measured.append({
            "workers": 2, "latency": latency, "point": point,
            "locked backprop": times_faster(point, DNI, BACKPROP),
            "model-parallel backprop": times_faster(point, DNI, SPLIT),
        })
    return {
        "workers": WORKERS, "latencies": LATENCIES, "predicted": predicted, "measured": measured,
        "learning": [
            entry for workers in LEARNT
            for entry in learning(layered(base, workers), data, epochs=epochs, repeats=repeats,
                                  target=target, on_turn=on_turn)
        ],
    }


def stacked(four: Sequence[ModuleCost], workers: int) -> list[ModuleCost]:
    """Return costs for any number of workers from those of four: lowest, two between, top."""
    low, middle, _, top = four
    return [low, *[middle] * (workers - 2), top]


def compare_steps(modules: Sequence[ModuleCost], latency: float, fit_every: int,
                  links: tuple[Links, Links]) -> dict[str, float]:
    """Return how many times as many steps a second DNI makes as each rival, and as the best.

    Queues are deep enough to cover the latency.
    """
    locked, decoupled = links
    busiest = max(m.forward + m.learn for m in modules)
    queue_size = 4 + int(latency / busiest)

    def seconds(name: str, steps: int, links: Links, **options) -> float:
        played = SCHEDULES[name](modules, steps, latency=latency, links=links, **options)
        return step_seconds(played, steps)

    # Each step of a locked schedule is like the one before; queues take a while to fill.
    ours = seconds("decoupled", 40 + 2 * queue_size, decoupled, fit_every=fit_every,
                   queue_size=queue_size)
    times = {name: seconds(name, 4, locked) / ours for name in RIVALS}
    return {**times, "best": min(times.values())}


def learning(settings: Settings, data: Dataset, *, epochs: int, repeats: int, target: float,
             lateness: Sequence[tuple[int, float]] = LATENESS,
             on_turn: Callable[[str], None] = lambda name: None) -> list[dict]:
    """Count the steps to the target with backprop, and with targets of each lateness.

    Returns
    -------
    list of dict
        One for each of `lateness`. `steps_ratio` is that of medians; None unless most runs of
        both got there within so many epochs.
    """
    racers: dict[str, list[Racer]] = {}

    def recipe(name: str, method: str, **changes: object) -> Recipe:
        racers[name] = []

        def build(seeded: Settings, data: Dataset) -> Racer:
            changed = replace(seeded, latency=0.0, **changes)
            racers[name].append(Racer(build_trainer(method, changed, data), target))
            return racers[name][-1]
        return Recipe(build)

    recipes = {"backprop": recipe("backprop", "backprop", engine="sequential")}
    for late, _ in lateness:
        name = f"{late} late"
        recipes[name] = recipe(name, "cdni-ls", engine="threads", deterministic=True,
                               queue_size=late)
    compare(recipes, data, settings, epochs=epochs, repeats=repeats, on_turn=on_turn)
    steps = {name: [r.reached[1] if r.reached else None for r in found]
             for name, found in racers.items()}
    medians = {name: float(np.median([np.inf if s is None else s for s in found]))
               for name, found in steps.items()}
    entries = []
    for late, latency in lateness:
        ours, theirs = medians[f"{late} late"], medians["backprop"]
        entries.append({
            "workers": len(settings.hidden), "lateness": late, "latency": latency,
            "epochs": epochs, "steps": steps[f"{late} late"], "backprop_steps": steps["backprop"],
            "steps_ratio": ours / theirs if np.isfinite([ours, theirs]).all() else None,
        })
    return entries


def steps_ratio(chart: dict, workers: int, latency: float) -> float:
    """Return how many times as many steps learning takes there.

    Infinity when most runs did not reach the target, NaN where nothing was measured.
    """
    if workers == 1:
        return 1.0
    for entry in chart["learning"]:
        if entry["workers"] == workers and latency <= entry["latency"]:
            return np.inf if entry["steps_ratio"] is None else entry["steps_ratio"]
    return np.nan
