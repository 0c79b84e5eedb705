"""The whole speed comparison: race, sweep and map, one after the other, saved as it goes."""

from __future__ import annotations

import json
from collections.abc import Callable

from sgdni.data import Dataset
from sgdni.experiments.machine import describe
from sgdni.experiments.speed.breakeven import LATENESS, LEARNT, MEASURED, WORKERS, chart
from sgdni.experiments.speed.contenders import ways
from sgdni.experiments.speed.limit import parallel_limit
from sgdni.experiments.speed.race import race
from sgdni.experiments.speed.sweep import measure, points
from sgdni.experiments.speed.verdict import verdict
from sgdni.runs.settings import Settings

SWEEP_TURNS = 3


def compare_speed(data: Dataset, settings: Settings, *, cores: int, latency: float, epochs: int,
                  repeats: int, target: float, steps: int = 200, earlier: dict | None = None,
                  on_turn: Callable[[str], None] = lambda name: None,
                  on_part: Callable[[dict], None] = lambda results: None) -> dict:
    """Measure everything and return the JSON-ready results.

    Parameters
    ----------
    data, settings : what is trained; settings with the cuts to use
    cores : of this machine
    latency : seconds, of the links in the race
    epochs, repeats : of the race; the sweep takes fewer turns
    target : test accuracy whose time is compared
    steps : minibatches of a turn in the sweep; the first hundred after a fork are slower
    earlier : results of a run that broke off, whose finished parts are kept
    on_turn : called with a name for each piece of work, `turns` of them in all
    on_part : called with the results so far after each repeat of the race and after each part

    Raises
    ------
    ValueError
        For earlier results of something else.
    """
    every = ways(cores)
    results = {
        "machine": describe(),
        "data": {"name": data.name, "train": len(data.x_train), "test": len(data.x_test)},
        "settings": settings.to_dict(), "epochs": epochs, "repeats": repeats, "target": target,
        "latency": latency,
    }
    results = json.loads(json.dumps(results))  # as they are in a file: lists for tuples
    finished = [] if earlier is None else earlier.get("finished", [])
    for name, value in results.items():
        if earlier is not None and earlier.get(name) != value:
            raise ValueError(f"results.json: made with other {name}; choose another folder")
    results |= {name: earlier[name] for name in finished} | {"finished": finished}

    def finish(name: str, value: object) -> None:
        results[name] = json.loads(json.dumps(value))
        results["finished"] = [*results["finished"], name]
        on_part(results)

    if "race" not in finished:
        finish("race", race(
            every, data, settings, latency=latency, epochs=epochs, repeats=repeats, target=target,
            on_turn=on_turn, on_repeat=lambda rows: on_part({**results, "race": rows})))
    fewer = {"turns": min(repeats, SWEEP_TURNS), "steps": steps}
    if "sweep" not in finished:
        finish("sweep", [
            measure(point, every, data, cores=cores, on_turn=lambda: on_turn("sweep"), **fewer)
            for point in points(settings, data, cores)
        ])
    if "parallel_limit" not in finished:
        finish("parallel_limit", parallel_limit(every[0], settings, data, cores=cores, **fewer))
    if "map" not in finished:
        finish("map", chart(settings, data, every, cores=cores, epochs=min(epochs, 3),
                            repeats=min(repeats, 3), target=target, on_turn=on_turn, **fewer))
    results["verdict"] = verdict(results)
    on_part(results)
    return results


def turns(data: Dataset, settings: Settings, *, cores: int, epochs: int, repeats: int) -> int:
    """Return how often `compare_speed` calls `on_turn`."""
    every = ways(cores)
    linked = sum(way.engine == "processes" for way in every)
    raced = (len(every) + linked) * epochs * repeats
    swept = len(points(settings, data, cores)) * min(repeats, SWEEP_TURNS) * len(every)
    learnt = len(LEARNT) * (1 + len(LATENESS)) * min(epochs, 3) * min(repeats, 3)
    measured = len(MEASURED) * min(repeats, SWEEP_TURNS) * 3 if cores > 1 else 0
    return raced + swept + len(WORKERS) + measured + learnt


