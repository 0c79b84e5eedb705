"""The whole speed comparison: race, sweep and map, one after the other, saved as it goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sgdni.experiments.record import beginning, check_same
from sgdni.experiments.speed import contenders as who
from sgdni.experiments.speed.breakeven import break_even_map
from sgdni.experiments.speed.pictures import draw
from sgdni.experiments.speed.race import parallel_limit, race, times_faster
from sgdni.experiments.speed.sweep import sweep
from sgdni.experiments.speed.tables import document
from sgdni.runs.settings import Settings

RIVALS = ("backprop", "data-parallel", "delayed")  # methods


def compare_speed(plan: who.Plan, earlier: dict | None = None,
                  on_part: Callable[[dict], None] = lambda results: None) -> dict:
    """Measure everything and return the JSON-ready results.

    Parameters
    ----------
    earlier : results of a run that broke off, whose finished parts are kept; ValueError for those
        of something else
    on_part : called with the results so far after each repeat of the race and after each part
    """
    results = {**beginning(plan.data, plan.settings), "epochs": plan.epochs,
               "repeats": plan.repeats, "target": plan.target, "latency": plan.links.latency,
               "bandwidth": plan.links.bandwidth}
    if earlier:
        check_same(results, earlier, "results.json")
    results["finished"] = list((earlier or {}).get("finished", []))
    results |= {name: earlier[name] for name in results["finished"]}
    parts = {"race": partial(race, on_repeat=lambda rows: on_part({**results, "race": rows}))}
    if not plan.race_only:
        parts |= {"sweep": sweep, "parallel_limit": parallel_limit,
                  "break_even_map": break_even_map}
    for name, part in parts.items():
        if name not in results["finished"]:
            results[name] = part(plan)
            results["finished"].append(name)
            on_part(results)
    results["findings"] = findings(results["race"])
    on_part(results)
    return results


def kept(earlier: dict, where: Path) -> dict:
    """Return the finished parts of a run that broke off, and what they start with.

    Raises ValueError for what nothing can be made of: before the work, not after it.
    """
    try:
        done = {name: earlier[name] for name in earlier["finished"]}
        results = {**earlier, "finished": list(done), **done}
        Settings.from_dict(results["settings"])
        if "race" in done:
            findings(done["race"])
            document(results)
            draw(results)
    except Exception as error:
        raise ValueError(f"{where}: nothing to go on from ({type(error).__name__}: {error})"
                         ) from None
    return results


def findings(race: list[dict]) -> dict[str, float | None]:
    """Return how many times faster DNI in processes is: at what, and than whom.

    DNI by local error where it has taken part. The best rival is the fastest form of
    backpropagation on this machine, without links; a local loss is none, and has a row of its own.
    None where somebody was not at the target in most repeats, broke off or did not take part, and
    for links of 5 ms where the race had others.
    """
    rows = {row["name"]: row for row in race}
    ours = who.LOCAL_ERROR if who.LOCAL_ERROR in rows else who.DNI

    def against(rival: str, figure: str, links: str = "") -> float | None:
        both = [rows.get(name + links) for name in (ours, rival)]
        return times_faster(*both)[figure] if all(both) else None

    def against_best(figure: str, links: who.Links) -> float | None:
        """Against the best form of backprop that crosses these links, or of all without links."""
        added = f", {links}" if links.latency else ""
        ratios = [against(name.removesuffix(added), figure, added) for name, row in rows.items()
                  if row["method"] in RIVALS and row["latency"] == links.latency
                  and row.get("bandwidth") == links.bandwidth and row[figure]]
        return None if None in ratios else min(ratios, default=None)

    images, time = "images_per_second", "seconds_to_target"
    none, slow = who.Links(), f", {who.Links(0.005)}"
    found = {
        "images_per_second_vs_backprop": against(who.BACKPROP, images),
        "images_per_second_vs_best_rival": against_best(images, none),
        "time_to_target_vs_backprop": against(who.BACKPROP, time),
        "time_to_target_vs_best_rival": against_best(time, none),
        "time_to_target_5ms_vs_model_parallel": against(who.SPLIT, time, slow),
        "time_to_target_5ms_vs_data_parallel": against(who.DATA_PARALLEL, time, slow),
    }
    return found | {f"time_to_target_1ms_{name}_vs_best_rival": against_best(time, links)
                    for name, links in who.NETWORKS.items()
                    if any(row.get("bandwidth") == links.bandwidth for row in race)}
