"""From raw histories to figures: one row a contender, medians and spreads over repeats."""

from __future__ import annotations

from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import Runs
from sgdni.experiments.machine import peak_memory_mb
from sgdni.experiments.medians import by_module, median, speedup
from sgdni.experiments.record import beginning
from sgdni.runs.settings import Settings
from sgdni.training import seconds_to_accuracy


def summarise(runs: dict[str, Runs], data: Dataset, settings: Settings, *, epochs: int,
              target: float | None) -> dict:
    """Return the JSON-ready results: machine, data, settings and one row for each contender.

    The speed-up is the median of ratios to backprop's epoch in the same turn; see Runs.figures
    for the others. null stands where a figure does not apply: a target that half the repeats or
    more did not reach, SG errors of a method without SG models.
    """
    results = beginning(data, settings)
    results["machine"]["peak_memory_mb"] = peak_memory_mb()
    repeats = max((len(r.histories) for r in runs.values()), default=0)
    results["settings"] |= {"epochs": epochs, "repeats": repeats}
    rows = {name: _row(r, settings, epochs, target) for name, r in runs.items()}
    backprop = rows["backprop"]["history"] if "backprop" in rows else []
    for row in rows.values():
        row["speedup_vs_backprop"] = speedup(row["history"], backprop)
    return {**results, "rows": list(rows.values())}


def _row(runs: Runs, settings: Settings, epochs: int, target: float | None) -> dict:
    last = [h[-1] for h in runs.histories if len(h) == epochs]
    times = [] if target is None else [seconds_to_accuracy(h, target) for h in runs.histories]
    return {
        "method": runs.contender.name,
        **runs.figures(settings, epochs),
        "seconds_per_epoch": median([r.train_seconds for h in runs.histories for r in h]),
        "target_accuracy": target,
        "seconds_to_target": median(times),
        **{name: by_module([getattr(record, name) for record in last])
           for name in ("sg_relative_error", "sg_target_error", "sg_cosine")},
        "history": [[r.to_dict() for r in h] for h in runs.histories],
    }
