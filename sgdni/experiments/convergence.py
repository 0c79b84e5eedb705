"""Where does training with a synthetic gradient on linear networks end, and could we have known?

Full batches in float64 until nothing moves. With a squared error a linear SG can be exact, and the
network reaches its optimum. With a log loss it cannot, and it ends beside the optimum, where
`analysis.end_points` says. Backprop, which has to reach the optimum in the same steps, is the
control; local error the rival. And a linear SG that sees no label stops where it stands worse: a
critical point that the problem itself does not have (Czarnecki et al. 2017).
"""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sgdni._util.checks import check_count
from sgdni.analysis.end_points import best_logits, least_squares_outputs, predicted_logits
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.linear_networks import (
    NETWORKS,
    OUTPUTS,
    cloud,
    gap_of,
    least_squares,
    linear_network,
    mean_loss,
    train,
)
from sgdni.experiments.medians import median
from sgdni.experiments.tables import number
from sgdni.layers import Dense, Flatten
from sgdni.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy
from sgdni.networks import Interface, Module, Network
from sgdni.networks.interface import no_context
from sgdni.optimizers import SGD
from sgdni.plotting.colours import BLUE, ORANGE, TRUE
from sgdni.plotting.figures import tidy
from sgdni.synthetic import GradientFit, LinearSG

MODELS = {"backprop": TRUE, "linear": BLUE, "local error": ORANGE}
CLOUDS = {"gaussian": "o", "log-normal": "s", "far cluster": "^"}
RATES = {"mean squared error": 1.0, "log loss": 0.3, "one logit": 1.0, "one logit, deep": 0.3}
#: Of the stability map: the network's own rate, and that of an SG that takes gradient steps.
NETWORK_RATES, SG_RATES = (0.3, 1.0, 3.0, 10.0, 30.0), (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
LEAST = 1e-12  # gaps below are rounding


def new_critical_point(size: int, steps: int, rng: np.random.Generator) -> dict:
    """Return where an SG without labels stops: at the best multiple of where it started.

    At rest 0 = x' delta^ = x' h A, so A = 0: h does not correlate with delta any more. That is the
    best multiple of the start, since no step ever turned it. (The start is of the right sign: near
    zero a step is all rounding.)
    """
    x, _ = cloud("gaussian", 10, 2, size, rng)
    y = x @ rng.standard_normal((10, 1)) + rng.standard_normal((size, 1))
    layer = Dense(10, 1, rng, gain=1.0, dtype=np.float64)
    layer.params["W"] *= np.sign(np.vdot(x @ layer.params["W"], y))
    start = layer.params["W"][:, 0].copy()
    sg = LinearSG(1, 0, least_squares(), np.float64)
    network = Network([Module([layer], SGD(0.1)), Module([Flatten()], SGD(0.1))],
                      MeanSquaredError(), [Interface(sg, no_context)])
    h, W = train(network, x, y, steps), layer.params["W"][:, 0]
    end, multiple, best = (mean_loss(network.loss, outputs, y) for outputs in (
        h, least_squares_outputs(x @ start[:, None], y), least_squares_outputs(x, y)))
    return {"cosine": float(abs(start @ W) / np.linalg.norm(start) / np.linalg.norm(W)),
            "gap": end - best, "predicted": multiple - best}


def scalar_case(kind: str, d: int, name: str, settings: dict, seed: int) -> list[dict]:
    """Return measured and predicted gaps of two classes from one logit, by model."""
    x, y = cloud(kind, d, 2, settings["size"], np.random.default_rng([seed, d]))
    loss = SoftmaxCrossEntropy()
    best, end = (mean_loss(loss, h, y) for h in (best_logits(x, y, 2), predicted_logits(x, y, 2)))
    return [{"what": "one logit", "cloud": kind, "d": d, "network": name, "model": model,
             "predicted": end - best,
             "gap": gap_of(linear_network(name, model, d, _rate("one logit", name),
                                        np.random.default_rng(seed), loss, n_out=1),
                         x, y, settings["steps"], best)} for model in MODELS]


def classes_case(what: str, name: str, settings: dict, seed: int) -> list[dict]:
    """Return the gaps with five outputs, by model; predicted for the linear one."""
    x, y = cloud("gaussian", 20, OUTPUTS, settings["size"], np.random.default_rng([seed, 20]))
    loss: Loss = SoftmaxCrossEntropy()
    if what == "log loss":
        best, end = best_logits(x, y, OUTPUTS), predicted_logits(x, y, OUTPUTS)
    else:
        loss, y = MeanSquaredError(), np.eye(OUTPUTS)[y]
        best = end = least_squares_outputs(x, y, min((*NETWORKS[name][0], OUTPUTS)))
    best, end = (mean_loss(loss, h, y) for h in (best, end))
    return [{"what": what, "cloud": "gaussian", "d": 20, "network": name, "model": model,
             "predicted": end - best,
             "gap": gap_of(linear_network(name, model, 20, _rate(what, name),
                                        np.random.default_rng(seed), loss),
                         x, y, settings["steps"], best)} for model in MODELS]


def _rate(what: str, name: str) -> float:
    return RATES.get(f"{what}, {name}", RATES[what])


def stability(settings: dict, seed: int) -> list[dict]:
    """Return the gaps of an SG that learns by gradient steps, for each pair of learning rates."""
    x, y = cloud("gaussian", 10, 2, settings["size"], np.random.default_rng([seed, 10]))
    loss, found = SoftmaxCrossEntropy(), []
    best, end = (mean_loss(loss, h, y) for h in (best_logits(x, y, 2), predicted_logits(x, y, 2)))
    for rate in NETWORK_RATES:
        for sg_rate in SG_RATES:
            network = linear_network("direct", "linear", 10, rate, np.random.default_rng(seed),
                                     loss, n_out=1, fit=GradientFit(SGD(sg_rate)))
            gap = gap_of(network, x, y, settings["map_steps"], best)
            found.append({"what": "stability", "rate": rate, "sg_rate": sg_rate, "gap": gap,
                          "predicted": end - best})
    return found


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return measured and predicted gaps from the optimum, for every network and every rate."""
    for name in ("size", "steps", "map_steps"):
        check_count(name, settings[name])
    works = [lambda: [{"what": "new point", **new_critical_point(
        settings["size"], settings["steps"], np.random.default_rng([seed, 1]))}]]
    works += [partial(scalar_case, kind, d, name, settings, seed) for kind in CLOUDS
              for d in settings["d"] for name in ("direct", "deep")]
    works += [partial(classes_case, what, name, settings, seed)
              for what in ("mean squared error", "log loss") for name in NETWORKS]
    works += [partial(stability, settings, seed)]
    rows = []
    for k, work in enumerate(works):
        progress(k / len(works))
        rows += work()
    return rows


def find(rows: list[dict]) -> Findings:
    """Gaps in the loss, one number a seed; none below 1e-12, where rounding begins.

    "mse_gap" and "prediction_error" (of one logit) are the largest over all networks and clouds;
    "backprop_gap", the control, is what backprop has left to go where a prediction is tested.
    """
    findings: Findings = {}
    for seed in sorted({row["seed"] for row in rows}):
        mine = [row for row in rows if row["seed"] == seed]

        def largest(what: str, model: str, of: str = "gap", over: list[dict] = mine) -> float:
            found = [np.inf if row["gap"] is None else abs(
                row["gap"] - (row["predicted"] if of == "error" else 0))
                for row in over if (row["what"], row.get("model")) == (what, model)]
            return max([LEAST, *found])

        new, = (row for row in mine if row["what"] == "new point")
        map_ = [row for row in mine if row["what"] == "stability"]
        for name, value in {
            "mse_gap": largest("mean squared error", "linear"),
            "log_gap": largest("one logit", "linear"),
            "prediction_error": largest("one logit", "linear", "error"),
            "prediction_error_classes": largest("log loss", "linear", "error"),
            "backprop_gap": largest("one logit", "backprop"),
            "new_point_cosine": new["cosine"], "new_point_gap": new["gap"],
            "largest_stable_sg_rate": max((row["sg_rate"] for row in map_
                                           if row["gap"] is not None), default=0.0),
        }.items():
            findings.setdefault(name, []).append(value)
    return findings


def say(findings: Findings) -> str:
    mse, gap, error = (number(median(findings[name]), "{:.1g}")
                       for name in ("mse_gap", "log_gap", "prediction_error"))
    return (f"A linear SG reaches the optimum of a squared error (within {mse}). On a log loss it "
            f"ends up to {gap} above it: as predicted, within {error}")


def draw(results: dict) -> Figure:
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    panels = figure.subplots(1, 3, width_ratios=(1, 1.2, 1.1))
    rows = results["rows"]
    _draw_prediction(panels[0], [row for row in rows if row["what"] == "one logit"])
    _draw_networks(panels[1], [row for row in rows if row["what"] in RATES
                               and row["what"] != "one logit"])
    _draw_map(panels[2], [row for row in rows if row["what"] == "stability"])
    figure.suptitle(f"{results['finding']}\n{results['settings']['size']} examples at once, "
                    f"{results['settings']['steps']:,} steps, linear networks", fontsize=10)
    return figure


def _draw_prediction(axes: Axes, rows: list[dict]) -> None:
    for kind, marker in CLOUDS.items():
        for model in MODELS:
            mine = [(row["predicted"], max(LEAST, row["gap"])) for row in rows
                    if (row["cloud"], row["model"]) == (kind, model) and row["gap"] is not None]
            if mine:
                axes.plot(*zip(*mine, strict=True), marker, color=MODELS[model], alpha=0.6,
                          markersize=5, label=f"{model}, {kind}" if model == "linear" else None)
    ends = [min(row["predicted"] for row in rows) / 2, 2 * max(row["predicted"] for row in rows)]
    axes.plot(ends, ends, ":", color="0.5", linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="predicted gap of a linear SG",
             ylabel="measured gap from the optimum", title="two classes, one logit")
    tidy(axes)
    axes.legend(frameon=False, fontsize=8, loc="center left")


def _draw_networks(axes: Axes, rows: list[dict]) -> None:
    places = {(what, name): k for k, (what, name) in enumerate(
        (what, name) for what in ("mean squared error", "log loss") for name in NETWORKS)}
    for k, (model, colour) in enumerate(MODELS.items()):
        mine = [(max(LEAST, row["gap"]), places[row["what"], row["network"]] + 0.2 * (k - 1))
                for row in rows if row["model"] == model and row["gap"] is not None]
        if mine:
            axes.plot(*zip(*mine, strict=True), "o", color=colour, alpha=0.7, markersize=5,
                      label=model)
    for (what, name), y in places.items():
        for end in {row["predicted"] for row in rows if (row["what"], row["network"])
                    == (what, name) and row["predicted"] > LEAST}:
            axes.plot([end, end], [y - 0.35, y + 0.35], color=BLUE, linewidth=1)
    axes.set(xscale="log", xlabel="gap from the optimum (line: predicted)",
             yticks=list(places.values()), yticklabels=[
                 f"{'squared' if what.startswith('mean') else 'log'}, {name}"
                 for what, name in places], title=f"{OUTPUTS} outputs")
    axes.invert_yaxis()
    tidy(axes)
    axes.legend(frameon=False, fontsize=8, loc="upper center")


def _draw_map(axes: Axes, rows: list[dict]) -> None:
    seeds = len({row["seed"] for row in rows})
    for y, sg_rate in enumerate(SG_RATES):
        for x, rate in enumerate(NETWORK_RATES):
            gaps = [row["gap"] for row in rows if (row["rate"], row["sg_rate"]) == (rate, sg_rate)]
            lost = sum(gap is None or gap > 1 for gap in gaps)
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, color=ORANGE, linewidth=0,
                                     alpha=0.8 * lost / seeds))
            middle = median(gaps)
            axes.annotate(number(middle, "{:.1g}"), (x, y), ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.5, len(NETWORK_RATES) - 0.5), ylim=(-0.5, len(SG_RATES) - 0.5),
             xticks=range(len(NETWORK_RATES)), xticklabels=[f"{r:g}" for r in NETWORK_RATES],
             yticks=range(len(SG_RATES)), yticklabels=[f"{r:g}" for r in SG_RATES],
             xlabel="learning rate of the network", ylabel="learning rate of the SG",
             title="gaps; orange: diverged")


EXPERIMENT = Experiment(
    "convergence", "where a synthetic gradient on a linear network ends, measured and predicted",
    run, find, say, draw,
    full={"size": 500, "d": (10, 50), "steps": 4000, "map_steps": 1000},
    quick={"size": 200, "d": (10,), "steps": 2000, "map_steps": 300},
    tolerance=dict.fromkeys(("mse_gap", "prediction_error", "prediction_error_classes",
                             "backprop_gap"), 1000.0),
)
