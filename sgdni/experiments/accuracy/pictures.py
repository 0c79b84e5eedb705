"""Pictures of a comparison, drawn from the same dict that results.json holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sgdni.experiments.tables import count
from sgdni.plotting.colours import (
    BLUE,
    GREEN,
    INDIGO,
    OLIVE,
    ORANGE,
    PINK,
    SKY,
    SYNTHETIC,
    TRUE,
    VERMILION,
)
from sgdni.plotting.figures import legend_below, save, tidy

# A method keeps its colour everywhere: backprop that of the true gradient.
COLOURS = {
    "backprop": TRUE, "dni": ORANGE, "cdni": SKY, "cdni-ls": SYNTHETIC,
    "cdni-stochastic": GREEN, "pytorch": BLUE, "scikit-learn": PINK,
    "local-error": INDIGO, "local-loss": OLIVE,
}


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
    finals = []
    for row in results["rows"]:
        epochs, values = _stack(row, "test_accuracy")
        if values is None:
            continue
        _, seconds = _stack(row, "total_seconds")
        finals += [100 * np.median(values, axis=0)[-1]]
        _band(by_epoch, epochs, 100 * values, row["method"])
        _band(by_second, np.median(seconds, axis=0), 100 * values, row["method"])
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
    shades = [BLUE, ORANGE, GREEN, PINK, VERMILION, SKY]
    top = 1.0
    for axes, row in zip(panels, rows, strict=True):
        epochs, true = _stack(row, "sg_relative_error")
        _, target = _stack(row, "sg_target_error")
        for i in range(true.shape[2]):
            colour = shades[i % len(shades)]
            for values, style, width in ((true, "-", 2.0), (target, "--", 1.2)):
                line = np.median(values[:, :, i], axis=0)
                top = max(top, float(np.nanmax(line)))
                label = f"interface {i + 1}" if style == "-" else None
                axes.plot(epochs, line, style, color=colour, linewidth=width, label=label,
                          marker=_marker(epochs))
        axes.axhline(1, color="0.5", linewidth=0.8, linestyle=":")
        axes.set(xlabel="epochs", title=row["method"])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(axes)
    panels[0].set(ylabel="relative squared error", ylim=(0, min(2.0, 1.08 * top)))
    most = max(range(len(panels)), key=lambda k: len(panels[k].get_legend_handles_labels()[0]))
    legend_below(figure, panels[most])
    figure.suptitle(
        "Error of synthetic gradients: solid against the true gradient, dashed against the "
        "fitted target\n(the same at the top interface); dotted: predicting zero", fontsize=10,
    )
    return figure


def _stack(row: dict, key: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return epochs (E,) and the values (repeats, E, ...) of repeats that were finished."""
    histories = [h for h in row["history"] if h]
    longest = max((len(h) for h in histories), default=0)
    whole = [[record[key] for record in h] for h in histories if len(h) == longest]
    return np.arange(1, longest + 1), np.array(whole, float) if whole else None


def _band(axes: Axes, x: np.ndarray, values: np.ndarray, method: str) -> None:
    others = list(COLOURS.values())[1:]
    colour = COLOURS.get(method, others[len(axes.lines) % len(others)])
    line, = axes.plot(x, np.median(values, axis=0), color=colour, linewidth=1.8, label=method,
                      marker=_marker(x))
    axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=line.get_color(),
                      alpha=0.15, linewidth=0)


def _marker(x: np.ndarray) -> str | None:
    """A line of one point needs a marker to be seen."""
    return "o" if len(x) == 1 else None
