"""Does a synthetic gradient in time help to predict the next character of a text?

Penn Treebank in Jaderberg et al. 2016; here Python's own reference (see sgdni.data.characters),
and bits a character on text held out. Contenders read equally many characters: truncated
backpropagation in windows of T, the same with a linear SG model of the state at the window's end,
and backpropagation through a longer window, which is what the SG is to stand for.

Every contender is run at each of the rates, and that with the lowest mean of the last errors
counts. Since it is chosen on the held-out text, all figures are a little too good.
"""

from __future__ import annotations

from itertools import islice
from time import perf_counter

import numpy as np
from matplotlib.figure import Figure

from sgdni._util.checks import check_count
from sgdni.data.characters import Text, python_reference, windows
from sgdni.data.streams import Task
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.in_time import BITS, best_rate, build
from sgdni.networks import Network
from sgdni.plotting.colours import BLUE, SYNTHETIC, TRUE
from sgdni.plotting.figures import tidy
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError

LOOKS = 10  # at the held-out text, in a run
COLOURS = {"tbptt": TRUE, "sg": SYNTHETIC, "bptt": BLUE}


def bits(network: Network, text: Text, cells: int, warm_up: int = 50, streams: int = 64) -> float:
    """Return bits a character on the held-out text, read by 64 readers, each of a part of it.

    The first 50 characters of each are for getting into it, and not counted.
    """
    ticks = len(text.held_out) // streams
    x, y = next(windows(text.held_out[: ticks * streams], len(text.alphabet), streams, ticks))
    core, read_out = network.modules
    h, _ = core.forward((x.inputs, np.zeros((streams, 2 * cells), np.float32), x.starts), False)
    losses, _ = network.loss(read_out.forward(h, False), y)
    return BITS * float(losses[min(warm_up, ticks - 1) : -1].mean())  # the last: another's text


def curve(contender: str, rate: float, s: dict, seed: int, text: Text, progress: Progress
          ) -> list[float]:
    """Return bits a character at ten times, equally many characters apart."""
    task = Task()
    task.n_in = task.n_classes = len(text.alphabet)
    schedule = build(task, s, rate, np.random.default_rng(seed), synthetic=contender == "sg")
    window = s["long_window"] if contender == "bptt" else s["window"]
    batches = windows(text.train, task.n_in, s["streams"], window)
    found: list[float] = []
    for look in range(LOOKS):
        progress(look / LOOKS)
        try:
            for x, y in islice(batches, s["characters"] // (LOOKS * s["streams"] * window)):
                schedule.step(x, y)
        except (DivergenceError, FitError):
            break
        found.append(round(bits(schedule.network, text, s["cells"]), 4))
    return found


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return the curve of every contender at every rate."""
    for name in ("cells", "streams", "window", "long_window", "characters"):
        check_count(name, settings[name])
    text = python_reference()
    pairs = [(c, rate) for c in settings["contenders"] for rate in settings["rates"]]
    rows = []
    for k, (contender, rate) in enumerate(pairs):
        started = perf_counter()
        found = curve(contender, rate, settings, seed, text,
                      lambda share, k=k: progress((k + share) / len(pairs)))
        rows.append({"contender": contender, "rate": rate, "bits": found,
                     "text": len(text.train) + len(text.held_out),
                     "seconds": round(perf_counter() - started, 1)})
    return rows


def score(rows: list[dict]) -> float:
    """Return the mean of the last errors, negative; a run that broke off loses."""
    return -float(np.mean([row["bits"][-1] if len(row["bits"]) == LOOKS else np.inf
                           for row in rows]))


def find(rows: list[dict]) -> Findings:
    """Bits a character in the end, one for each seed; None for a contender that was left out."""
    found = {name: best_rate(rows, name, score) for name in COLOURS}
    return {f"bits_{name}": [row["bits"][-1] for row in mine if row["bits"]] or None
            for name, mine in found.items()}


def say(findings: Findings) -> str:
    return "Bits a character: " + ", ".join(
        f"{name.removeprefix('bits_')} {np.median(values):.3f}"
        for name, values in findings.items() if values)


def draw(results: dict) -> Figure:
    s = results["settings"]
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, colour in COLOURS.items():
        for k, row in enumerate(best_rate(results["rows"], name, score)):
            read = s["characters"] / LOOKS * np.arange(1, len(row["bits"]) + 1)
            window = s["long_window"] if name == "bptt" else s["window"]
            axes.plot(read, row["bits"], "o-", color=colour, markersize=3, linewidth=1.2,
                      label=None if k else f"{name}, windows of {window}, rate {row['rate']:g}")
    axes.set(xlabel="characters read", ylabel="bits a character, held-out text", xlim=(0, None))
    tidy(axes)
    axes.legend(frameon=False)
    axes.set_title(f"{results['finding']}\nPython's reference, {results['rows'][0]['text']:,} "
                   f"characters; LSTM of {s['cells']}; one line a seed", fontsize=9.5)
    return figure


EXPERIMENT = Experiment(
    "characters", "predicting the next character of a text, in short windows",
    run, find, say, draw,
    full={"contenders": ("tbptt", "sg", "bptt"), "window": 5, "long_window": 20,
          "characters": 6400000, "rates": (3e-3, 1e-2), "cells": 64, "streams": 32,
          "forget_bias": 1.0, "gamma": 0.1, "forgetting": 0.999, "solve_every": 16},
    quick={"characters": 480000, "rates": (1e-2,), "cells": 32},
)
