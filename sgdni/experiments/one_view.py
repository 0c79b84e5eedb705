"""One view: rules that carry an error down, each as a model of the gradient, in one schedule.

Every hidden layer is a module, every module learns at once from what the model on its interface
says (`Decoupled`); only the models differ. What do they have to know of what is above? Everything
(local error, linear), signs, one number a unit, or nothing at all (feedback alignment, direct
feedback, the local loss). The control is a network whose hidden layers never learn.
"""

from __future__ import annotations

import time

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdni._util.blas import blas_threads
from sgdni._util.checks import check_count
from sgdni.analysis.quality import measure
from sgdni.data import Dataset, load
from sgdni.experiments.after_steps import accuracy, accuracy_after
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.medians import median
from sgdni.experiments.tables import number
from sgdni.networks import Network
from sgdni.plotting.colours import (
    BLUE,
    GREEN,
    INDIGO,
    OLIVE,
    ORANGE,
    PINK,
    SKY,
    TRUE,
    VERMILION,
)
from sgdni.plotting.figures import tidy
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.training.batches import minibatches

#: name: (method, a model of its own in place of the method's, colour), from those that know most
#: of what is above to those that know nothing.
CONTENDERS: dict[str, tuple[str, str | None, str]] = {
    "backprop": ("backprop", None, TRUE),
    "local error": ("local-error", None, ORANGE),
    "linear": ("cdni-ls", None, BLUE),
    "sign-symmetric": ("local-error", "SignSymmetricSG", GREEN),
    "Kickback": ("local-error", "KickbackSG", PINK),
    "feedback alignment": ("local-error", "FeedbackAlignmentSG", VERMILION),
    "direct feedback alignment": ("local-error", "DirectFeedbackSG", SKY),
    "local loss": ("local-loss", None, OLIVE),
    "top only": ("top-only", None, INDIGO),
}
TURNS, STEPS = 11, 20  # of measuring what a step costs


def settings_of(name: str, settings: dict, lr: float, seed: int) -> Settings:
    _, model, _ = CONTENDERS[name]
    return Settings(hidden=(settings["width"],) * settings["layers"], lr=lr, seed=seed, ridge=1e-2,
                    sg=None if model is None else f"sgdni.synthetic:{model}")


def cosines(network: Network, data: Dataset, seed: int) -> list[float]:
    """Return the cosine with the true gradient at each interface, on some training images."""
    if not network.interfaces:
        return []
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(data.x_train))[:1024]
    return [quality.cosine for quality in measure(network, minibatches(
        data.x_train[rows], data.y_train[rows], min(128, len(rows)), rng))]


def costs(settings: dict, data: Dataset, seed: int) -> dict[str, float]:
    """Return how long everybody's step takes over backprop's: medians within turns, by one core."""
    schedules = {name: build_trainer(method, settings_of(name, settings, 1e-3, seed), data).schedule
                 for name, (method, _, _) in CONTENDERS.items()}
    x, y = next(iter(minibatches(data.x_train[:128], data.y_train[:128], 128,
                                 np.random.default_rng(seed))))
    times = np.empty((TURNS, len(schedules)))
    with blas_threads(1):
        for turn in times:
            for k, schedule in enumerate(schedules.values()):
                started = time.perf_counter()
                for _ in range(STEPS):
                    schedule.step(x, y)
                turn[k] = time.perf_counter() - started
    ratios = np.median(times[1:] / times[1:, :1], axis=0)  # the first turn warms up
    return dict(zip(schedules, ratios.tolist(), strict=True))


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return everybody's test accuracy, at the rate that is best on images aside, cosines, cost."""
    for name in ("width", "layers", "steps"):
        check_count(name, settings[name])
    data = load(settings["data"])
    aside = data.validation_split(settings["aside"], np.random.default_rng(seed))
    rows, cost = [], costs(settings, data, seed)
    for k, (name, (method, _, _)) in enumerate(CONTENDERS.items()):
        progress(k / len(CONTENDERS))
        of = [settings_of(name, settings, rate, seed) for rate in settings["rates"]]
        best = max(of, key=lambda s, m=method: accuracy(m, s, aside, settings["steps"])
                   ) if len(of) > 1 else of[0]
        trainer = build_trainer(method, best, data)
        reached = accuracy_after(trainer, settings["steps"])
        rows.append({"contender": name, "rate": best.lr, "accuracy": reached,
                     "cost": round(cost[name], 3),
                     "cosines": cosines(trainer.schedule.network, data, seed) if reached else []})
    return rows


def find(rows: list[dict]) -> Findings:
    """Accuracies, the means of the cosines over the interfaces, and how long a step takes, over
    backprop's: one number a seed. And how alike the first two rank the models (Spearman's
    correlation of the medians, without the control)."""
    findings: Findings = {}
    for row in rows:
        name = row["contender"].lower().replace(" ", "_").replace("-", "_")
        findings.setdefault(f"accuracy_{name}", []).append(row["accuracy"])
        if name != "backprop":
            findings.setdefault(f"cost_{name}", []).append(row["cost"])
            findings.setdefault(f"cosine_{name}", []).append(
                float(np.mean(row["cosines"])) if row["cosines"] else None)
    names = [name.removeprefix("cosine_") for name in findings if name.startswith("cosine_")
             and name != "cosine_top_only"]
    pairs = [(median(findings[f"cosine_{name}"]), median(findings[f"accuracy_{name}"]))
             for name in names]
    findings["rank_correlation"] = _rank_correlation(
        [pair for pair in pairs if None not in pair])  # None: most of its runs diverged
    return findings


def _rank_correlation(pairs: list[tuple[float, float]]) -> float | None:
    """Return Spearman's correlation, ranks of equals being their mean; None where it has none."""
    both = np.array(pairs).reshape(-1, 2).T
    ranks = [(values[:, None] > values).sum(axis=1) + (values[:, None] == values).sum(axis=1) / 2
             for values in both]
    if min(len(set(values)) for values in ranks) < 2:
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def say(findings: Findings) -> str:
    def told(what: str, best: bool = True) -> str:
        names = [name.removeprefix("cosine_") for name in findings if name.startswith("cosine_")
                 and name != "cosine_top_only"]
        name = (max if best else min)(names, key=lambda n: median(findings[f"{what}_{n}"]) or 0)
        reached, cosine = (number(median(findings[f"{kind}_{name}"]), form)
                           for kind, form in (("accuracy", "{:.1%}"), ("cosine", "{:.2f}")))
        return f"{name.replace('_', ' ')} (cosine {cosine}, accuracy {reached})"

    backprop, control = (number(median(findings[f"accuracy_{name}"]), "{:.1%}")
                         for name in ("backprop", "top_only"))
    return (f"Nearest to the true gradient is {told('cosine')}, farthest {told('cosine', False)}.\n"
            f"Most accurate is {told('accuracy')}; backprop has {backprop}, hidden layers that "
            f"never learn {control}")


def draw(results: dict) -> Figure:
    rows, s = results["rows"], results["settings"]
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    for y, (name, (_, _, colour)) in enumerate(CONTENDERS.items()):
        mine = [row for row in rows if row["contender"] == name]
        reached = [100 * row["accuracy"] for row in mine]
        left.plot(reached, [y] * len(reached), "o", color=colour, alpha=0.7, markersize=5)
        left.annotate(f"{np.median(reached):.1f}", (np.median(reached), y - 0.2), ha="center",
                      va="bottom", fontsize=8, color=colour)
        _draw_cosines(right, [row["cosines"] for row in mine if row["cosines"]], colour)
    cost = [np.median([row["cost"] for row in rows if row["contender"] == name])
            for name in CONTENDERS]
    left.set(xlabel="test accuracy (%); in brackets: time of a step, backprop's is 1",
             yticks=range(len(CONTENDERS)), ylim=(len(CONTENDERS) - 0.5, -0.8), yticklabels=[
                 f"{name} ({ratio:.1f})" for name, ratio in zip(CONTENDERS, cost, strict=True)])
    right.set(xlabel="interface, counted from the bottom", xticks=range(1, s["layers"] + 1),
              ylabel="cosine with the true gradient", ylim=(-0.1, 1.05))
    for axes in (left, right):
        tidy(axes)
    figure.suptitle(f"{results['finding']}\n{s['data']}, {s['layers']} hidden layers of "
                    f"{s['width']}, an interface above each, {s['steps']:,} minibatches",
                    fontsize=9.5, wrap=True)
    return figure


def _draw_cosines(axes: Axes, cosines: list[list[float]], colour: str) -> None:
    if cosines:
        axes.plot(range(1, len(cosines[0]) + 1), np.median(cosines, axis=0), "o-", color=colour,
                  markersize=4, linewidth=1.2)


EXPERIMENT = Experiment(
    "one-view", "feedback alignment and other rules as synthetic gradients, in one schedule",
    run, find, say, draw,
    full={"data": "mnist", "layers": 4, "width": 256, "steps": 936, "rates": (0.1, 0.03, 0.3),
          "aside": 5000},
    quick={"data": "mnist-5k", "width": 64, "steps": 300, "aside": 500},
    tolerance={"rank_correlation": 0.5, "cosine_feedback_alignment": 0.3, **dict.fromkeys(
        (f"cost_{name}" for name in ("local_error", "linear", "sign_symmetric", "kickback",
                                     "feedback_alignment", "direct_feedback_alignment",
                                     "local_loss", "top_only")), 0.3)},
)
