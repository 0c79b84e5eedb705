"""What every part of the speed comparison is told: on what, how, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import Watch, unwatched
from sgdni.experiments.contenders import Contender
from sgdni.experiments.speed.contenders import entered
from sgdni.runs.settings import Settings


@dataclass(frozen=True)
class Plan:
    """A speed comparison, as race, sweep, yardstick and map read it.

    Parameters
    ----------
    settings : with the cuts to use
    cores : of this machine
    latency, epochs, repeats : of the race; the others have latencies of their own, and at most
        three repeats
    target : test accuracy whose time is compared
    steps : minibatches of a turn in the sweep; the first hundred after a fork are slower
    race_only : leave out sweep, yardstick and map
    watch : passes on pieces of work, to show progress
    """

    data: Dataset
    settings: Settings
    cores: int
    latency: float
    epochs: int
    repeats: int
    target: float
    steps: int = 200
    race_only: bool = False
    watch: Watch = unwatched

    @property
    def contenders(self) -> list[Contender]:
        """Everyone who takes part."""
        return entered(self.cores)

    @property
    def measuring(self) -> dict[str, int]:
        """How `sweep.measure` measures: cores, turns and steps."""
        return {"cores": self.cores, "turns": min(self.repeats, 3), "steps": self.steps}
