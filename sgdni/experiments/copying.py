"""How far back does a network learn to remember, in windows of T ticks?

Copy and repeat copy of Jaderberg et al. 2016, with one bit a symbol (see sgdni.data.copying), and
a curriculum: episodes begin with one symbol, and get longer whenever the network has **mastered**
a length: over the latest 2,000 answers or a few more, all since the length changed or since the
last such look, the mean error is below .15 bits. The **longest** is the longest length that was
mastered: N symbols for copy, N R answers for repeat copy.

Contenders:
- ``tbptt``: backpropagation through a window, nothing from beyond it
- ``sg``: a linear SG model of the state after the window, as in the paper
- ``sg-aux``: the same with the paper's auxiliary task (see sgdni.schedules.auxiliary)
- ``sg-context``: the SG model is told, in training, the answers to come of symbols that were read
- ``sg-shuffled``: it is told another episode's answers: the control for what the times alone say

Only ``sg-context`` knows more than the paper's models: it is cDNI in time.

Every contender is run at each of the rates, and the rate with the highest sum of longest lengths
over the seeds counts. The paper's figures are of its own network, coding and training time, which
are not all known to us: they are drawn for orientation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import perf_counter

import numpy as np
from matplotlib.figure import Figure

from sgdni.data.copying import Copying
from sgdni.data.streams import Stream
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.in_time import Answers, best_rate, build
from sgdni.experiments.tables import markdown
from sgdni.plotting.colours import BLUE, GREEN, ORANGE, SYNTHETIC, TRUE
from sgdni.plotting.figures import legend_below, tidy
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError

ANSWERS, MASTERED = 2000, 0.15  # least number of answers to judge by, and the mean error in bits
CONTEXTS = {"tbptt": "none", "sg": "none", "sg-aux": "none", "sg-context": "own",
            "sg-shuffled": "shuffled"}
COLOURS = {"tbptt": TRUE, "sg": BLUE, "sg-aux": GREEN, "sg-context": SYNTHETIC,
           "sg-shuffled": ORANGE}

#: Longest lengths in the paper's table, by T.
PAPER = {
    False: {"BPTT": {2: 7, 3: 8, 4: 10, 5: 8}, "DNI": {2: 16, 3: 14, 4: 18, 5: 18},
            "DNI + auxiliary": {2: 16, 3: 17, 4: 19, 5: 18}},
    True: {"BPTT": {2: 7, 3: 5, 4: 19, 5: 23}, "DNI": {2: 39, 3: 33, 4: 39, 5: 59},
           "DNI + auxiliary": {2: 39, 3: 59, 4: 67, 5: 59}},
}


def climb(task: Copying, contender: str, rate: float, s: dict, seed: int, progress: Progress
          ) -> list[tuple[int, int]]:
    """Return (windows, length) of each length that was mastered."""
    rng = np.random.default_rng(seed)
    schedule = build(task, s, rate, rng, synthetic=contender != "tbptt",
                     auxiliary=contender == "sg-aux")
    stream, answers = Stream(task, s["streams"], s["window"], rng), Answers()
    mastered: list[tuple[int, int]] = []
    for count in range(1, s["windows"] + 1):
        if count % 1000 == 1:
            progress(count / s["windows"])
        try:
            answers.train(schedule, *next(stream))
        except (DivergenceError, FitError):
            break
        if answers.asked >= ANSWERS:
            if answers.bits < MASTERED:
                mastered.append((count, task.length))
                task.longer()
            answers.reset()
    return mastered


def run(settings: dict, seed: int, progress: Progress, *, repeat: bool) -> list[dict]:
    """Return what every contender mastered when, at every rate."""
    pairs = [(c, rate) for c in settings["contenders"] for rate in settings["rates"]]
    unknown = set(settings["contenders"]) - set(CONTEXTS)
    if unknown:
        raise ValueError(f"contenders: expected some of {', '.join(CONTEXTS)}, got "
                         f"{', '.join(sorted(unknown))}")
    rows = []
    for k, (contender, rate) in enumerate(pairs):
        started = perf_counter()
        task = Copying(repeat=repeat, context=CONTEXTS[contender])
        mastered = climb(task, contender, rate, settings, seed,
                         lambda share, k=k: progress((k + share) / len(pairs)))
        rows.append({"contender": contender, "rate": rate, "mastered": mastered,
                     "longest": mastered[-1][1] if mastered else 0,
                     "seconds": round(perf_counter() - started, 1)})
    return rows


def score(rows: list[dict]) -> int:
    """Return the sum of longest lengths over the seeds."""
    return sum(row["longest"] for row in rows)


def find(rows: list[dict]) -> Findings:
    """One longest length for each seed; None for a contender that was left out."""
    return {f"longest_{name.replace('-', '_')}":
            [row["longest"] for row in best_rate(rows, name, score)] or None for name in CONTEXTS}


def say(findings: Findings) -> str:
    return "Longest length: " + ", ".join(
        f"{name.removeprefix('longest_').replace('_', '-')} {' '.join(f'{n:g}' for n in lengths)}"
        for name, lengths in findings.items() if lengths)


def by_window(records: Sequence[dict], *, repeat: bool) -> str:
    """Return the longest lengths in Markdown, a row for each record's window, and the paper's."""
    rows = []
    for record in records:
        window, found = record["settings"]["window"], record["findings"]
        rows.append({"T": str(window), **{name: " ".join(
            f"{n:g}" for n in found[f"longest_{name.replace('-', '_')}"]) for name in CONTEXTS},
            **{f"paper: {name}": str(lengths[window]) for name, lengths in PAPER[repeat].items()}})
    return markdown(rows)


def draw(results: dict, *, repeat: bool) -> Figure:
    s = results["settings"]
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes, table = figure.subplots(1, 2, width_ratios=(4, 1), sharey=True)
    for name, colour in COLOURS.items():
        for k, row in enumerate(best_rate(results["rows"], name, score)):
            windows, lengths = zip((0, 0), *row["mastered"], (s["windows"], row["longest"]),
                                   strict=True)
            axes.step(windows, lengths, where="post", color=colour, linewidth=1.2,
                      label=None if k else f"{name}, rate {row['rate']:g}")
    axes.set(xlabel="windows", ylabel="longest length mastered", xlim=(0, s["windows"]))
    legend_below(figure, axes)
    for name, lengths in PAPER[repeat].items():
        if s["window"] in lengths:
            table.plot(0, lengths[s["window"]], "_", color="0.3", markersize=14)
            table.annotate(f"{name} {lengths[s['window']]}", (0, lengths[s["window"]]), (12, 0),
                           textcoords="offset points", va="center", fontsize=8)
    table.set(xlim=(-0.3, 1.5), xticks=[], xlabel="the paper's, its own\nset-up")
    for one in (axes, table):
        tidy(one)
    axes.set_ylim(0, None)
    axes.set_title(f"{results['finding']}\n{'repeat copy' if repeat else 'copy'}, windows of "
                   f"{s['window']}, LSTM of {s['cells']}; one line a seed", fontsize=9, wrap=True)
    return figure


def experiment(name: str, summary: str, *, repeat: bool) -> Experiment:
    return Experiment(
        name, summary, partial(run, repeat=repeat), find, say, partial(draw, repeat=repeat),
        full={"contenders": tuple(CONTEXTS), "window": 3, "windows": 150000, "rates": (1e-3, 3e-3),
              "cells": 32, "streams": 32, "forget_bias": 1.0, "gamma": 0.9, "forgetting": 0.999,
              "solve_every": 16},
        quick={"contenders": ("tbptt", "sg-context"), "windows": 8000, "rates": (3e-3,)},
        tolerance={f"longest_{name.replace('-', '_')}": 0.25 for name in CONTEXTS},
    )


COPY = experiment("copy", "how long a sequence is learned by heart, in short windows",
                  repeat=False)
REPEAT_COPY = experiment("repeat-copy", "the same, to be said several times over", repeat=True)
