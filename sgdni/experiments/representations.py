"""Do networks that learn from a synthetic gradient represent digits otherwise?

Layer by layer: how far apart classes are, what a linear probe reads, and how like backprop's the
representation is. What "alike" means is told by two yardsticks: backprop again, and the network
before training. Everybody starts from another seed than the backprop that all are compared with,
so other weights and another order of minibatches: with the same weights any two would be alike.
A learning rate changes representations, too. So ask twice: with everybody's own rate, chosen on
images set aside, and with one for all (``--rates 0.1``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdni._util.checks import check_count
from sgdni.analysis.hidden import hidden_layers
from sgdni.analysis.probes import Probe
from sgdni.analysis.similarity import contrast, dissimilarity, linear_cka, rsa
from sgdni.data import Dataset, load
from sgdni.experiments.after_steps import accuracy, accuracy_after
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.medians import median
from sgdni.experiments.tables import number
from sgdni.networks import Network
from sgdni.plotting.colours import BLUE, ORANGE, PINK, TRUE
from sgdni.plotting.figures import band, tidy
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings

#: name: (method, colour)
CONTENDERS = {
    "backprop": ("backprop", TRUE),
    "backprop again": ("backprop", PINK),
    "linear": ("cdni-ls", BLUE),
    "local error": ("local-error", ORANGE),
    "untrained": ("backprop", "0.6"),
}
OTHER_SEED = 1000
MEASURES = {"contrast": "classes further apart, by", "probe": "linear probe, accuracy",
            "rsa": "similarity to backprop (RSA)", "cka": "linear CKA with backprop"}


def trained(name: str, settings: dict, data: Dataset, aside: Dataset, seed: int
            ) -> tuple[Network, float, float]:
    """Return a contender's network, its learning rate and its test accuracy."""
    method, _ = CONTENDERS[name]
    base = Settings(hidden=(settings["width"],) * settings["layers"], cuts=(settings["cut"],),
                    ridge=1e-2, seed=seed + OTHER_SEED * (name != "backprop"))
    steps = settings["steps"]
    if name == "untrained":
        return build_trainer(method, base, data).schedule.network, np.nan, np.nan
    of = [replace(base, lr=rate) for rate in settings["rates"]]
    best = max(of, key=lambda s: accuracy(method, s, aside, steps)) if len(of) > 1 else of[0]
    trainer = build_trainer(method, best, data)
    reached = accuracy_after(trainer, steps)
    if not reached:  # weights that are no numbers have nothing to be compared
        raise ValueError(f"rates: {name} diverges at {best.lr:g}, expected a smaller one")
    return trainer.schedule.network, best.lr, reached


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return every measure of every contender's layers."""
    for name in ("width", "layers", "cut", "steps"):
        check_count(name, settings[name])
    data = load(settings["data"])
    check_count("images", settings["images"], 10 * data.n_classes)  # pairs of every class
    aside = data.validation_split(settings["aside"], np.random.default_rng(seed))
    rng, rows, reference = np.random.default_rng(seed), [], []
    learn, look = (rng.permutation(len(x))[: settings["images"]]
                   for x in (data.x_train, data.x_test))
    y_train, y_test = data.y_train[learn], data.y_test[look]
    for k, name in enumerate(CONTENDERS):
        progress(k / len(CONTENDERS))
        network, rate, reached = trained(name, settings, data, aside, seed)
        train = hidden_layers(network, data.x_train[learn])
        test = hidden_layers(network, data.x_test[look])
        apart = [dissimilarity(h) for h in test]
        reference = reference or list(zip(test, apart, strict=True))
        for layer, (seen, h, d, (h_0, d_0)) in enumerate(
                zip(train, test, apart, reference, strict=True), 1):
            rows.append({
                "contender": name, "layer": layer, "rate": rate, "accuracy": reached,
                "contrast": contrast(d, y_test),
                "probe": Probe(seen, y_train, data.n_classes).accuracy(h, y_test),
                "rsa": rsa(d_0, d), "cka": linear_cka(h_0, h),
                "classes": between_classes(d, y_test, data.n_classes)})
    return rows


def between_classes(d: np.ndarray, y: np.ndarray, n_classes: int) -> list[list[float]]:
    """Return the mean dissimilarity of examples of any two classes, (classes, classes)."""
    c = np.eye(n_classes)[y]
    pairs = np.outer(c.sum(axis=0), c.sum(axis=0)) - np.diag(c.sum(axis=0))  # none with itself
    return np.round((c.T @ (d - np.diag(np.diag(d))) @ c) / np.maximum(1, pairs), 4).tolist()


def find(rows: list[dict]) -> Findings:
    """Every measure, as in ``rsa_local_error_2`` for layer 2: one number a seed."""
    findings: Findings = {}
    for row in rows:
        name = row["contender"].replace(" ", "_")
        for measure in MEASURES:
            if name != "backprop" or measure in ("contrast", "probe"):
                findings.setdefault(f"{measure}_{name}_{row['layer']}", []).append(row[measure])
    return findings


def _by_layer(findings: Findings, measure: str, name: str) -> list[float | None]:
    layers = sum(key.startswith("probe_linear_") for key in findings)
    return [median(findings[f"{measure}_{name}_{i}"]) for i in range(1, layers + 1)]


def say(findings: Findings) -> str:
    """The layer whose classes are further apart by most, under the linear SG, is told of."""
    ours, theirs, local, again = (_by_layer(findings, "contrast", name) for name in (
        "linear", "backprop", "local_error", "backprop_again"))
    i = int(np.argmax(np.subtract(ours, theirs)))
    alike = [number(_by_layer(findings, "rsa", name)[i], "{:.2f}")
             for name in ("linear", "local_error", "backprop_again", "untrained")]
    return (f"Classes in layer {i + 1} are apart by {ours[i]:.2f} under a linear SG, "
            f"{local[i]:.2f} under local error, {theirs[i]:.2f} and {again[i]:.2f} in backprop.\n"
            f"Similarity to backprop there: linear {alike[0]}, local error {alike[1]}, backprop "
            f"again {alike[2]}, untrained {alike[3]}")


def draw(results: dict) -> Figure:
    rows, s = results["rows"], results["settings"]
    figure = Figure(figsize=(12, 6.8), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    panels = top.subplots(1, len(CONTENDERS), sharey=True)
    for axes, name in zip(panels, CONTENDERS, strict=True):
        mine = [row["classes"] for row in rows
                if (row["contender"], row["layer"]) == (name, s["cut"])]
        shown = axes.imshow(np.median(mine, axis=0), vmin=0, vmax=1, cmap="cividis")
        axes.set(title=name, xticks=range(0, len(mine[0]), 3), yticks=range(0, len(mine[0]), 3))
        axes.title.set_fontsize(10)
    panels[0].set_ylabel(f"classes, layer {s['cut']}")
    top.colorbar(shown, ax=panels, label="dissimilarity", shrink=0.8)
    for axes, (measure, label) in zip(bottom.subplots(1, len(MEASURES)), MEASURES.items(),
                                      strict=True):
        _draw_measure(axes, rows, measure, s["cut"])
        axes.set(xlabel="hidden layer", title=label, xticks=range(1, s["layers"] + 1))
        axes.title.set_fontsize(10)
    handles, labels = bottom.axes[0].get_legend_handles_labels()
    bottom.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False,
                  fontsize=9)
    figure.suptitle(f"{results['finding']}\n{s['data']}, {s['layers']} hidden layers of "
                    f"{s['width']}, one interface (dotted), {s['steps']:,} minibatches",
                    fontsize=10)
    return figure


def _draw_measure(axes: Axes, rows: list[dict], measure: str, cut: int) -> None:
    for name, (_, colour) in CONTENDERS.items():
        mine = [row for row in rows if row["contender"] == name]
        layers = sorted({row["layer"] for row in mine})
        values = [[row[measure] for row in mine if row["layer"] == layer] for layer in layers]
        if name != "backprop" or measure in ("contrast", "probe"):
            band(axes, layers, np.array(values, float).T, marker="o", markersize=3, color=colour,
                 label=name)
    axes.axvline(cut + 0.5, color="0.5", linewidth=0.8, linestyle=":")
    tidy(axes)


EXPERIMENT = Experiment(
    "representations", "what hidden layers say under synthetic gradients and under backprop",
    run, find, say, draw,
    full={"data": "mnist", "width": 128, "layers": 6, "cut": 3, "steps": 936, "images": 2000,
          "rates": (0.1, 0.03, 0.2), "aside": 5000},
    quick={"data": "mnist-5k", "width": 64, "steps": 200, "images": 500, "aside": 500},
)
