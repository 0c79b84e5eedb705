"""Choose each contender's learning rate for the speed comparison, without looking at test images.

    python benchmarks/choose_rates.py [OUT]

5,000 training images are set aside; every contender of ``sgdni benchmark --speed`` that learns in
a way of its own trains with each rate, three seeds, two epochs, and is tested on those images 20
times an epoch. The rate with the fewest steps to the target, median over seeds, is chosen; runs
that do not get there count as endless, and of equal rates the one nearest to 0.1 wins.
benchmarks/records/rates.json holds what came out, and speed/contenders.py what was chosen.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from sgdni._util.blas import blas_threads
from sgdni.cli.speed import SETTINGS
from sgdni.data import load
from sgdni.experiments.machine import describe
from sgdni.experiments.speed.contenders import entered
from sgdni.experiments.speed.race import Racer
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError

RATES, SEEDS, EPOCHS, ASIDE = (0.03, 0.05, 0.1, 0.2), 3, 2, 5000
SAME = ("backprop, 2 BLAS threads", "model-parallel backprop")  # bit for bit what backprop is


def steps_to_target(start, settings: Settings) -> float:
    """Return the steps of one run; infinite when it does not get there."""
    racer = start(settings)
    try:
        while racer.reached is None and len(racer.history) < EPOCHS:
            racer.epoch()
    except (DivergenceError, FitError):
        pass
    racer.dismiss()
    return racer.reached[1] if racer.reached else np.inf


def main(out: Path) -> None:
    data = load("mnist").validation_split(ASIDE, np.random.default_rng(0))
    base = Settings(**SETTINGS, cuts=(1,), engine="processes")
    results = {"machine": describe(), "settings": base.to_dict(), "aside": ASIDE, "epochs": EPOCHS,
               "target": data.target_accuracy, "steps": {}, "chosen": {}}
    for contender in entered(2):
        if contender.name in SAME:
            continue
        free = replace(contender, changes={k: v for k, v in contender.changes.items() if k != "lr"})
        start = partial(lambda settings, c: Racer(data.target_accuracy, c, settings, data), c=free)
        with blas_threads(1):
            found = {rate: [steps_to_target(start, replace(base, lr=rate, seed=seed))
                            for seed in range(SEEDS)] for rate in RATES}
        best = min(RATES, key=lambda r, f=found: (np.median(f[r]), abs(np.log(r / 0.1))))
        results["steps"][contender.name] = {
            str(rate): [None if np.isinf(s) else s for s in steps]
            for rate, steps in found.items()}
        results["chosen"][contender.name] = best
        print(contender.name, found, "->", best, flush=True)
        out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "rates.json"))
