"""Can a network with a synthetic gradient learn labels by heart that nothing explains?

Images with random labels, one interface, after layer 1, 2, ...: how many epochs until 90% are
known? Lower layers may have no part in it, since those above the interface learn truly. So the
control is the same network whose layers below the interface never learn: what it does, the layers
above do by themselves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from sgdni._util.checks import check_count
from sgdni.data import Dataset, load
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.medians import median
from sgdni.experiments.tables import number
from sgdni.plotting.colours import BLUE, ORANGE, TRUE
from sgdni.plotting.figures import tidy
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError
from sgdni.training.batches import Minibatches
from sgdni.training.evaluation import evaluate

#: name: (method, colour)
CONTENDERS = {"linear": ("cdni-ls", BLUE), "local error": ("local-error", ORANGE),
              "top only": ("top-only", "0.6")}
GOAL = 0.9


def by_heart(data: Dataset, size: int, rng: np.random.Generator) -> Dataset:
    """Return some training images with random labels, which are the test images too: what counts
    is what is known of them."""
    rows = rng.permutation(len(data.x_train))[:size]
    y = rng.integers(0, data.n_classes, size)
    return replace(data, name=f"{data.name}-random", x_train=data.x_train[rows], y_train=y,
                   x_test=data.x_train[rows], y_test=y)


def memorise(method: str, settings: Settings, data: Dataset, epochs: int
             ) -> tuple[float, float]:
    """Return after how many epochs 90% are known (infinite: never), and the share in the end.

    0 in the end if training diverged.
    """
    trainer = build_trainer(method, settings, data)
    network, reached, known = trainer.schedule.network, np.inf, 0.0
    batches = Minibatches(data.examples(), settings.batch_size, trainer.rng, trainer.dtype)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            for epoch in range(1, epochs + 1):
                for _ in trainer.schedule.run(batches):
                    pass
                known = evaluate(network, data.x_test, data.y_test, trainer.dtype)[1]
                if known >= GOAL:
                    reached = min(reached, epoch)
    except (DivergenceError, FitError):
        return np.inf, 0.0
    return reached, known


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return everybody's epochs, at the rate that is best for another draw of images and labels."""
    for name in ("layers", "width", "epochs"):
        check_count(name, settings[name])
    images = load(settings["data"])
    check_count("size", settings["size"], 1, len(images.x_train))
    data, others = (by_heart(images, settings["size"], np.random.default_rng([seed, k]))
                    for k in (0, 1))
    base = Settings(hidden=(settings["width"],) * settings["layers"], activation="tanh",
                    batch_norm=False, batch_size=100, ridge=1e-2, seed=seed)
    every = [("backprop", "backprop", 0)] + [
        (name, method, place) for place in range(1, settings["layers"] + 1)
        for name, (method, _) in CONTENDERS.items()]
    rows = []
    for k, (name, method, place) in enumerate(every):
        progress(k / len(every))
        of = [replace(base, cuts=(place,) if place else None, lr=rate)
              for rate in settings["rates"]]
        best = of[0]
        if len(of) > 1:
            tried = [memorise(method, s, others, settings["epochs"]) for s in of]
            best = min(zip(tried, of, strict=True), key=lambda t: (t[0][0], -t[0][1]))[1]
        reached, known = memorise(method, best, data, settings["epochs"])
        rows.append({"contender": name, "place": place, "rate": best.lr, "epochs": reached,
                     "known": known})
    return rows


def find(rows: list[dict]) -> Findings:
    """Medians over the seeds, one number for each place, from the bottom up; None for never.

    "epochs_to_90_by_place" is the linear SG's. And backprop's, one number a seed.
    """
    places = sorted({row["place"] for row in rows} - {0})

    def by_place(name: str, what: str) -> list[float | None]:
        return [median(row[what] for row in rows
                       if (row["contender"], row["place"]) == (name, place)) for place in places]

    findings: Findings = {"epochs_to_90_by_place": by_place("linear", "epochs")}
    for name in CONTENDERS:
        tail = name.replace(" ", "_")
        if name != "linear":
            findings[f"epochs_to_90_by_place_{tail}"] = by_place(name, "epochs")
        findings[f"known_by_place_{tail}"] = by_place(name, "known")
    for what in ("epochs", "known"):
        findings[f"{what}{'_to_90' * (what == 'epochs')}_backprop"] = [
            row[what] for row in rows if row["contender"] == "backprop"]
    return findings


def say(findings: Findings) -> str:
    linear, local, control = (
        " ".join(number(epochs, "{:.0f}") for epochs in findings[f"epochs_to_90_by_place{name}"])
        for name in ("", "_local_error", "_top_only"))
    backprop = number(median(findings["epochs_to_90_backprop"]), "{:.0f}")
    return (f"Epochs until 90% of random labels are known: backprop {backprop}. By the interface's "
            f"place, bottom up:\nlinear {linear}; local error {local}; the layers above alone "
            f"{control} (a dash: never)")


def draw(results: dict) -> Figure:
    rows, s = results["rows"], results["settings"]
    never = 1.08 * s["epochs"]
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    axes = figure.subplots()
    backprop = [row["epochs"] or never for row in rows if row["contender"] == "backprop"]
    axes.axhspan(min(backprop), max(backprop), color=TRUE, alpha=0.15, linewidth=0)
    axes.axhline(np.median(backprop), color=TRUE, label="backprop")
    for k, (name, (_, colour)) in enumerate(CONTENDERS.items()):
        for place in range(1, s["layers"] + 1):
            mine = [row["epochs"] or never for row in rows
                    if (row["contender"], row["place"]) == (name, place)]
            x = place + 0.15 * (k - 1)
            axes.plot([x] * len(mine), mine, "o", color=colour, alpha=0.7, markersize=5,
                      label=(f"{name}{': below it nothing learns' * (name == 'top only')}"
                             if place == 1 else None))
            axes.plot([x - 0.06, x + 0.06], [np.median(mine)] * 2, color=colour)
    axes.axhline(s["epochs"], color="0.5", linewidth=0.8, linestyle=":")
    axes.annotate("never", (0.55, never), fontsize=8, color="0.4", va="center")
    axes.set(xlabel="the interface stands after hidden layer", xlim=(0.5, s["layers"] + 0.5),
             ylabel="epochs until 90% are known", xticks=range(1, s["layers"] + 1),
             ylim=(0, 1.15 * s["epochs"]))
    tidy(axes)
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"{results['finding']}\n{s['size']:,} images of {s['data']}, {s['layers']} "
                    f"hidden layers of {s['width']}, tanh; one dot a seed", fontsize=9, wrap=True)
    return figure


EXPERIMENT = Experiment(
    "random-labels", "labels learned by heart: what a synthetic gradient costs, by its place",
    run, find, say, draw,
    full={"data": "mnist", "size": 1000, "layers": 4, "width": 128, "epochs": 200,
          "rates": (0.02, 0.01, 0.05, 0.1, 0.005, 0.2, 0.4)},
    quick={"data": "mnist-5k", "width": 64, "epochs": 100, "rates": (0.02,)},
    tolerance={"epochs_to_90_backprop": 0.2},
)
