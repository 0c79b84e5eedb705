"""Who takes part in the comparison of speed. Another contender is one more line in the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sgdni.experiments.contenders import Contender
from sgdni.runs.settings import Settings

DNI, THREADS = "DNI, processes", "DNI, threads"
BACKPROP, SPLIT = "backprop", "model-parallel backprop"


def entered(cores: int) -> list[Contender]:
    """Return DNI, and backpropagation in each form that could rival it."""
    return [
        Contender(BACKPROP, "backprop", "sequential", "locked backprop"),
        *[Contender(f"backprop, {n} BLAS threads", "backprop", "sequential", "locked backprop", n)
          for n in (cores,) if n > 1],
        Contender(SPLIT, "backprop", "processes", "model-parallel backprop"),
        Contender(THREADS, "cdni-ls", "threads", "decoupled"),
        Contender(DNI, "cdni-ls", "processes", "decoupled"),
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
