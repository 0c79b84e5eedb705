"""What must a synthetic gradient be able to say? Two digits side by side, their sum modulo 10.

On MNIST every model does, since a linear read-out of the first layer tells the digit. Here it
tells next to nothing, so a model's form shows: linear in the activations as in the papers, or the
error of a local head, linear or with a hidden layer of its own. The local loss, which is the same
head without a synthetic gradient, is the rival that could embarrass it.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sgdni.data import load
from sgdni.experiments.after_steps import accuracy
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.plotting.colours import BLUE, GREEN, ORANGE, TRUE
from sgdni.plotting.figures import tidy
from sgdni.runs.settings import Settings

INTERFACES = (1, 4)
#: name: (method, its head, colour)
CONTENDERS = {
    "linear M": ("cdni-ls", "linear", BLUE),
    "local error, linear head": ("local-error", "linear", "0.6"),
    "local error, hidden head": ("local-error", "hidden", ORANGE),
    "local loss, hidden head": ("local-loss", "hidden", GREEN),
}
RATES = (0.1, 0.05, 0.2)


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return the test accuracy of backprop and, at one interface and at four, of the others.

    Each has the learning rate that does best on digits set aside, after a third of the steps.
    """
    data = load(settings["data"])
    aside = data.validation_split(settings["aside"], np.random.default_rng(seed))
    base = {"hidden": (settings["width"],) * 4, "ridge": 1e-2, "rho": settings["rho"],
            "seed": seed}
    runs = [("backprop", "backprop", "linear", 0)]
    runs += [(name, method, head, interfaces) for interfaces in INTERFACES
             for name, (method, head, _) in CONTENDERS.items()]
    rows = []
    for number, (name, method, head, interfaces) in enumerate(runs):
        progress(number / len(runs))
        of = [Settings(**base, head=head, cuts=tuple(range(1, interfaces + 1)), lr=rate)
              for rate in RATES]
        best = max(of, key=lambda s: accuracy(method, s, aside, settings["steps"] // 3))
        rows.append({"contender": name, "interfaces": interfaces, "rate": best.lr,
                     "accuracy": accuracy(method, best, data, settings["steps"])})
    return rows


def find(rows: list[dict]) -> Findings:
    """Medians of the accuracies, named as in ``local_error_hidden_head_4``; and ``backprop``."""
    every: dict[str, list[float]] = {}
    for row in rows:
        name = row["contender"].lower().replace(",", "").replace(" ", "_")
        every.setdefault(f"{name}_{row['interfaces']}".removesuffix("_0"), []).append(
            row["accuracy"])
    return {name: float(np.median(values)) for name, values in every.items()}


def say(findings: Findings) -> str:
    one, four, loss, linear = (100 * findings[name] for name in (
        "local_error_hidden_head_1", "local_error_hidden_head_4", "local_loss_hidden_head_4",
        "linear_m_4"))
    return (f"Backprop {100 * findings['backprop']:.1f}%; local error {one:.1f}% with one "
            f"interface, {four:.1f}% with four, where the local loss has {loss:.1f}% and linear "
            f"M {linear:.1f}%")


def draw(results: dict) -> Figure:
    rows = results["rows"]
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()

    def values(name: str, interfaces: int) -> np.ndarray:
        return np.array([100 * row["accuracy"] for row in rows
                         if row["contender"] == name and row["interfaces"] == interfaces])

    backprop = values("backprop", 0)
    axes.axhspan(backprop.min(), backprop.max(), color=TRUE, alpha=0.15, linewidth=0)
    axes.axhline(np.median(backprop), color=TRUE, label="backprop")
    for k, (name, (_, _, colour)) in enumerate(CONTENDERS.items()):
        for x, interfaces in enumerate(INTERFACES):
            place, mine = x + 0.18 * (k - 1.5), values(name, interfaces)
            axes.plot(np.full(len(mine), place), mine, "o", color=colour, alpha=0.7, markersize=5,
                      label=name if x == 0 else None)
            axes.plot([place - 0.07, place + 0.07], [np.median(mine)] * 2, color=colour)
    axes.set(xticks=range(len(INTERFACES)), xlim=(-0.5, len(INTERFACES) - 0.5),
             xticklabels=[f"{n} interface{'s' * (n > 1)}" for n in INTERFACES],
             ylabel="test accuracy (%)")
    tidy(axes)
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    s = results["settings"]
    axes.set_title(f"{results['finding']}\n{s['data']}, 4 hidden layers of {s['width']}, "
                   f"{s['steps']:,} minibatches", fontsize=9, wrap=True)
    return figure


EXPERIMENT = Experiment(
    "sums", "a task that tells models of the gradient apart: two digits, their sum modulo 10",
    run, find, say, draw,
    full={"data": "mnist-sum", "width": 256, "steps": 3000, "rho": 1.0, "aside": 5000},
    quick={"data": "mnist-5k-sum", "width": 64, "steps": 450, "aside": 500},
)
