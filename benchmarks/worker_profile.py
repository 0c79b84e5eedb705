"""Where the time of a two-worker step goes: each worker's own work, and waiting.

    SGDNI_DATA=DIR python benchmarks/worker_profile.py \\
        --out benchmarks/records/worker_profile.json

The network of the speed comparison, 784-256-256-256-256-10 with batch normalisation, cut after its
first layer; DNI by local error in two processes, fitted on every eighth step. A step cannot take
less than the slower worker's own work. What is above it is waiting and passing messages. Shares are
of the second half of each turn (the first warms up), medians over turns; backpropagation on one
core takes turns with it, to say what the step is worth.
"""

from __future__ import annotations

import argparse
import json
from collections import deque
from pathlib import Path

import numpy as np
from tqdm import trange

from sgdni._util.blas import blas_threads
from sgdni.data import Dataset, load
from sgdni.experiments.contenders import Contender
from sgdni.experiments.machine import describe
from sgdni.experiments.speed.contenders import BACKPROP, LOCAL_ERROR, entered
from sgdni.runs.settings import Settings
from sgdni.schedules import Recorder
from sgdni.training.batches import Minibatches

SETTINGS = Settings(hidden=(256,) * 4, cuts=(1,), ridge=1e-2)
KINDS = ("forward", "predict", "backward", "fit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=20, help="turns (default: 20)")
    parser.add_argument("--steps", type=int, default=400, help="steps of a turn (default: 400)")
    parser.add_argument("--out", type=Path, help="write the record here as JSON")
    args = parser.parse_args()
    with blas_threads(1):
        turns = measure(load("mnist"), args.turns, args.steps)
    found = summary(turns)
    for name, value in found.items():
        print(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        settings = {**SETTINGS.to_dict(), "turns": args.turns, "steps": args.steps}
        args.out.write_text(json.dumps({
            "machine": describe(), "blas_threads": 1, "settings": settings, "findings": found,
            "turns": turns}, indent=1) + "\n")


def measure(data: Dataset, turns: int, steps: int) -> list[dict]:
    """Return for every turn the seconds of a step of both, and of each worker's work by kind."""
    by_name = {one.name: one for one in entered(cores=1)}
    stints = {name: Stint(by_name[name], data, steps) for name in (BACKPROP, LOCAL_ERROR)}
    found = []
    try:
        for _ in trange(turns, unit="turn", disable=None, leave=False):
            found.append({name: stint.turn() for name, stint in stints.items()})
    finally:
        for stint in stints.values():
            stint.dismiss()
    return found


class Stint:
    """A contender at work for so many steps at a time, watched in the second half."""

    def __init__(self, contender: Contender, data: Dataset, steps: int) -> None:
        trainer = contender.trainer(SETTINGS, data)
        self.schedule, self.dismiss, self.steps = trainer.schedule, trainer.dismiss, steps
        self.recorder = self.schedule.recorder = Recorder(self.schedule.network.modules)
        self.batches = Minibatches(data.examples(), trainer.batch_size, trainer.rng, trainer.dtype,
                                   steps)

    def turn(self) -> dict:
        """Return the seconds of a step, and of every worker's work in one, by kind."""
        self.recorder.begin()
        deque(self.schedule.run(self.batches), maxlen=0)
        begins = self.steps // 2
        late = [i for i in self.recorder.intervals if i.step >= begins and i.kind in KINDS]
        workers = sorted({i.worker for i in late})
        counted = self.steps - begins
        # From the first to the last minibatch of the half, worker by worker: they drift apart.
        seconds = max(max(i.end for i in late if i.worker == w)
                      - min(i.start for i in late if i.worker == w) for w in workers) / counted
        return {"seconds_per_step": seconds, "work": [
            {kind: sum(i.end - i.start for i in late if (i.worker, i.kind) == (w, kind)) / counted
             for kind in KINDS} for w in workers]}


def summary(turns: list[dict]) -> dict[str, float | list[float]]:
    """Return medians over turns: shares of the two-worker step, and steps over backprop's."""
    ours = [turn[LOCAL_ERROR] for turn in turns]
    work = np.array([[sum(worker.values()) for worker in turn["work"]] for turn in ours])
    step = np.array([turn["seconds_per_step"] for turn in ours])
    slower = work.max(axis=1) / step
    found: dict[str, float | list[float]] = {
        "slower_workers_share": float(np.median(slower)),
        "slower_workers_share_quartiles": np.percentile(slower, [25, 75]).tolist(),
        "turns_within_10_percent": float(np.mean(slower >= 1 / 1.1)),
        "steps_per_second_vs_backprop": float(np.median(
            [turn[BACKPROP]["seconds_per_step"] for turn in turns] / step)),
    }
    for w, name in enumerate(("lower", "upper")):
        for kind in KINDS:
            found[f"{name}_{kind}"] = float(np.median(
                [turn["work"][w][kind] / turn["seconds_per_step"] for turn in ours]))
    return found


if __name__ == "__main__":
    main()
