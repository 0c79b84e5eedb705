"""The break-even map: how many times faster than backpropagation, over workers and latency.

One hidden layer for each worker, so the network grows with the workers, and each worker on a
machine of its own, so that none slows another down. Throughput is predicted by the timeline from
costs measured here. How many more steps learning takes is measured, up to `LEARNT` workers and
with targets as late as the latency makes them, up to `STALENESS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import compare, progress
from sgdni.experiments.contenders import Contender
from sgdni.experiments.medians import median
from sgdni.experiments.speed.contenders import BACKPROP, DNI, SPLIT, Plan, linked
from sgdni.experiments.speed.race import Racer
from sgdni.experiments.speed.sweep import link_costs, measure, module_costs, steps_faster
from sgdni.runs.settings import Settings
from sgdni.timeline import SCHEDULES, Links, ModuleCost, step_seconds

WORKERS = (1, 2, 3, 4, 8, 16, 32, 64)
LATENCIES = (0.0, 0.0002, 0.001, 0.005, 0.02, 0.1)
LEARNT = (2, 3, 4, 8)  # workers for which the steps to the target are measured
# By how many minibatches targets come late there, and up to which latency that is enough: twice
# the latency, in steps of 2 ms, and what waits in queues.
STALENESS = ((8, 0.005), (24, 0.02))
MEASURED = (0.0, 0.001, 0.005, 0.02)  # latencies at which two workers are measured
RIVALS = ("locked backprop", "model-parallel backprop", "pipelined backprop")


def layered(base: Settings, workers: int, latency: float = 0.0) -> Settings:
    """Return the base with one hidden layer for each worker."""
    return replace(base, hidden=(base.hidden[0],) * workers, cuts=tuple(range(1, workers)),
                   engine="processes", **linked(base, latency))


def break_even_map(plan: Plan) -> dict:
    """Return the JSON-ready map.

    predicted : for each rival and "best" of them, times faster by workers and latency.
    measured : the same at two workers, where there are two cores (which they share).
    learning : by workers and staleness, steps to the target of DNI over those of backprop.
    """
    base, data, steps = plan.settings, plan.data, plan.steps
    four = layered(base, 4)
    modules = module_costs("cdni-ls", four, data, np.random.default_rng(base.seed), repeats=steps)
    # Waking from a timer costs more than from a signal.
    signal, timer = (link_costs(four, data, latency, steps) for latency in (0.0, 0.005))
    cells = [[times_faster(stacked(modules, workers), latency, base.fit_every,
                           timer if latency else signal) for latency in LATENCIES]
             for workers in progress(WORKERS, "predict")]
    three = [c for c in plan.contenders if c.name in (BACKPROP, SPLIT, DNI)]
    measured = []
    for latency in progress(MEASURED if plan.cores > 1 else (), "measure"):
        point = measure(three, layered(base, 2, latency), data, **plan.measuring)
        measured.append({
            "workers": 2, "latency": latency, "point": point,
            "locked backprop": steps_faster(point, DNI, BACKPROP),
            "model-parallel backprop": steps_faster(point, DNI, SPLIT),
        })
    return {
        "workers": WORKERS, "latencies": LATENCIES,
        "predicted": {name: [[cell[name] for cell in row] for row in cells]
                      for name in (*RIVALS, "best")},
        "measured": measured,
        "learning": [
            entry for workers in LEARNT
            for entry in learning(layered(base, workers), data, epochs=min(plan.epochs, 3),
                                  repeats=min(plan.repeats, 3), target=plan.target)
        ],
    }


def stacked(four: Sequence[ModuleCost], workers: int) -> list[ModuleCost]:
    """Return costs for any number of workers from those of four: lowest, two between, top."""
    low, middle, _, top = four
    return [low, *[middle] * (workers - 2), top][:workers]


def times_faster(modules: Sequence[ModuleCost], latency: float, fit_every: int,
                 links: Links) -> dict[str, float]:
    """Return how many times as many steps a second DNI makes as each rival, and as the best.

    Queues are long enough to cover the latency. One worker is backprop, whoever it is.
    """
    if len(modules) == 1:
        return dict.fromkeys((*RIVALS, "best"), 1.0)
    queue_size = 4 + int(latency / max(m.forward + m.learn for m in modules))

    def seconds(name: str, steps: int, **options) -> float:
        played = SCHEDULES[name](modules, steps, latency=latency, links=links, **options)
        return step_seconds(played, steps)

    # Each step of a locked schedule is like the one before; queues take a while to fill.
    ours = seconds("decoupled", 40 + 2 * queue_size, fit_every=fit_every, queue_size=queue_size)
    times = {name: seconds(name, 4) / ours for name in RIVALS}
    return {**times, "best": min(times.values())}


def learning(settings: Settings, data: Dataset, *, epochs: int, repeats: int, target: float,
             staleness: Sequence[tuple[int, float]] = STALENESS) -> list[dict]:
    """Count the steps to the target with backprop, and with targets of each staleness.

    Returns
    -------
    list of dict
        One for each of `staleness`. `steps_ratio` is that of medians; None unless most runs of
        both got there within so many epochs.
    """
    late = [Contender(str(n), "cdni-ls", "threads",
                      changes={"latency": 0.0, "deterministic": True, "queue_size": n})
            for n, _ in staleness]
    runs = compare([Contender(BACKPROP, engine="sequential"), *late], data, settings,
                   epochs=epochs, repeats=repeats, start=partial(Racer, target))
    theirs, *every = ([racer.reached and racer.reached[1] for racer in mine.learners]
                      for mine in runs.values())

    def entry(ours: list[int | None], staleness: int, latency: float) -> dict:
        steps, rival = median(ours), median(theirs)
        return {"workers": len(settings.hidden), "staleness": staleness, "latency": latency,
                "epochs": epochs, "steps": ours, "backprop_steps": theirs,
                "steps_ratio": steps / rival if steps and rival else None}

    return [entry(ours, *how_late) for ours, how_late in zip(every, staleness, strict=True)]


def steps_ratio(found: dict, workers: int, latency: float) -> float:
    """Return how many times as many steps learning takes there, by the map.

    Infinity when most runs did not reach the target, NaN where nothing was measured.
    """
    if workers == 1:
        return 1.0
    return next((entry["steps_ratio"] or np.inf for entry in found["learning"]
                 if entry["workers"] == workers and latency <= entry["latency"]), np.nan)
