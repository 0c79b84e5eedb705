"""The whole speed comparison: race, sweep and map, one after the other, saved as it goes."""

from __future__ import annotations

from collections.abc import Callable

from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import Watch, unwatched
from sgdni.experiments.record import beginning
from sgdni.experiments.speed.breakeven import break_even_map
from sgdni.experiments.speed.contenders import (
    BACKPROP,
    DATA_PARALLEL,
    DNI,
    LOCAL_ERROR,
    SPLIT,
    entered,
)
from sgdni.experiments.speed.limit import parallel_limit
from sgdni.experiments.speed.race import race, times_faster
from sgdni.experiments.speed.sweep import sweep
from sgdni.runs.settings import Settings

SWEEP_TURNS = 3
RIVALS = ("backprop", "data-parallel", "delayed")  # methods


def compare_speed(data: Dataset, settings: Settings, *, cores: int, latency: float, epochs: int,
                  repeats: int, target: float, steps: int = 200, earlier: dict | None = None,
                  race_only: bool = False, watch: Watch = unwatched,
                  on_part: Callable[[dict], None] = lambda results: None) -> dict:
    """Measure everything and return the JSON-ready results.

    Parameters
    ----------
    settings : with the cuts to use
    latency, epochs, repeats : of the race; the sweep has its own latencies, and fewer turns
    target : test accuracy whose time is compared
    steps : minibatches of a turn in the sweep; the first hundred after a fork are slower
    race_only : leave out sweep, yardstick and map
    earlier : results of a run that broke off, whose finished parts are kept; ValueError for those
        of something else
    watch : passes on pieces of work, to show progress
    on_part : called with the results so far after each repeat of the race and after each part
    """
    contenders = entered(cores)
    results = {**beginning(data, settings), "epochs": epochs, "repeats": repeats,
               "target": target, "latency": latency}
    for name, value in results.items():
        if earlier and earlier.get(name) != value:
            raise ValueError(f"results.json: made with other {name}; choose another folder")
    results["finished"] = list((earlier or {}).get("finished", []))
    results |= {name: earlier[name] for name in results["finished"]}
    trained = {"target": target, "watch": watch}
    measured = {"cores": cores, "turns": min(repeats, SWEEP_TURNS), "steps": steps}
    parts = {
        "race": lambda: race(
            contenders, data, settings, latency=latency, epochs=epochs, repeats=repeats,
            on_repeat=lambda rows: on_part({**results, "race": rows}), **trained),
        "sweep": lambda: sweep(contenders, settings, data, watch=watch, **measured),
        "parallel_limit": lambda: parallel_limit(contenders[0], settings, data, **measured),
        "break_even_map": lambda: break_even_map(
            contenders, settings, data, epochs=min(epochs, 3), repeats=min(repeats, 3),
            **trained, **measured),
    }
    for name, part in parts.items():
        if name not in results["finished"] and not (race_only and name != "race"):
            results[name] = part()
            results["finished"].append(name)
            on_part(results)
    results["findings"] = findings(results["race"])
    on_part(results)
    return results


def findings(race: list[dict]) -> dict[str, float | None]:
    """Return how many times faster DNI in processes is: at what, and than whom.

    DNI by local error where it has taken part. The best rival is the fastest form of
    backpropagation on this machine, without links; a local loss is none, and has a row of its own.
    None where somebody was not at the target in most repeats, broke off or did not take part.
    """
    rows = {row["name"]: row for row in race}
    name = LOCAL_ERROR if LOCAL_ERROR in rows else DNI
    ours, linked = rows[name], rows.get(f"{name}, 5 ms links")

    def against(rival: dict | None, figure: str, ours: dict | None = ours) -> float | None:
        return times_faster(ours, rival)[figure] if ours and rival else None

    def against_best(figure: str) -> float | None:
        ratios = [against(row, figure) for row in race
                  if row["method"] in RIVALS and not row["latency"] and row[figure]]
        return None if None in ratios else min(ratios, default=None)

    def over_links(rival: str) -> float | None:
        return against(rows.get(f"{rival}, 5 ms links"), "seconds_to_target", linked)

    return {
        "images_per_second_vs_backprop": against(rows[BACKPROP], "images_per_second"),
        "images_per_second_vs_best_rival": against_best("images_per_second"),
        "time_to_target_vs_backprop": against(rows[BACKPROP], "seconds_to_target"),
        "time_to_target_vs_best_rival": against_best("seconds_to_target"),
        "time_to_target_5ms_vs_model_parallel": over_links(SPLIT),
        "time_to_target_5ms_vs_data_parallel": over_links(DATA_PARALLEL),
    }
