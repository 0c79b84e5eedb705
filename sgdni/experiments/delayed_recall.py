"""Can a network learn to remember for longer than the window that it is trained on?

Delayed recall: everything depends on one symbol D ticks back or more, one of the first few of its
episode, where a mark stands beside it (see sgdni.data.recall), and windows have T < D ticks.
Truncated backpropagation never sees the symbol and the question in one window.
A linear SG model at the window's end, which is told the label while training, learns which states
will be good for which answer, and passes that on, window by window, down to the symbol.

**Solved**: of the answers in 200 windows in a row (about 870 of them at D = 17), 95% are right.
Answers come before the network learns from them, so this is a test on new data. A run ends there.

Every contender is run at each of the rates, and the rate that solves the most seeds counts, and of
equal ones the quickest (the sum over seeds), or of those that solve none the nearest to it.

Without the mark (``--lead 0``: the symbol is the first of its episode) the task is no proof:
truncated backpropagation gets there too, later (benchmarks/records/delayed-recall-no-mark.json, a
delay of 24; in single trials at 17 and 35, too). An LSTM whose forget gates
start near 1 holds a faint trace of the first symbol untrained, which stands out since it met a
state of zero; the read-out learns to find it, and windows on the way learn to spoil it less. With
the mark the symbol has to be told from the others when it comes, and nothing in its window says
so. In single trials a gamma of .5 ruined the SG.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from matplotlib.figure import Figure

from sgdni.data.recall import DelayedRecall
from sgdni.data.streams import Stream
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.in_time import best_rate, build, looks
from sgdni.plotting.colours import SYNTHETIC, TRUE
from sgdni.plotting.figures import tidy

EVERY, ENOUGH = 200, 0.95  # windows between two looks, and the share of right answers
COLOURS = {"sg": SYNTHETIC, "tbptt": TRUE}
LABELS = {"sg": "synthetic gradients", "tbptt": "truncated backprop"}


def curve(contender: str, rate: float, s: dict, seed: int, progress: Progress) -> list[float]:
    """Return the share of right answers in every 200 windows of one run."""
    rng = np.random.default_rng(seed)
    synthetic = contender == "sg"
    task = DelayedRecall(s["delay"], s["symbols"], lead=s["lead"], with_label=synthetic)
    schedule = build(task, s, rate, rng, synthetic=synthetic)
    found: list[float] = []
    for answers in looks(schedule, Stream(task, s["streams"], s["window"], rng), s["windows"],
                         EVERY):
        found.append(round(answers.right, 4))
        progress(len(found) * EVERY / s["windows"])
        if answers.right >= ENOUGH:
            break
    return found


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return the curve of every contender at every rate."""
    pairs = [(c, rate) for c in settings["contenders"] for rate in settings["rates"]]
    rows = []
    for k, (contender, rate) in enumerate(pairs):
        started = perf_counter()
        found = curve(contender, rate, settings, seed,
                      lambda share, k=k: progress((k + share) / len(pairs)))
        solved = max(found, default=0) >= ENOUGH
        rows.append({"contender": contender, "rate": rate, "right": found, "solved": solved,
                     "windows": len(found) * EVERY if solved else settings["windows"],
                     "seconds": round(perf_counter() - started, 1)})
    return rows


def score(rows: list[dict]) -> tuple[int, int, float]:
    """Return what is better when it is higher: seeds solved, then windows, negative, and then, if
    nobody got there, how near they were."""
    return (sum(row["solved"] for row in rows), -sum(row["windows"] for row in rows),
            sum(max(row["right"], default=0) for row in rows))


def find(rows: list[dict]) -> Findings:
    """Numbers of seeds solved; `sg_windows` counts a run that is not solved in full."""
    sg, tbptt = (best_rate(rows, name, score) for name in ("sg", "tbptt"))
    return {"sg_solved": score(sg)[0] if sg else None,
            "tbptt_solved": score(tbptt)[0] if tbptt else None,
            "sg_windows": [row["windows"] for row in sg] or None}


def say(findings: Findings) -> str:
    solved = {name: findings[f"{name}_solved"] for name in LABELS}
    return "Seeds solved: " + ", ".join(f"{LABELS[name]} {count:g}"
                                        for name, count in solved.items() if count is not None)


def draw(results: dict) -> Figure:
    s = results["settings"]
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, colour in COLOURS.items():
        for k, row in enumerate(best_rate(results["rows"], name, score)):
            windows = EVERY * np.arange(1, len(row["right"]) + 1)
            axes.plot(windows, row["right"], color=colour, linewidth=1.2,
                      label=None if k else f"{LABELS[name]}, rate {row['rate']:g}")
            if row["solved"]:
                axes.plot(windows[-1], row["right"][-1], "o", color=colour, markersize=4)
    axes.axhline(1 / s["symbols"], color="0.5", linewidth=0.8, linestyle=":", label="guessing")
    axes.set(xlabel="windows", ylabel="share of right answers", ylim=(0, 1.02), xlim=(0, None))
    tidy(axes)
    axes.legend(frameon=False)
    delay = f"{s['delay']} to {s['delay'] + s['lead']}" if s["lead"] else s["delay"]
    axes.set_title(f"{results['finding']} of {len({row['seed'] for row in results['rows']})}\n"
                   f"a symbol, one of {s['symbols']}, asked for after {delay} ticks; windows "
                   f"of {s['window']}; one line a seed", fontsize=9.5)
    return figure


EXPERIMENT = Experiment(
    "delayed-recall", "remembering for longer than the window that a network is trained on",
    run, find, say, draw,
    full={"contenders": ("sg", "tbptt"), "delay": 17, "lead": 4, "window": 3, "symbols": 4,
          "windows": 20000, "rates": (3e-3, 1e-3, 1e-2), "cells": 32, "streams": 32,
          "forget_bias": 3.0, "gamma": 0.2, "forgetting": 0.99, "solve_every": 8},
    quick={"windows": 3000, "rates": (3e-3,)},
    tolerance={"sg_windows": 0.5},
)
