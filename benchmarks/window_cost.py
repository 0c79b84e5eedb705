"""What a longer window costs, and what a synthetic gradient at the end of a short one does.

    OPENBLAS_NUM_THREADS=1 python benchmarks/window_cost.py \\
        --out benchmarks/records/window_cost.json

The network of the experiment delayed-recall: an LSTM of 32 cells, 32 streams, float32, Adam, one
thread. The symbol is asked for after D = 24 ticks. Truncated backpropagation reaches D with windows
of D + 1 ticks. A synthetic gradient reaches it from windows of 3, since each
window's end passes on what the next one's beginning was told. Contenders take turns, some hundred
ticks each, in one process; ratios are medians of ratios within one turn. Memory is what is alive
after a few windows: parameters, optimiser, SG model, and all that is kept of a window.
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import trange

from sgdni._util.blas import blas_threads
from sgdni.data.recall import DelayedRecall
from sgdni.data.streams import Stream
from sgdni.experiments.delayed_recall import EXPERIMENT
from sgdni.experiments.in_time import build
from sgdni.experiments.machine import describe
from sgdni.schedules import Schedule

DELAY = 24
WINDOWS = (1, 2, 3, 5, 8, 12, 18, 25)
TICKS = 300  # of a turn, or a few more
SHORT = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=40, help="turns (default: 40)")
    parser.add_argument("--out", type=Path, help="write the record here as JSON")
    args = parser.parse_args()
    with blas_threads(1):
        rows = measure(args.turns)
    for row in rows:
        print(f"{row['contender']:32} {row['milliseconds_per_update']:7.3f} ms an update, "
              f"{row['milliseconds_per_tick']:6.3f} ms a tick, {row['update_vs_short']:5.2f} and "
              f"{row['tick_vs_short']:5.2f} times those of truncation at {SHORT}; "
              f"{row['bytes'] / 1024:6.0f} KiB")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps({"machine": describe(), "threads": 1, "rows": rows},
                                       indent=1) + "\n")


def measure(turns: int) -> list[dict]:
    """Return a row for each contender."""
    contenders = {f"truncated backprop, T = {window}": (window, False) for window in WINDOWS}
    contenders[f"synthetic gradients, T = {SHORT}"] = SHORT, True
    made = {name: learner(*what) for name, what in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in made}
    for turn in trange(turns + 2, unit="turn", disable=None, leave=False):
        for name, (schedule, stream, _) in made.items():
            count = -(-TICKS // stream.window)
            batches = list(islice(stream, count))
            started = time.perf_counter()
            for x, y in batches:
                schedule.step(x, y)
            if turn > 1:  # two to warm up
                times[name].append((time.perf_counter() - started) / count)
    short = np.array(times[f"truncated backprop, T = {SHORT}"])
    rows = []
    for name, (window, _) in contenders.items():
        t = np.array(times[name])
        rows.append({"contender": name, "window": window,
                     "milliseconds_per_update": 1e3 * float(np.median(t)),
                     "milliseconds_per_tick": 1e3 * float(np.median(t)) / window,
                     "update_vs_short": float(np.median(t / short)),
                     "tick_vs_short": float(np.median(t / short)) * SHORT / window,
                     "bytes": made[name][2]})
    return rows


def learner(window: int, synthetic: bool) -> tuple[Schedule, Stream, int]:
    """Return a schedule, its stream, and the bytes that the schedule keeps alive."""
    settings = EXPERIMENT.full
    rng = np.random.default_rng(0)
    task = DelayedRecall(DELAY, settings["symbols"], with_label=synthetic)
    stream = Stream(task, settings["streams"], window, rng)
    batches = list(islice(stream, 20))
    tracemalloc.start()
    schedule = build(task, settings, 3e-3, rng, synthetic=synthetic)
    for x, y in batches:
        schedule.step(x, y)
    alive, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return schedule, stream, alive


if __name__ == "__main__":
    main()
