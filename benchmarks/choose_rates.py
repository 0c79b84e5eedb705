"""Choose each contender's learning rate for the speed comparison, without looking at test images.

    SGDNI_DATA=DIR python benchmarks/choose_rates.py --out benchmarks/records/rates.json
    SGDNI_DATA=DIR python benchmarks/choose_rates.py --network cnn --target 0.98 --seeds 1 \\
        --epochs 1 --rates 0.05 0.1 --out benchmarks/records/rates-cnn.json

5,000 training images are set aside; every contender of ``sgdni benchmark --speed`` that learns in
a way of its own trains with each rate, and is tested on those images 20 times an epoch. The rate
with the fewest steps to the target, median over seeds, is chosen; runs that do not get there count
as endless, and of equal rates the one nearest to 0.1 wins. What came out is in benchmarks/records,
and what was chosen in speed/contenders.py.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from sgdni._util.blas import blas_threads
from sgdni.cli.speed import SETTINGS
from sgdni.data import load
from sgdni.experiments.machine import describe
from sgdni.experiments.speed.contenders import entered
from sgdni.experiments.steps import steps_to_target
from sgdni.runs.settings import Settings

RATES, ASIDE = (0.03, 0.05, 0.1, 0.2), 5000
SAME = ("backprop, 2 BLAS threads", "model-parallel backprop")  # bit for bit what backprop is


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=SETTINGS, default="mlp")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--seeds", type=int, default=3, help="(default: 3)")
    parser.add_argument("--epochs", type=int, default=2, help="(default: 2)")
    parser.add_argument("--target", type=float, help="(default: the data set's)")
    parser.add_argument("--out", type=Path, default=Path("rates.json"))
    args = parser.parse_args()
    data = load("mnist").validation_split(ASIDE, np.random.default_rng(0))
    target = data.target_accuracy if args.target is None else args.target
    base = Settings(**SETTINGS[args.network], cuts=(1,), engine="processes")
    results = {"machine": describe(), "settings": base.to_dict(), "aside": ASIDE,
               "epochs": args.epochs, "target": target, "steps": {}, "chosen": {}}
    for contender in entered(2, args.network):
        if contender.name in SAME:
            continue
        with blas_threads(1):
            found = {rate: [
                steps_to_target(replace(contender, changes={**contender.changes, "lr": rate}),
                                replace(base, seed=seed), data, args.epochs, target) or np.inf
                for seed in range(args.seeds)] for rate in args.rates}
        best = min(args.rates, key=lambda r, f=found: (np.median(f[r]), abs(np.log(r / 0.1))))
        results["steps"][contender.name] = {
            str(rate): [None if np.isinf(s) else s for s in steps]
            for rate, steps in found.items()}
        results["chosen"][contender.name] = best
        print(contender.name, found, "->", best, flush=True)
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
