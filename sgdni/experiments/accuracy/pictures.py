"""Pictures of a comparison, drawn from the same dict that results.json holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sgdni.experiments.tables import count
from sgdni.plotting import colours as c
from sgdni.plotting.figures import band, legend_below, save, tidy

# A method keeps its colour everywhere: backprop that of the true gradient.
COLOURS = {
    "backprop": c.TRUE, "dni": c.ORANGE, "cdni": c.SKY, "cdni-ls": c.SYNTHETIC,
    "cdni-stochastic": c.GREEN, "pytorch": c.BLUE, "scikit-learn": c.PINK,
    "local-error": c.INDIGO, "local-loss": c.OLIVE,
}

NAMES = ("accuracy.png", "sg_error.png")


def draw_all(results: dict, folder: Path) -> list[Path]:
    """Draw ``accuracy.png`` and, if any method has SG models, ``sg_error.png``; return paths."""
    figures = {"accuracy": accuracy(results)}
    if any(row["sg_relative_error"] for row in results["rows"]):
        figures["sg_error"] = sg_error(results)
    return save(figures, folder)


def accuracy(results: dict) -> Figure:
    """Test accuracy of every method against epochs and against seconds of training.

    Lines are medians over repeats, bands reach from the least to the largest.
    """
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    by_epoch, by_second = figure.subplots(1, 2, sharey=True)
    finals, others = [], list(COLOURS.values())[1:]
    for row in results["rows"]:
        values, seconds = 100 * _stack(row, "test_accuracy"), _stack(row, "total_seconds")
        if not values.size:
            continue
        line = {"color": COLOURS.get(row["method"], others[len(finals) % len(others)]),
                "linewidth": 1.8, "label": row["method"]}
        band(by_epoch, np.arange(1, values.shape[1] + 1), values, **line)
        band(by_second, np.median(seconds, axis=0), values, **line)
        finals.append(np.median(values[:, -1]))
    by_epoch.set(xlabel="epochs", ylabel="test accuracy (%)")
    by_epoch.xaxis.set_major_locator(MaxNLocator(integer=True))
    by_second.set(xlabel="seconds of training (median)", xlim=(0, None))
    if finals:  # the interesting part is near the top; the first epochs may leave the picture
        low = max(0.0, min(finals) - max(2.0, 1.5 * (max(finals) - min(finals))))
        by_epoch.set_ylim(low, min(100.0, max(finals) + 0.15 * (max(finals) - low)))
    target = results["rows"][0]["target_accuracy"]
    for axes in (by_epoch, by_second):
        if target is not None:
            axes.axhline(100 * target, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
        tidy(axes)
    legend_below(figure, by_epoch)
    s = results["settings"]
    figure.suptitle(f"{results['data']['name']}, hidden layers {'-'.join(map(str, s['hidden']))}, "
                    f"batch {s['batch_size']}, lr {s['lr']:g}, {count(s['repeats'], 'seed')}",
                    fontsize=11)
    return figure


def sg_error(results: dict) -> Figure:
    """Relative squared error of every SG model, epoch by epoch: one panel a method.

    Solid lines are against the true gradient, dashed ones against the bootstrapped target that
    the model is fitted to. At the top interface the two coincide.
    """
    rows = [row for row in results["rows"] if row["sg_relative_error"]]
    figure = Figure(figsize=(max(8.0, 3.0 * len(rows)), 4.0), layout="constrained")
    panels = figure.subplots(1, len(rows), sharey=True, squeeze=False)[0]
    shades = [c.BLUE, c.ORANGE, c.GREEN, c.PINK, c.VERMILION, c.SKY]
    top = 1.0
    for axes, row in zip(panels, rows, strict=True):
        true, target = (np.median(_stack(row, name), axis=0)  # (epochs, interfaces)
                        for name in ("sg_relative_error", "sg_target_error"))
        top = max(top, float(np.nanmax([true, target])))
        epochs = np.arange(1, len(true) + 1)
        for i in range(true.shape[1]):
            look = {"color": shades[i % len(shades)], "marker": "o" if len(true) == 1 else None}
            axes.plot(epochs, true[:, i], linewidth=2.0, label=f"interface {i + 1}", **look)
            axes.plot(epochs, target[:, i], "--", linewidth=1.2, **look)
        axes.axhline(1, color="0.5", linewidth=0.8, linestyle=":")
        axes.set(xlabel="epochs", title=row["method"])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(axes)
    panels[0].set(ylabel="relative squared error", ylim=(0, min(2.0, 1.08 * top)))
    most = max(range(len(rows)), key=lambda k: len(rows[k]["sg_relative_error"]))
    legend_below(figure, panels[most])
    figure.suptitle(
        "Error of synthetic gradients: solid against the true gradient, dashed against the "
        "fitted target\n(the same at the top interface); dotted: predicting zero", fontsize=10,
    )
    return figure


def _stack(row: dict, key: str) -> np.ndarray:
    """Return the values (repeats, epochs, ...) of the repeats that went on for longest."""
    longest = max(map(len, row["history"]), default=0)
    return np.array([[record[key] for record in h] for h in row["history"] if len(h) == longest],
                    float)
