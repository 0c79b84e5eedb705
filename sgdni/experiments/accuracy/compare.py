"""Train several contenders side by side: same weights, same minibatches, taking turns by epoch.

Turns, because machines drift: a contender that runs its epochs minutes after another may meet
another machine. Speeds are therefore compared as ratios within one turn (A B C A B C ...).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from tqdm import tqdm

from sgdni._util.blas import blas_threads
from sgdni.data import Dataset
from sgdni.experiments.contenders import Contender, Learner
from sgdni.experiments.medians import median
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError
from sgdni.training import EpochRecord


def progress(things: Iterable, name: str) -> Iterable:
    """Pass things on, and show on a terminal how far they are."""
    return tqdm(things, name, disable=None, leave=False)


@dataclass
class Runs:
    """All repeats of one contender.

    learners : what trained, one for each repeat.
    failure : why a repeat broke off, or None.
    """

    contender: Contender
    learners: list[Learner] = field(default_factory=list)
    failure: str | None = None

    @property
    def histories(self) -> list[list[EpochRecord]]:
        """One for each repeat."""
        return [learner.history for learner in self.learners]

    def figures(self, settings: Settings, epochs: int) -> dict:
        """Return what every comparison says of a contender.

        Test accuracy is that of the last epoch, never of the best one; its spread is [least,
        largest]. Times are medians over all epochs of all repeats.
        """
        last = [h[-1].test_accuracy for h in self.histories if len(h) == epochs]
        step = median([r.train_seconds / r.steps for h in self.histories for r in h])
        return {
            "workers": self.contender.workers(settings),
            "blas_threads": self.contender.blas_threads,
            "test_accuracy": median(last),
            "test_accuracy_spread": [min(last), max(last)] if last else None,
            "seconds_per_step": step,
            "images_per_second": settings.batch_size / step if step else None,
            "failure": self.failure,
        }


def compare(contenders: Sequence[Contender], data: Dataset, settings: Settings, *, epochs: int,
            repeats: int,
            start: Callable[[Contender, Settings, Dataset], Learner] = Contender.trainer,
            on_repeat: Callable[[dict[str, Runs]], None] = lambda runs: None) -> dict[str, Runs]:
    """Train every contender for `epochs`, `repeats` times with seeds seed, seed + 1, ...

    A contender that breaks down drops out of that repeat with what it had; the others go on.
    `start` makes what trains; `on_repeat` is called after each repeat with all runs so far. Runs
    are by the contenders' names.
    """
    runs = {contender.name: Runs(contender) for contender in contenders}
    for repeat in range(repeats):
        seeded = replace(settings, seed=settings.seed + repeat)
        running = {c.name: start(c, seeded, data) for c in contenders}
        for name, learner in running.items():
            runs[name].learners.append(learner)
        turns = [contender for _ in range(epochs) for contender in contenders]
        try:
            for contender in progress(turns, f"repeat {repeat + 1} of {repeats}"):
                name = contender.name
                if name not in running:
                    continue
                try:
                    with blas_threads(contender.blas_threads):
                        running[name].epoch()
                except (DivergenceError, FitError) as error:
                    del running[name]
                    runs[name].failure = f"seed {seeded.seed}: {error}"
        finally:  # workers may wait for an epoch that never comes: also those of the broken ones
            for mine in runs.values():
                mine.learners[-1].dismiss()
        on_repeat(runs)
    return runs
