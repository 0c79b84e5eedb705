"""The frame that every experiment stands in: seeds, progress, a record, a picture, a comparison.

An experiment is one file: a function from settings to rows, one from rows to findings, one that
draws, and one line that says what was found. The frame does the rest. A new one is one more entry
in catalogue.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sgdni.experiments.machine import describe
from sgdni.experiments.record import check_same, read, write
from sgdni.plotting.figures import save

Settings = dict[str, object]
Findings = dict[str, float | list[float] | None]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Experiment:
    """A question, and how to answer it again.

    Parameters
    ----------
    name, summary : on the command line
    run : (settings, seed, progress) -> rows
        JSON-ready dicts; the frame adds the seed to each. `progress` is called with the share of
        this seed's work that is done.
    find : rows -> findings
        Numbers by name, or lists with one number for each seed.
    say : findings -> one line
    draw : results -> Figure
    full : settings with their defaults; each becomes an option of the command line
    quick : what is smaller with ``--quick``, which is to take less than a minute
    seeds : how many; one with ``--quick``
    tolerance : by how much a finding may differ in a rerun, as a share of it; by name
    """

    name: str
    summary: str
    run: Callable[[Settings, int, Progress], list[dict]]
    find: Callable[[list[dict]], Findings]
    say: Callable[[Findings], str]
    draw: Callable[[dict], Figure]
    full: Settings
    quick: Settings = field(default_factory=dict)
    seeds: int = 3
    tolerance: dict[str, float] = field(default_factory=dict)


def run(experiment: Experiment, settings: Settings, seeds: int, folder: Path, *,
        on_progress: Callable[[float], None] = lambda share: None) -> dict:
    """Run seeds 0, 1, ... and return the results; `folder` gets results.json and a picture.

    results.json is written after every seed. Seeds that it already holds for the same settings on
    the same machine are kept, so a run that broke off goes on.

    Raises
    ------
    ValueError
        For a results.json of something else.
    """
    results = {"experiment": experiment.name, "machine": describe(), "settings": settings}
    earlier = {"rows": []}
    if (folder / "results.json").exists():
        earlier = read(folder)
        check_same(results, earlier, folder / "results.json")
    results["rows"] = earlier["rows"]
    done = {row["seed"] for row in results["rows"]}
    for seed in range(seeds):
        def progress(share: float, seed: int = seed) -> None:
            on_progress((seed + share) / seeds)
        progress(0.0)
        if seed not in done:
            rows = experiment.run(settings, seed, progress)
            results["rows"] += [{"seed": seed, **row} for row in rows]
        results["findings"] = experiment.find(results["rows"])
        results["finding"] = experiment.say(results["findings"])
        write(results, folder)
    on_progress(1.0)
    results = read(folder)
    save({experiment.name: experiment.draw(results)}, folder)
    return results


@dataclass(frozen=True)
class Held:
    """How a finding of a rerun compares with the record's.

    low, high : where the rerun's number, or the median of its list, is expected.
    """

    name: str
    recorded: float | list[float] | None
    now: float | list[float] | None
    low: float
    high: float

    @property
    def holds(self) -> bool:
        if self.recorded is None or self.now is None:
            return self.recorded is self.now
        return self.low <= _middle(self.now) <= self.high


def compare(experiment: Experiment, results: dict, record: dict) -> list[Held]:
    """Hold a rerun's findings against a record's.

    The median of a list may leave the record's range by that range's own width, and any number by
    the experiment's tolerance for it (a twentieth by default).

    Raises
    ------
    ValueError
        For a record of something else.
    """
    if record.get("experiment") != experiment.name or not isinstance(record.get("findings"), dict):
        raise ValueError(f"record: expected a results.json of {experiment.name}")
    held = []
    for name, recorded in record["findings"].items():
        values = [] if recorded is None else np.atleast_1d(recorded)
        low = high = np.nan
        if len(values):
            slack = max(np.ptp(values),
                        experiment.tolerance.get(name, 0.05) * abs(_middle(recorded)))
            low, high = float(min(values) - slack), float(max(values) + slack)
        held.append(Held(name, recorded, results["findings"].get(name), low, high))
    return held


def _middle(value: float | list[float]) -> float:
    return float(np.median(value))
