"""Train several contenders side by side: same weights, same minibatches, taking turns by epoch.

Turns, because machines drift: a contender that runs its epochs minutes after another may meet
another machine. Speeds are therefore compared as ratios within one turn (A B C A B C ...).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from sgdni._util.blas import blas_threads
from sgdni.data import Dataset
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError
from sgdni.training import EpochRecord


class Contender(Protocol):
    """What is compared: anything that trains an epoch and keeps a history. A Trainer is one."""

    history: list[EpochRecord]

    def epoch(self) -> EpochRecord: ...


@dataclass(frozen=True)
class Recipe:
    """How a contender is made and run.

    build : makes it from settings (with their seed) and data.
    workers : modules at work at the same time.
    blas_threads : threads of its matrix products.
    """

    build: Callable[[Settings, Dataset], Contender]
    workers: int = 1
    blas_threads: int = 1


@dataclass
class Runs:
    """All repeats of one contender.

    histories : one list of EpochRecord for each repeat.
    failure : why a repeat broke off, or None.
    """

    name: str
    recipe: Recipe
    histories: list[list[EpochRecord]] = field(default_factory=list)
    failure: str | None = None


def recipe(method: str, *, workers: int = 1, blas_threads: int = 1) -> Recipe:
    """Return the recipe for one of the package's own methods."""
    def build(settings: Settings, data: Dataset) -> Contender:
        return build_trainer(method, settings, data)
    return Recipe(build, workers, blas_threads)


def compare(contenders: dict[str, Recipe], data: Dataset, settings: Settings, *, epochs: int,
            repeats: int,
            on_turn: Callable[[str], None] | None = None,
            on_repeat: Callable[[dict[str, Runs]], None] | None = None) -> dict[str, Runs]:
    """Train every contender for `epochs`, `repeats` times with seeds seed, seed + 1, ...

    A contender that breaks down drops out of that repeat with what it had; the others go on.

    Parameters
    ----------
    contenders : dict of str to Recipe
    data, settings : as for `build_trainer`
    on_turn : called with a contender's name before each of its epochs
    on_repeat : called after each repeat with all runs so far, to save them

    Returns
    -------
    dict of str to Runs
    """
    runs = {name: Runs(name, made_by) for name, made_by in contenders.items()}
    for repeat in range(repeats):
        seeded = replace(settings, seed=settings.seed + repeat)
        trainers = {name: made_by.build(seeded, data) for name, made_by in contenders.items()}
        for name, trainer in trainers.items():
            runs[name].histories.append(trainer.history)
        out: set[str] = set()
        for _ in range(epochs):
            for name, trainer in trainers.items():
                if on_turn is not None:
                    on_turn(name)
                if name in out:
                    continue
                with blas_threads(contenders[name].blas_threads):
                    try:
                        trainer.epoch()
                    except (DivergenceError, FitError) as error:
                        out.add(name)
                        runs[name].failure = f"seed {seeded.seed}: {error}"
        if on_repeat is not None:
            on_repeat(runs)
    return runs
