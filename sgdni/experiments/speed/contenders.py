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


#: By network, the rates of those that learn at another than everyone's: benchmarks/choose_rates.py
#: chose them on training images set aside.
RATES = {"mlp": {DELAYED: 0.1, LOCAL_ERROR: 0.1, LOCAL_LOSS: 0.1}, "cnn": {DNI: 0.05}}


def entered(cores: int, network: str = "mlp") -> list[Contender]:
    """Return DNI in its forms, and in each form that could rival it backpropagation.

    DNI is `cdni-ls`, the papers' linear model, unless its name says otherwise. A local-error model
    is fitted on every eighth step only: its head learns on every one.
    """
    one = Contender(BACKPROP, "backprop", "sequential", "locked backprop")
    all_cores = replace(one, name=f"backprop, {cores} BLAS threads", blas_threads=cores)
    every = [
        one,
        *([all_cores] if cores > 1 else []),
        Contender(SPLIT, "backprop", "processes", "model-parallel backprop"),
        Contender(DATA_PARALLEL, "data-parallel", "processes", "data-parallel backprop"),
        Contender(DELAYED, "delayed", "processes", "delayed gradients"),
        Contender(THREADS, "cdni-ls", "threads", "decoupled"),
        Contender(DNI, "cdni-ls", "processes", "decoupled"),
        Contender(LOCAL_ERROR, "local-error", "processes", "decoupled", changes={"fit_every": 8}),
        Contender(LOCAL_LOSS, "local-loss", "processes", "decoupled"),
    ]
    own = RATES[network]
    return [replace(c, changes={**c.changes, "lr": own[c.name]}) if c.name in own else c
            for c in every]


@dataclass(frozen=True)
class Links:
    """Links between workers: seconds that a message is under way, bytes a second (None: no limit).
    """

    latency: float = 0.0
    bandwidth: float | None = None

    def __str__(self) -> str:
        if not self.latency and self.bandwidth is None:
            return "no links"
        speed = f", {self.bandwidth * 8e-9:g} Gbit/s" if self.bandwidth else ""
        return f"{1e3 * self.latency:g} ms{speed} links"


#: Besides the latency of the race: a local network, and a slow one. Names are those of findings.
NETWORKS = {"1gbit": Links(0.001, 125e6), "100mbit": Links(0.001, 12.5e6)}


def linked(base: Settings, links: Links) -> dict[str, object]:
    """Return the changes for these links: queues cover the latency with steps of 1 ms."""
    return {"latency": links.latency, "bandwidth": links.bandwidth,
            "queue_size": max(base.queue_size, int(1000 * links.latency))}


def over_links(contenders: Sequence[Contender], base: Settings, links: Links) -> list[Contender]:
    """Return those with processes once more, over these links."""
    return [replace(c, name=f"{c.name}, {links}", changes={**linked(base, links), **c.changes})
            for c in contenders if c.engine == "processes"]


@dataclass(frozen=True)
class Plan:
    """A speed comparison, as race, sweep, yardstick and map read it.

    Parameters
    ----------
    settings : with the cuts to use
    cores : of this machine
    links : of the race, besides this machine alone and NETWORKS; the others have links of their own
    epochs, repeats : of the race; the others have at most three repeats
    target : test accuracy whose time is compared
    steps : minibatches of a turn in the sweep; the first hundred after a fork are slower
    race_only : leave out sweep, yardstick and map, and NETWORKS
    """

    data: Dataset
    settings: Settings
    cores: int
    links: Links
    epochs: int
    repeats: int
    target: float
    steps: int = 200
    race_only: bool = False

    @property
    def kinds_of_links(self) -> tuple[Links, ...]:
        """What the race is run over, besides this machine alone."""
        return (self.links, *([] if self.race_only else NETWORKS.values()))

    @property
    def contenders(self) -> list[Contender]:
        """Everyone who takes part."""
        return entered(self.cores, self.settings.network)

    @property
    def measuring(self) -> dict[str, int]:
        """How `sweep.measure` measures: cores, turns and steps."""
        return {"cores": self.cores, "turns": min(self.repeats, 3), "steps": self.steps}
