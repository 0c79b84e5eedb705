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

from sgdni._util.checks import check_count, check_finite
from sgdni.experiments.machine import describe
from sgdni.experiments.medians import median
from sgdni.experiments.record import as_written, check_same, read, write
from sgdni.plotting.figures import save

Settings = dict[str, object]
Finding = float | list[float | None] | None
Findings = dict[str, Finding]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Experiment:
    """A question, and how to answer it again.

    `find`, `say` and `draw` are given what the record holds: None for a number that is not finite,
    lists for tuples. So a run that goes on and one that never broke off find the same.

    Parameters
    ----------
    name, summary : on the command line
    run : (settings, seed, progress) -> rows
        JSON-ready dicts; the frame adds the "seed" to each. `progress` is called with the share of
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
    """Run seeds 0, 1, ... and return the results, as results.json in `folder` has them.

    It is written after every seed. Seeds that it already holds for the same settings on the same
    machine are kept, so a run that broke off goes on; findings are over all that it holds, also
    if those are more than `seeds`.

    Raises
    ------
    ValueError
        For a results.json of something else, settings that are not finite, and rows that bring a
        seed of their own.
    """
    check_count("seeds", seeds)
    for name, value in settings.items():
        if np.asarray(value).dtype.kind == "f":
            check_finite(name, np.asarray(value))
    first = as_written({"experiment": experiment.name, "machine": describe(),
                        "settings": settings})
    rows = _kept(experiment, first, folder)
    done = {row["seed"] for row in rows}
    for seed in range(seeds):
        def progress(share: float, seed: int = seed) -> None:
            on_progress(seed / seeds + share / seeds)
        progress(0.0)
        if seed not in done:
            # Where numbers explode the divergence guard says so.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                rows += _with_seed(seed, experiment.run(settings, seed, progress))
            write({**first, "rows": rows}, folder)  # safe before anything is made of them
        results = _concluded(experiment, first, rows)
        write(results, folder)
    on_progress(1.0)
    return results


def picture(experiment: Experiment, results: dict, folder: Path) -> Path:
    """Draw the results into `folder`, and return where. Apart from `run`, which may take a night:
    a picture that fails costs nothing but itself. Raises ValueError."""
    try:
        [path] = save({experiment.name: experiment.draw(results)}, folder)
    except OSError:
        raise
    except Exception as error:  # of rows that somebody has edited, too
        raise ValueError(f"{experiment.name}: its rows cannot be drawn ({type(error).__name__}: "
                         f"{error})") from error
    return path


def _concluded(experiment: Experiment, first: dict, rows: list[dict]) -> dict:
    """Return the results: what they start with, the rows, and what is found in them."""
    findings = as_written(experiment.find(rows))
    _check_numbers(findings)
    return {**first, "rows": rows, "findings": findings, "finding": experiment.say(findings)}


def _kept(experiment: Experiment, first: dict, folder: Path) -> list[dict]:
    """Return the rows that `folder` holds already, of a run that starts in the same way."""
    path = folder / "results.json"
    if not path.exists():
        return []
    earlier = read(path)
    check_same(first, earlier, path)
    rows = earlier.get("rows")
    if not isinstance(rows, list) or not all(isinstance(r, dict) and type(r.get("seed")) is int
                                             for r in rows):
        raise ValueError(f"{path}: not a results.json (expected rows, each with its seed)")
    if rows:
        try:  # before the work what is made of them after it
            _concluded(experiment, first, rows)
        except Exception as error:
            raise ValueError(f"{path}: its rows are none of {experiment.name} "
                             f"({type(error).__name__}: {error})") from None
    return rows


def _with_seed(seed: int, rows: list[dict]) -> list[dict]:
    if any("seed" in row for row in rows):
        raise ValueError("rows: expected none with a seed of its own, which the frame adds")
    return as_written([{"seed": seed, **row} for row in rows])


@dataclass(frozen=True)
class Held:
    """How a finding of a rerun compares with the record's.

    low, high : where the rerun's number, or the median of its list, is expected; NaN where no
    number is.
    """

    name: str
    recorded: Finding
    now: Finding
    low: float
    high: float

    @property
    def holds(self) -> bool:
        recorded, now = _middle(self.recorded), _middle(self.now)
        if recorded is None or now is None:
            return recorded is now
        return self.low <= now <= self.high


def compare(experiment: Experiment, results: dict, record: dict) -> list[Held]:
    """Hold a rerun's findings against a record's.

    The median of a list may leave the record's range by that range's own width, and any number by
    the experiment's tolerance for it (a twentieth by default). None in a list counts as infinity:
    where most are None, the rerun's have to be.

    Raises
    ------
    ValueError
        For a record of something else, or without findings.
    """
    findings = record.get("findings")
    if record.get("experiment") != experiment.name or not isinstance(findings, dict):
        raise ValueError(f"record: expected a results.json of {experiment.name}")
    if not findings:
        raise ValueError("record: expected a results.json with findings, got none to hold")
    held = []
    _check_numbers(findings)
    for name, recorded in findings.items():
        low = high = np.nan
        middle = _middle(recorded)
        if middle is not None:
            numbers = [float(v) for v in _values(recorded) if v is not None]
            least, most = min(numbers), max(numbers)
            slack = max(most - least, experiment.tolerance.get(name, 0.05) * abs(float(middle)))
            low, high = least - slack, most + slack
        held.append(Held(name, recorded, results["findings"].get(name), low, high))
    return held


def _check_numbers(findings: Findings) -> None:
    for name, value in findings.items():
        if not all(v is None or isinstance(v, int | float) for v in _values(value)):
            raise ValueError(f"findings: {name}: expected a number, null or a list of them, "
                             f"got {value!r}")


def _values(finding: Finding) -> list[float | None]:
    return finding if isinstance(finding, list) else [finding]


def _middle(finding: Finding) -> float | None:
    return median(_values(finding))
