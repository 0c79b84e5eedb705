"""Who takes part in the comparison of speed: ways to train one network on workers and links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sgdni.data import Dataset
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.training import Trainer

DNI, THREADS = "DNI, processes", "DNI, threads"
BACKPROP, SPLIT = "backprop", "model-parallel backprop"


@dataclass(frozen=True)
class Way:
    """A way to train.

    schedule : its name in timeline.SCHEDULES.
    blas_threads : when all modules are in one worker; workers have one each.
    """

    name: str
    method: str
    engine: str
    schedule: str
    blas_threads: int = 1

    @property
    def parallel(self) -> bool:
        return self.engine != "sequential"

    def trainer(self, settings: Settings, data: Dataset) -> Trainer:
        """Return a trainer; the settings' engine is replaced, and links matter to workers only."""
        latency = settings.latency if self.parallel else 0.0
        return build_trainer(
            self.method, replace(settings, engine=self.engine, latency=latency), data)

    def workers(self, settings: Settings) -> int:
        return len(settings.interfaces) + 1 if self.parallel else 1


def ways(cores: int) -> list[Way]:
    """Return all of them: DNI, and backpropagation in each form that could rival it."""
    one = Way(BACKPROP, "backprop", "sequential", "locked backprop")
    all_cores = replace(one, name=f"backprop, {cores} BLAS threads", blas_threads=cores)
    return [
        one, *([all_cores] if cores > 1 else []),
        Way(SPLIT, "backprop", "processes", "model-parallel backprop"),
        Way(THREADS, "cdni-ls", "threads", "decoupled"),
        Way(DNI, "cdni-ls", "processes", "decoupled"),
    ]


def with_links(every: Sequence[Way]) -> list[Way]:
    """Return those that links with a latency matter to, without the slower kind of worker."""
    return [way for way in every if way.engine == "processes"]
