"""From raw histories to figures: one row a contender, medians and spreads over repeats."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from sgdni._util.files import temporary_beside
from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import Runs
from sgdni.experiments.machine import describe, peak_memory_mb
from sgdni.runs.settings import Settings
from sgdni.training import seconds_to_accuracy


def summarise(runs: dict[str, Runs], data: Dataset, settings: Settings, *, epochs: int,
              target: float | None) -> dict:
    """Return the JSON-ready results: machine, data, settings and one row for each contender.

    Test accuracy is that of the last epoch, never of the best one. Times are medians over all
    epochs of all repeats; the speed-up is the median of ratios to backprop's epoch in the same
    turn. Spreads are [least, largest]. null stands where a figure does not apply: a target that
    half the repeats or more did not reach, SG errors of a method without SG models.
    """
    machine = {**describe(), "peak_memory_mb": peak_memory_mb()}
    return {
        "machine": machine,
        "data": {
            "name": data.name, "train": len(data.x_train), "test": len(data.x_test),
        },
        "settings": {
            **settings.to_dict(), "epochs": epochs,
            "repeats": max((len(r.histories) for r in runs.values()), default=0),
        },
        "rows": [
            _row(r, runs.get("backprop"), settings.batch_size, epochs, target)
            for r in runs.values()
        ],
    }


def write(results: dict, folder: Path) -> Path:
    """Write ``results.json`` into `folder`, all or nothing, and return its path."""
    path = folder / "results.json"
    with temporary_beside(path) as temporary:
        temporary.write_text(json.dumps(_finite(results), indent=1, allow_nan=False) + "\n")
        os.replace(temporary, path)
    return path


def _finite(value):
    """Return `value` with NaN and infinity, which JSON does not know, as None."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _row(runs: Runs, backprop: Runs | None, batch_size: int, epochs: int,
         target: float | None) -> dict:
    finished = [h for h in runs.histories if len(h) == epochs]
    last = [h[-1] for h in finished]
    records = [r for h in runs.histories for r in h]
    step = _median([r.train_seconds / r.steps for r in records])
    accuracies = [r.test_accuracy for r in last]
    return {
        "method": runs.name,
        "workers": runs.recipe.workers,
        "blas_threads": runs.recipe.blas_threads,
        "test_accuracy": _median(accuracies),
        "test_accuracy_spread": [min(accuracies), max(accuracies)] if accuracies else None,
        "seconds_per_step": step,
        "images_per_second": batch_size / step if step else None,
        "speedup_vs_backprop": _speedup(runs, backprop),
        "seconds_per_epoch": _median([r.train_seconds for r in records]),
        "target_accuracy": target,
        "seconds_to_target": _time_to(runs, target),
        "sg_relative_error": _per_interface([r.sg_relative_error for r in last]),
        "sg_target_error": _per_interface([r.sg_target_error for r in last]),
        "sg_cosine": _per_interface([r.sg_cosine for r in last]),
        "failure": runs.failure,
        "history": [[r.to_dict() for r in h] for h in runs.histories],
    }


def _speedup(runs: Runs, backprop: Runs | None) -> float | None:
    if backprop is None:
        return None
    return _median([
        theirs.train_seconds / ours.train_seconds
        for a, b in zip(backprop.histories, runs.histories, strict=False)
        for theirs, ours in zip(a, b, strict=False)
    ])


def _time_to(runs: Runs, target: float | None) -> float | None:
    if target is None or not runs.histories:
        return None
    times = [seconds_to_accuracy(h, target) for h in runs.histories]
    median = float(np.median([np.inf if t is None else t for t in times]))
    return median if np.isfinite(median) else None


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def _per_interface(values: list[tuple[float, ...]]) -> list[float] | None:
    if not values or not values[0]:
        return None
    return [float(v) for v in np.median(values, axis=0)]
