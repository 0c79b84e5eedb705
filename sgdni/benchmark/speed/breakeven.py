"""The break-even map: how many times faster than backpropagation, over workers and latency.

One hidden layer for each worker, so the network grows with the workers. Throughput is predicted
by the timeline from costs measured on this machine; the steps that learning takes more (or fewer)
are measured, up to as many workers as `LEARNT`, with modules that take turns. Over slow links
targets are later than that, and learning may need more steps still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sgdni.benchmark.compare import Recipe, compare
from sgdni.benchmark.speed.contenders import BACKPROP, DNI, SPLIT, Way
from sgdni.benchmark.speed.race import Racer
from sgdni.benchmark.speed.sweep import Costs, Point, measure
from sgdni.data import Dataset
from sgdni.methods import build_trainer
from sgdni.settings import Settings
from sgdni.timeline import SCHEDULES, Links, ModuleCost, step_seconds

WORKERS = (1, 2, 3, 4, 8, 16, 32, 64)
LATENCIES = (0.0, 0.0002, 0.001, 0.005, 0.02, 0.1)
LEARNT = (2, 3, 4, 8)  # workers for which the steps to the target are measured
MEASURED = (0.0, 0.001, 0.005, 0.02)  # latencies at which two workers are measured
RIVALS = ("locked backprop", "model-parallel backprop", "pipelined backprop")


def layered(base: Settings, workers: int, latency: float = 0.0) -> Settings:
    """Return the base with one hidden layer for each worker."""
    return replace(base, hidden=(base.hidden[0],) * workers, cuts=tuple(range(1, workers)),
                   engine="processes", latency=latency,
                   depth=max(base.depth, int(1000 * latency)))


def chart(base: Settings, data: Dataset, every: Sequence[Way], *, cores: int, turns: int,
          steps: int, epochs: int, repeats: int, target: float,
          on_turn: Callable[[str], None] = lambda name: None) -> dict:
    """Return the JSON-ready map.

    predicted : for each rival and "best" of them, times faster by workers and latency.
    measured : the same at two workers, where there are two cores.
    learning : by workers, steps to the target of DNI over those of backprop.
    """
    costs = Costs(layered(base, 4), data, np.random.default_rng(base.seed), steps)
    modules, links = costs.modules(None), costs.links("processes", 0.0)
    waits = costs.links("processes", 0.005)  # waking from a timer costs more than from a signal
    predicted: dict[str, list[list[float]]] = {name: [] for name in (*RIVALS, "best")}
    for workers in WORKERS:
        rows = [compare_steps(stacked(modules, workers), latency, base.fit_every,
                              waits if latency else links) for latency in LATENCIES]
        for name, table in predicted.items():
            table.append([row[name] for row in rows])
        on_turn("predict")
    ways = [way for way in every if way.name in (BACKPROP, SPLIT, DNI)]
    measured = []
    for latency in MEASURED if cores > 1 else ():
        point = measure(Point("map", latency, layered(base, 2, latency)), ways, data, cores=cores,
                        turns=turns, steps=steps, on_turn=lambda: on_turn("measure"))
        step = {row["way"]: row["seconds_per_step"] for row in point["rows"]}
        measured.append({"workers": 2, "latency": latency, "point": point,
                         "locked backprop": step[BACKPROP] / step[DNI],
                         "model-parallel backprop": step[SPLIT] / step[DNI]})
    return {
        "workers": WORKERS, "latencies": LATENCIES, "predicted": predicted, "measured": measured,
        "learning": [learning(layered(base, w), data, epochs=epochs, repeats=repeats,
                              target=target, on_turn=on_turn) for w in LEARNT],
    }


def stacked(four: Sequence[ModuleCost], workers: int) -> list[ModuleCost]:
    """Return costs for any number of workers from those of four: lowest, two between, top."""
    low, middle, _, top = four
    if workers == 1:
        return [ModuleCost(low.forward + top.forward - middle.forward,
                           low.learn + top.learn - middle.learn)]
    return [low, *[middle] * (workers - 2), top]


def compare_steps(modules: Sequence[ModuleCost], latency: float, fit_every: int,
                  links: tuple[Links, Links]) -> dict[str, float]:
    """Return how many times as many steps a second DNI makes as each rival, and as the best.

    Queues are deep enough to cover the latency. One worker is backprop, whoever it is.
    """
    if len(modules) == 1:
        return dict.fromkeys((*RIVALS, "best"), 1.0)
    locked, decoupled = links
    busiest = max(m.forward + m.learn for m in modules)
    depth = 4 + int(latency / busiest)

    def seconds(name: str, steps: int, links: Links, **options) -> float:
        played = SCHEDULES[name](modules, steps, latency=latency, links=links, **options)
        return step_seconds(played, steps)

    # Each step of a locked schedule is like the one before; queues take a while to fill.
    ours = seconds("decoupled", 40 + 2 * depth, decoupled, fit_every=fit_every, depth=depth)
    times = {name: seconds(name, 4, locked) / ours for name in RIVALS}
    return {**times, "best": min(times.values())}


def learning(settings: Settings, data: Dataset, *, epochs: int, repeats: int, target: float,
             on_turn: Callable[[str], None] = lambda name: None) -> dict:
    """Count the steps to the target with synthetic gradients and with backpropagation.

    Modules take turns, so targets are a little fresher than with workers of their own.
    """
    racers: dict[str, list[Racer]] = {"backprop": [], "cdni-ls": []}

    def recipe(method: str) -> Recipe:
        def build(seeded: Settings, data: Dataset) -> Racer:
            alone = replace(seeded, engine="sequential", latency=0.0)
            racers[method].append(Racer(build_trainer(method, alone, data), target))
            return racers[method][-1]
        return Recipe(build)

    compare({name: recipe(name) for name in racers}, data, settings, epochs=epochs,
            repeats=repeats, on_turn=on_turn)
    steps = {
        name: [None if r.reached is None else r.reached[1] for r in found]
        for name, found in racers.items()
    }
    medians = {
        name: float(np.median([np.inf if s is None else s for s in found]))
        for name, found in steps.items()
    }
    ratio = medians["cdni-ls"] / medians["backprop"]
    return {
        "workers": len(settings.hidden), "epochs": epochs, "steps_to_target": steps,
        # None: most runs of DNI did not get there in so many epochs (or backprop did not, either)
        "steps_ratio": ratio if np.isfinite(ratio) else None,
    }
