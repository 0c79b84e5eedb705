"""Medians over epochs and repeats, where None stands for what never came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def median(values: Iterable[float | None]) -> float | None:
    """Return the median, with None taken for infinity; None where the median is infinite."""
    values = [np.inf if value is None else value for value in values]
    with np.errstate(over="ignore", invalid="ignore"):  # the mean of the middle two
        found = float(np.median(values)) if values else np.inf
    return found if np.isfinite(found) else None


def by_module(rows: Sequence[Sequence[float]]) -> list[float] | None:
    """Return the medians of each column; None where there are none."""
    return np.median(rows, axis=0).tolist() if len(rows) and len(rows[0]) else None


def speedup(ours: Sequence[Sequence[dict]], theirs: Sequence[Sequence[dict]]) -> float | None:
    """Return how many times faster we train: the median of ratios within one turn.

    Both are histories, one for each repeat, with the epochs as dicts.
    """
    return median([
        b["train_seconds"] / a["train_seconds"]
        for x, y in zip(ours, theirs, strict=False) for a, b in zip(x, y, strict=False)
    ])
