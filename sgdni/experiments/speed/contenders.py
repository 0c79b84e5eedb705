"""Who takes part in the speed comparison, on what, and for how long: what every part is told.

Another contender is one more line in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sgdni.data import Dataset
from sgdni.experiments.contenders import Contender
from sgdni.runs.settings import Settings

BACKPROP, SPLIT = "backprop", "model-parallel backprop"
DATA_PARALLEL, DELAYED = "data-parallel backprop", "delayed gradients"
DNI, THREADS = "DNI, processes", "DNI, threads"
LOCAL_ERROR, LOCAL_LOSS = "DNI by local error", "local loss"


def entered(cores: int) -> list[Contender]:
    """Return DNI in its forms, and in each form that could rival it backpropagation.

    DNI is `cdni-ls`, the papers' linear model, unless its name says otherwise. A local-error model
    is fitted on every eighth step only: its head learns on every one. Learning rates other than
    everyone's are those that benchmarks/choose_rates.py chose on training images set aside.
    """
    one = Contender(BACKPROP, "backprop", "sequential", "locked backprop")
    all_cores = replace(one, name=f"backprop, {cores} BLAS threads", blas_threads=cores)
    return [
        one,
        *([all_cores] if cores > 1 else []),
        Contender(SPLIT, "backprop", "processes", "model-parallel backprop"),
        Contender(DATA_PARALLEL, "data-parallel", "processes"),
        Contender(DELAYED, "delayed", "processes", changes={"lr": 0.1}),
        Contender(THREADS, "cdni-ls", "threads", "decoupled"),
        Contender(DNI, "cdni-ls", "processes", "decoupled"),
        Contender(LOCAL_ERROR, "local-error", "processes", "decoupled",
                  changes={"fit_every": 8, "lr": 0.1}),
        Contender(LOCAL_LOSS, "local-loss", "processes", "decoupled", changes={"lr": 0.1}),
    ]


def linked(base: Settings, latency: float) -> dict[str, object]:
    """Return the changes for links of this latency: queues cover it with steps of 1 ms."""
    return {"latency": latency, "queue_size": max(base.queue_size, int(1000 * latency))}


def over_links(contenders: Sequence[Contender], base: Settings, latency: float
               ) -> list[Contender]:
    """Return those with processes once more, over links of this latency."""
    return [
        replace(c, name=f"{c.name}, {1e3 * latency:g} ms links",
                changes={**linked(base, latency), **c.changes})
        for c in contenders if c.engine == "processes"
    ]


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

    @property
    def contenders(self) -> list[Contender]:
        """Everyone who takes part."""
        return entered(self.cores)

    @property
    def measuring(self) -> dict[str, int]:
        """How `sweep.measure` measures: cores, turns and steps."""
        return {"cores": self.cores, "turns": min(self.repeats, 3), "steps": self.steps}
