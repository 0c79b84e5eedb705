"""Which loss does a module descend that follows a synthetic gradient?

On a logit it can be drawn: two clouds in the plane, 20 tanh units, one logit with the model on it.
Beyond one unit there may be no such loss at all: at an interface in a network for digits, how much
of the model's Jacobian is antisymmetric? The local loss, which is the gradient of a loss by
construction, has to show nothing there; a random matrix shows .71.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdni._util.checks import check_count
from sgdni.analysis.implicit_loss import along, antisymmetric_share, jacobian, true_along
from sgdni.data import Dataset, load, scale_pixels
from sgdni.experiments.after_steps import accuracy, accuracy_after
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.linear_networks import OneLogit
from sgdni.experiments.medians import median
from sgdni.experiments.tables import number
from sgdni.layers import Dense, Tanh
from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks import Interface, Module, Network
from sgdni.optimizers import SGD
from sgdni.plotting.colours import BLUE, ORANGE, TRUE
from sgdni.plotting.figures import tidy
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.schedules import Decoupled
from sgdni.synthetic import (
    LeastSquaresFit,
    LinearHead,
    LinearSG,
    LocalErrorSG,
    SyntheticGradient,
)

MODELS = {"linear": BLUE, "local error": ORANGE}
METHODS = {"cdni-ls": "linear", "local-error": "local error", "local-loss": "local loss"}
RATES = (0.1, 0.03, 0.2)
LOGITS = np.linspace(-10, 10, 201)
FAR = 8.0  # a logit at which a right answer needs no push any more


def logit_model(name: str, rng: np.random.Generator) -> SyntheticGradient:
    if name == "linear":
        return LinearSG(1, 2, LeastSquaresFit(0.98, ridge=1e-6, solve_every=1), np.float64)
    return LocalErrorSG(LinearHead(1, 2, rng, dtype=np.float64), rho=1e-3)


def clouds(rng: np.random.Generator, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return points (size, 2) of two clouds that overlap a little, and labels (size,)."""
    y = rng.integers(0, 2, size)
    return np.where(y, 1.5, -1.5)[:, None] * [1.0, 0.5] + rng.standard_normal((size, 2)), y


def on_a_logit(name: str, steps: tuple[int, ...], lr: float, rng: np.random.Generator
               ) -> list[dict]:
    """Return the loss that a model implies after so many minibatches, for each class."""
    layers = [Dense(2, 20, rng, gain=1.0, dtype=np.float64), Tanh(),
              Dense(20, 1, rng, gain=1.0, dtype=np.float64)]
    model = logit_model(name, rng)
    network = Network([Module(layers, SGD(lr)), Module([OneLogit()], SGD(lr))],
                      SoftmaxCrossEntropy(), [Interface(model)])
    schedule, found = Decoupled(network), []
    x_test, y_test = clouds(rng, 1000)
    for step in range(1, max(steps) + 1):
        schedule.step(*clouds(rng))
        if step not in steps:
            continue
        logits = network.modules[0].forward(x_test, training=False)[:, 0].copy()
        for label in (0, 1):
            slope, loss = along(model, np.zeros(1), np.eye(2)[label], np.ones(1), LOGITS)
            true = true_along(network.modules[1:], network.loss, np.zeros(1), label, np.ones(1),
                              LOGITS)
            back = np.interp([FAR, LOGITS[-1]], LOGITS, slope if label else -slope[::-1])
            found.append({
                "what": "logit", "model": name, "steps": step, "label": label, "loss": loss,
                "true": true, "far": round(back[0], 4),  # the rest is rounding
                # Where nothing pushes back at the end, the loss only falls.
                "least_at": LOGITS[loss.argmin()] if back[1] > 1e-6 else np.inf,
                "seen": np.percentile(logits[y_test == label], [5, 50, 95])})
    return [{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in row.items()}
            for row in found]


def at_an_interface(method: str, settings: dict, data: Dataset, aside: Dataset, seed: int) -> dict:
    """Return the antisymmetric share of a model's Jacobians at some test images."""
    of = [Settings(hidden=(settings["width"],) * 2, cuts=(1,), lr=rate, dtype="float64", seed=seed)
          for rate in RATES]
    best = max(of, key=lambda s: accuracy(method, s, aside, settings["steps"] // 3))
    trainer = build_trainer(method, best, data)
    reached = accuracy_after(trainer, settings["steps"])
    network = trainer.schedule.network
    some = np.random.default_rng(seed).permutation(len(data.x_test))[: settings["images"]]
    x = scale_pixels(data.x_test[some], np.float64)
    c = network.context(x, data.y_test[some])[0]
    h = network.modules[0].forward(x, training=False).copy()
    J = np.stack([jacobian(network.interfaces[0].model, one, context)
                  for one, context in zip(h, c, strict=True)])
    return {"what": "interface", "model": METHODS[method], "rate": best.lr, "accuracy": reached,
            "antisymmetric": round(antisymmetric_share(J), 6)}


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return the implied losses on a logit, early and late, and what no loss explains elsewhere."""
    for name in ("early", "late", "steps", "images", "width"):
        check_count(name, settings[name])
    rows = []
    for name in MODELS:
        rows += on_a_logit(name, (settings["early"], settings["late"]), 0.1,
                           np.random.default_rng(seed))
    data = load(settings["data"])
    aside = data.validation_split(settings["aside"], np.random.default_rng(seed))
    for k, method in enumerate(METHODS):
        progress((1 + k) / (1 + len(METHODS)))
        rows.append(at_an_interface(method, settings, data, aside, seed))
    noise = np.random.default_rng(seed).standard_normal((settings["width"],) * 2)
    rows.append({"what": "interface", "model": "random", "rate": None, "accuracy": None,
                 "antisymmetric": antisymmetric_share(noise)})
    return rows


def find(rows: list[dict]) -> Findings:
    """One number a seed: for class 1 the logit where the implied loss is least (None: it only
    falls), and its slope at 8 (below 0 it pushes on, above 0 back); the antisymmetric shares."""
    findings: Findings = {}
    for row in rows:
        name = row["model"].replace(" ", "_")
        if row["what"] == "interface":
            findings.setdefault(f"antisymmetric_{name}", []).append(row["antisymmetric"])
        elif row["label"] == 1:
            when = "late" if row["steps"] == max(
                r["steps"] for r in rows if r["what"] == "logit") else "early"
            for what in ("least_at", "far"):
                findings.setdefault(f"{what}_{name}_{when}", []).append(row[what])
    return findings


def say(findings: Findings) -> str:
    early, late, back, share, local = (number(median(findings[name]), "{:.2g}") for name in (
        "least_at_linear_early", "least_at_linear_late", "far_linear_late",
        "antisymmetric_linear", "antisymmetric_local_error"))
    return (f"A linear SG's parabola wants a logit of {early} early and {late} late: beyond it "
            f"right answers are pushed back ({back} at 8).\nIn a layer, the antisymmetric part of "
            f"its Jacobian, {share}, implies no loss at all (local error: {local})")


def draw(results: dict) -> Figure:
    rows = results["rows"]
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 0.9))
    times = sorted({row["steps"] for row in rows if row["what"] == "logit"})
    shown = [("linear", times[0]), ("linear", times[-1]), ("local error", times[-1])]
    for axes, (name, steps) in zip(panels, shown, strict=False):
        _draw_losses(axes, [row for row in rows if row["what"] == "logit" and row["label"] == 1
                            and (row["model"], row["steps"]) == (name, steps)], MODELS[name])
        axes.set(title=f"{name}, {steps:,} minibatches", xlabel="logit of the right class")
        axes.title.set_fontsize(10)
    panels[0].set_ylabel("loss, from its minimum")
    panels[0].legend(frameon=False, fontsize=8, loc="upper right")
    _draw_shares(panels[3], [row for row in rows if row["what"] == "interface"])
    s = results["settings"]
    figure.suptitle(f"{results['finding']}\nleft: two clouds, one logit; right: {s['data']}, an "
                    f"interface of {s['width']} units", fontsize=10)
    return figure


def _draw_losses(axes: Axes, rows: list[dict], colour: str) -> None:
    for k, row in enumerate(rows):
        low, _, high = row["seen"]
        axes.axvspan(low, high, color="0.9", alpha=1 / len(rows), linewidth=0,
                     label=None if k else "9 in 10 examples")
        axes.plot(LOGITS, row["loss"], color=colour, linewidth=1.2,
                  label=None if k else "implied by the model")
    axes.plot(LOGITS, rows[0]["true"], "--", color=TRUE, linewidth=1.2, label="true")
    axes.set(ylim=(-0.2, 8))
    tidy(axes)


def _draw_shares(axes: Axes, rows: list[dict]) -> None:
    names = ["random", *METHODS.values()]
    for y, name in enumerate(names):
        mine = [row["antisymmetric"] for row in rows
                if row["model"] == name and row["antisymmetric"] is not None]
        axes.plot(mine, [y] * len(mine), "o", color=MODELS.get(name, "0.4"), alpha=0.7)
        axes.annotate(number(median(mine), "{:.2f}"), (np.median(mine or [0.0]), y + 0.12),
                      ha="center", va="bottom", fontsize=8)
    axes.set(xlim=(-0.08, 1), xlabel="antisymmetric share", yticks=range(4),
             yticklabels=["a random matrix", *names[1:]], ylim=(-0.4, 3.5))
    tidy(axes)


EXPERIMENT = Experiment(
    "implicit-loss", "the loss that a synthetic gradient implies, and where it implies none",
    run, find, say, draw,
    full={"early": 20, "late": 5000, "data": "mnist", "width": 256, "steps": 1500, "images": 20,
          "aside": 5000},
    quick={"late": 2000, "data": "mnist-5k", "width": 64, "steps": 300, "aside": 500},
)
