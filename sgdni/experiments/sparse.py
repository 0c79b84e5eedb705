"""What is learned where every module learns from a few minibatches only, each from its own?

Decoupled modules need not learn from the same minibatches: each learns with probability p,
independently of the others, and its forward pass always runs (Jaderberg et al. 2016). What that is
worth shows beside backpropagation on the same *share* of minibatches, which takes a p-th of the
forward passes too, and beside a network whose lower modules never learn.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sgdni.data import Dataset, load
from sgdni.experiments.after_steps import accuracy, accuracy_after
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.plotting.colours import BLUE, ORANGE, TRUE
from sgdni.plotting.figures import tidy
from sgdni.runs.methods import build_network
from sgdni.runs.settings import Settings
from sgdni.schedules import Decoupled
from sgdni.training import Trainer

BACKPROP = "backprop on that share"
#: name: (method, other settings, colour)
CONTENDERS: dict[str, tuple[str, dict, str]] = {
    BACKPROP: ("backprop", {}, TRUE),
    "top only": ("top-only", {}, "0.5"),
    "DNI": ("dni", {}, "tab:purple"),
    "cDNI": ("cdni", {}, BLUE),
    "cDNI, least squares": ("cdni-ls", {"ridge": 1e-2}, "tab:cyan"),
    "local error": ("local-error", {}, ORANGE),
}


def score(name: str, settings: Settings, data: Dataset, share: float, steps: int) -> float:
    """Return a contender's test accuracy after it has seen, or for backprop skipped, so many."""
    method, _, _ = CONTENDERS[name]
    if name == BACKPROP:
        return accuracy(method, settings, data, max(1, round(share * steps)))
    weights, order, updates = map(np.random.default_rng,
                                  np.random.SeedSequence(settings.seed).spawn(3))
    network = build_network(method, settings, data.n_features, data.n_classes, weights)
    schedule = Decoupled(network, update_probability=share, rng=updates)
    return accuracy_after(Trainer(schedule, data, batch_size=settings.batch_size, rng=order),
                          steps)


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return everybody's test accuracy at each share, at the rate that is best on images aside."""
    data = load(settings["data"])
    aside = data.validation_split(settings["aside"], np.random.default_rng(seed))
    every = [(share, name) for share in settings["shares"] for name in CONTENDERS]
    rows = []
    for k, (share, name) in enumerate(every):
        progress(k / len(every))
        of = [Settings(hidden=(settings["width"],) * settings["layers"], seed=seed, lr=rate,
                       **CONTENDERS[name][1]) for rate in settings["rates"]]
        best = max(of, key=lambda s, n=name, p=share: score(n, s, aside, p, settings["steps"])
                   ) if len(of) > 1 else of[0]
        rows.append({"share": share, "contender": name, "rate": best.lr,
                     "accuracy": score(name, best, data, share, settings["steps"])})
    return rows


def find(rows: list[dict]) -> Findings:
    """Medians, named as in ``local_error_20`` for p = .2."""
    found: dict[str, list[float]] = {}
    for row in rows:
        name = row["contender"].removesuffix(" on that share").lower().replace(",", "")
        found.setdefault(f"{name.replace(' ', '_')}_{round(100 * row['share'])}", []).append(
            row["accuracy"])
    return {name: float(np.median(values)) for name, values in found.items()}


def say(findings: Findings) -> str:
    shares = [name.rsplit("_", 1)[1] for name in findings if name.startswith("backprop_")]
    return "; ".join(
        f"Learning from {share}% of minibatches: local error "
        f"{100 * findings[f'local_error_{share}']:.1f}%, cDNI {100 * findings[f'cdni_{share}']:.1f}"
        f"%, backprop on that share {100 * findings[f'backprop_{share}']:.1f}%, top only "
        f"{100 * findings[f'top_only_{share}']:.1f}%" for share in shares)


def draw(results: dict) -> Figure:
    s = results["settings"]
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(s["shares"]), sharey=True))
    for axes, share in zip(panels, s["shares"], strict=True):
        for y, (name, (_, _, colour)) in enumerate(CONTENDERS.items()):
            mine = np.array([100 * row["accuracy"] for row in results["rows"]
                             if (row["share"], row["contender"]) == (share, name)])
            axes.plot(mine, np.full(len(mine), y), "o", color=colour, alpha=0.7, markersize=5)
            axes.plot([np.median(mine)] * 2, [y - 0.25, y + 0.25], color=colour)
            axes.annotate(f"{np.median(mine):.1f}", (np.median(mine), y + 0.3), ha="center",
                          va="bottom", fontsize=8, color=colour)
        axes.set(title=f"p = {share:g}", xlabel="test accuracy (%)",
                 yticks=range(len(CONTENDERS)), yticklabels=CONTENDERS,
                 ylim=(-0.5, len(CONTENDERS)))
        tidy(axes)
    figure.suptitle(f"{results['finding'].replace('; ', chr(10))}\n{s['data']}, {s['layers']} "
                    f"hidden layers of {s['width']}, an interface above each, {s['steps']:,} "
                    "minibatches; one dot a seed", fontsize=9, wrap=True)
    return figure


EXPERIMENT = Experiment(
    "sparse", "modules that learn from a few minibatches only, each from its own",
    run, find, say, draw,
    full={"data": "mnist", "shares": (0.2, 0.05), "layers": 3, "width": 256, "steps": 936,
          "rates": (0.2, 0.1, 0.05, 0.02, 0.01), "aside": 5000},
    quick={"data": "mnist-5k", "width": 64, "steps": 640, "rates": (0.1,), "aside": 500},
)
