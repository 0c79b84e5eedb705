"""Does it pay to let modules run at the same time? Backprop and DNI on the workers of one machine.

    SGDNI_DATA=... python benchmarks/asynchronous.py --out benchmarks/records/asynchronous

784-256-256-256-256-10 with batch normalisation, batch 128, one interface, so two workers. All
contenders start from the same weights, see the same minibatches and take turns by epoch; speeds are
medians of ratios to one-thread backprop within a turn. The links with a latency are simulated: a
message can be read that much later than it was sent.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from sgdni import plots
from sgdni.benchmark.compare import Recipe, Runs, compare
from sgdni.benchmark.results import summarise, write
from sgdni.benchmark.table import render
from sgdni.data import Dataset, load
from sgdni.methods import build_trainer
from sgdni.settings import Settings

SETTINGS = Settings(hidden=(256, 256, 256, 256), cuts=(1,), fit_every=2)


def contenders(latency: float) -> dict[str, Recipe]:
    """Return who takes part, by name."""
    cores = os.cpu_count() or 1

    def parallel(method: str, engine: str, latency: float = 0.0) -> Recipe:
        def build(settings: Settings, data: Dataset):
            changed = replace(settings, engine=engine, latency=latency)
            return build_trainer(method, changed, data)
        return Recipe(build, workers=len(SETTINGS.cuts) + 1)

    def backprop(threads: int) -> Recipe:
        return Recipe(lambda s, d: build_trainer("backprop", s, d), blas_threads=threads)

    links = f"{1e3 * latency:g} ms links"
    return {
        "backprop": backprop(1),
        f"backprop, {cores} BLAS threads": backprop(cores),
        "model-parallel backprop": parallel("backprop", "processes"),
        "cdni-ls, threads": parallel("cdni-ls", "threads"),
        "cdni-ls, processes": parallel("cdni-ls", "processes"),
        f"model-parallel backprop, {links}": parallel("backprop", "processes", latency),
        f"cdni-ls, processes, {links}": parallel("cdni-ls", "processes", latency),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist", help="data set (default: mnist)")
    parser.add_argument("--epochs", type=int, default=6, help="(default: 6)")
    parser.add_argument("--repeats", type=int, default=5, help="(default: 5)")
    parser.add_argument("--latency", type=float, default=0.005, help="seconds (default: 0.005)")
    parser.add_argument("--out", type=Path, required=True, help="folder for record and pictures")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    data, entries = load(args.data), contenders(args.latency)

    def results_of(runs: dict[str, Runs]) -> dict:
        return summarise(runs, data, SETTINGS, epochs=args.epochs, target=data.target_accuracy)

    with tqdm(total=args.epochs * args.repeats * len(entries), unit="epoch", disable=None) as bar:
        runs = compare(entries, data, SETTINGS, epochs=args.epochs, repeats=args.repeats,
                       on_turn=lambda name: bar.update(),
                       on_repeat=lambda runs: write(results_of(runs), args.out))
    results = results_of(runs)
    write(results, args.out)
    plots.comparison(results, args.out)
    print(render(results))


if __name__ == "__main__":
    main()
