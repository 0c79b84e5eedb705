"""Can a fast network learn what a slow one needs, without waiting for it?

A reads five digits, one a tick, and says how many were odd. B runs at every fifth tick and says,
from A's state, how many were 3s: which A has no reason to remember unless B's loss teaches it.

A reader of single digits, trained first and then left as it is, turns images into 64 numbers. So
what is compared is what passes between the clocks, not how fast images are learned.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from sgdni._util.checks import check_count
from sgdni.data import Dataset, load, scale_pixels
from sgdni.data.tallies import Tallies, Tally
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.layers import LSTM, Dense, ReLU
from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks import Interface, Module, Network
from sgdni.optimizers import Adam
from sgdni.plotting.colours import BLACK, BLUE, GREEN, ORANGE, VERMILION
from sgdni.plotting.figures import tidy
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError, TwoClocks, Waiting
from sgdni.schedules.two_clocks import Clocks, label_and_tick, tally_and_tick, tick_context
from sgdni.synthetic import FitError, GradientFit, LeastSquaresFit, LinearSG
from sgdni.timeline.clocks import LENGTH, draw_clocks
from sgdni.timeline.gantt import patches

TICKS, CLASSES, RATES = 5, 10, (3e-3, 6e-3, 1.2e-2)
CONTEXTS = {"tally": (tally_and_tick(CLASSES), CLASSES + TICKS),
            "label": (label_and_tick, 2 * (TICKS + 1) + TICKS), "tick": (tick_context, TICKS)}
#: Contenders: by what B's gradient is replaced, how that is fitted, and what it knows besides h.
COLOURS = {"joint": BLACK, "none": "0.6", "ls-tally": VERMILION, "adam-tally": ORANGE,
           "ls-label": BLUE, "ls-tick": GREEN}


def read(data: Dataset, width: int, epochs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a reader trained on the training images makes of them and of the others.

    Its 64 last hidden units, (N, 64), of root mean square 1. It sees every training image in five
    places, a pixel apart, and its last epochs have a tenth of the learning rate.
    """
    places = replace(data, x_train=np.concatenate([
        np.roll(data.x_train.reshape(-1, 28, 28), by, axis).reshape(data.x_train.shape)
        for by, axis in ((0, 1), (1, 1), (-1, 1), (1, 2), (-1, 2))]),
        y_train=np.tile(data.y_train, 5))
    trainer = build_trainer("backprop", Settings(hidden=(width, 64), seed=seed), places)
    modules = trainer.schedule.network.modules
    for epoch in range(epochs):
        for module in modules:
            module.optimizer.lr = 0.1 if epoch < epochs // 2 + 1 else 0.01
        trainer.epoch()

    def codes(x: np.ndarray) -> np.ndarray:
        x = scale_pixels(x)
        for module in modules[:-1]:
            x = module.forward(x, training=False)
        return x.copy()

    trained, others = (np.concatenate([codes(part) for part in np.array_split(x, 20)])
                       for x in (data.x_train, data.x_test))
    size = np.sqrt(np.mean(trained**2))
    return trained / size, others / size


def build(contender: str, cells: int, rate: float, seed: int) -> Clocks:
    """Return the two networks under a contender's schedule; the same ones for all of a seed."""
    rng = np.random.default_rng([seed, 1])
    core = LSTM(64, cells, rng)
    read_out = Dense(cells, TICKS + 1, rng, gain=1.0)
    slow = [Dense(core.n_state, 64, rng), ReLU(), Dense(64, TICKS + 1, rng, gain=1.0)]
    interfaces = []
    if contender not in ("joint", "none"):
        fit, context = contender.split("-")
        function, width = CONTEXTS[context]
        method = (LeastSquaresFit(0.98, 1e-2) if fit == "ls" else GradientFit(Adam(3e-3)))
        interfaces = [Interface(LinearSG(core.n_state, width, method), function)]
    a = Network([Module([core], Adam(rate), batch_axis=1), Module([read_out], Adam(rate))],
                SoftmaxCrossEntropy(), interfaces)
    b = Network([Module(slow, Adam(rate))], SoftmaxCrossEntropy())
    return TwoClocks(a, b) if interfaces else Waiting(a, b, listens=contender == "joint")


def accuracies(schedule: Clocks, x: np.ndarray, y: Tally) -> tuple[float, float]:
    """Return the shares of episodes in which A and B are right."""
    return tuple(float(np.mean(logits.argmax(axis=1) == truth))
                 for logits, truth in zip(schedule.answers(x), (y.odd, y.threes), strict=True))


def train(schedule: Clocks, episodes: Tallies, looks: list[tuple[np.ndarray, Tally]],
          settings: dict, seed: int) -> np.ndarray:
    """Return the accuracies of A and B at each look, on every set: (sets, looks, 2).

    Learning rates fall linearly to 0. A run that breaks down has zeros from there on.
    """
    rng, every = np.random.default_rng([seed, 2]), settings["look_every"]
    curves = np.zeros((len(looks), settings["steps"] // every, 2))
    modules = [*schedule.network.modules, *schedule.b.network.modules]
    rate = modules[0].optimizer.lr
    try:
        for step in range(settings["steps"]):
            for module in modules:
                module.optimizer.lr = rate * (1 - step / settings["steps"])
            schedule.step(*episodes.draw(settings["streams"], rng))
            if (step + 1) % every == 0:
                curves[:, step // every] = [accuracies(schedule, *look) for look in looks]
    except (DivergenceError, FitError):
        pass
    return curves


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return the test accuracies of each contender, at the rate that held-out images chose."""
    for name in ("steps", "look_every", "streams", "cells"):
        check_count(name, settings[name])
    data, rng = load(settings["data"]), np.random.default_rng(seed)
    kept = data.validation_split(settings["aside"], rng)
    both = Dataset("aside and test", kept.x_train, kept.y_train,
                   np.concatenate([kept.x_test, data.x_test]),
                   np.concatenate([kept.y_test, data.y_test]), CLASSES)
    trained, others = read(both, settings["reader"], settings["reader_epochs"], seed)
    aside, test = np.split(others, [settings["aside"]])
    p_three = settings["p_three"]
    episodes = Tallies(trained, kept.y_train, TICKS, p_three)
    looks = [Tallies(x, y, TICKS, p_three).draw(2000, rng)
             for x, y in ((aside, kept.y_test), (test, data.y_test))]
    rows = []
    for k, contender in enumerate(COLOURS):
        found = {}
        for j, rate in enumerate(RATES):
            progress((k + j / len(RATES)) / len(COLOURS))
            schedule = build(contender, settings["cells"], rate, seed)
            found[rate] = train(schedule, episodes, looks, settings, seed)
        # Early and high: the mean over the run. The second set, the test's, picks nothing.
        rate = max(found, key=lambda rate: found[rate][0, :, 1].mean())
        a, b = found[rate][1].T
        there = np.flatnonzero(b >= settings["target"] / 100)
        reached = int(there[0] + 1) * settings["look_every"] if len(there) else None
        rows.append({"contender": contender, "rate": rate, "a": a[-1], "b": b.tolist(),
                     "episodes": reached})
    return rows


def find(rows: list[dict]) -> Findings:
    """By contender: both final accuracies, a seed each; median episodes to the target, or None."""
    findings: Findings = {}
    for contender in dict.fromkeys(row["contender"] for row in rows):
        name, mine = contender.replace("-", "_"), [r for r in rows if r["contender"] == contender]
        name = "sg" if name == "ls_tally" else name
        findings[f"b_accuracy_{name}"] = [row["b"][-1] for row in mine]
        findings[f"a_accuracy_{name}"] = [row["a"] for row in mine]
        median = float(np.median([row["episodes"] or np.inf for row in mine]))
        findings[f"episodes_{name}"] = median if np.isfinite(median) else None
    return findings


def say(findings: Findings) -> str:
    sg, joint, none = (100 * float(np.median(findings[f"b_accuracy_{name}"]))
                       for name in ("sg", "joint", "none"))
    return (f"B is right in {sg:.1f}% of episodes when A learns from synthetic gradients, in "
            f"{joint:.1f}% when A waits for B's, in {none:.1f}% when it has none")


def draw(results: dict) -> Figure:
    figure = Figure(figsize=(8, 7), layout="constrained")
    curves, *clocks = figure.subplots(3, 1, height_ratios=[3.4, 1, 1])
    seen = set()
    for row in results["rows"]:
        name, every = row["contender"], results["settings"]["look_every"]
        curves.plot(every * np.arange(1, 1 + len(row["b"])), row["b"], color=COLOURS[name],
                    linewidth=1.1, label=name if name not in seen else None)
        seen.add(name)
    curves.set(xlabel="minibatches of episodes", ylabel="B's test accuracy", ylim=(0, 1.02))
    tidy(curves)
    curves.legend(frameon=False, ncols=4, fontsize=9, loc="lower right")
    curves.set_title(f"{results['finding']}\n{results['settings']['data']}, a line for each seed",
                     fontsize=9.5, wrap=True)
    for axes, waits in zip(clocks, (True, False), strict=True):
        draw_clocks(axes, TICKS, waits=waits)
    clocks[0].set_xlim(clocks[1].get_xlim())
    figure.legend(handles=patches(LENGTH), loc="outside lower center", ncols=4, frameon=False,
                  fontsize=8.5)
    return figure


EXPERIMENT = Experiment(
    "two-clocks", "a slow network teaches a fast one, which waits for it or predicts its gradient",
    run, find, say, draw,
    full={"data": "mnist", "aside": 5000, "reader": 512, "reader_epochs": 3, "cells": 4,
          "streams": 128, "steps": 600, "look_every": 20, "p_three": 0.35, "target": 95.0},
    quick={"data": "mnist-5k", "aside": 500, "reader": 256, "reader_epochs": 5, "steps": 300,
           "target": 80.0},
    tolerance={name: 0.3 for name in ("episodes_sg", "episodes_joint", "episodes_adam_tally")},
)
