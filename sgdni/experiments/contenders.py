"""What is compared: ways to train one network, each described in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from sgdni.data import Dataset
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.training import EpochRecord


class Learner(Protocol):
    """Anything that trains an epoch and keeps a history. A Trainer is one."""

    history: list[EpochRecord]

    def epoch(self) -> EpochRecord: ...

    def dismiss(self) -> None: ...


@dataclass(frozen=True)
class Contender:
    """A way to train.

    Parameters
    ----------
    name : in tables and records
    method : as in METHODS; by default the name
    engine : by default that of the settings
    schedule : its name in timeline.SCHEDULES, where its speed is predicted
    blas_threads : threads of its matrix products, when all modules are in one worker
    changes : other settings than everyone's, by name
    build : makes what trains, for contenders that are none of our methods
    """

    name: str
    method: str | None = None
    engine: str | None = None
    schedule: str | None = None
    blas_threads: int = 1
    changes: Mapping[str, object] = field(default_factory=dict)
    build: Callable[[Settings, Dataset], Learner] | None = None

    def settings(self, base: Settings) -> Settings:
        """Return everyone's settings with its own; links matter to workers only."""
        engine = self.engine or base.engine
        links = {} if engine != "sequential" else {"latency": 0.0, "bandwidth": None}
        return replace(base, **{"engine": engine, **links, **self.changes})

    def trainer(self, base: Settings, data: Dataset) -> Learner:
        """Return what trains, ready for its first epoch."""
        if self.build is not None:
            return self.build(self.settings(base), data)
        return build_trainer(self.method or self.name, self.settings(base), data)

    def workers(self, base: Settings) -> int:
        """Return how many modules are in workers of their own, or 1."""
        settings = self.settings(base)
        alone = self.build is not None or settings.engine == "sequential"
        return 1 if alone else len(settings.interfaces) + 1
