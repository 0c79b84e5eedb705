"""What figures share: quiet axes, lines with bands, a legend below the panels, files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdni._util.files import whole

DPI = 150


def tidy(axes: Axes) -> None:
    """Take two sides of the frame away, and lay a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)


def band(axes: Axes, x: np.ndarray, values: np.ndarray, style: str = "-", **line) -> None:
    """Draw the medians of `values` (repeats, n) over x (n,), in a band from least to largest.

    A line of one point gets a marker, to be seen. `line` goes to `Axes.plot`.
    """
    line.setdefault("marker", "o" if len(x) == 1 else None)
    drawn, = axes.plot(x, np.median(values, axis=0), style, **line)
    axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=drawn.get_color(),
                      alpha=0.15, linewidth=0)


def legend_below(figure: Figure, axes: Axes) -> None:
    """Put the legend of `axes` below all panels, in as many columns as fit the width."""
    handles, labels = axes.get_legend_handles_labels()
    fit = int(14 * figure.get_figwidth()) // (8 + max(map(len, labels), default=0))
    figure.legend(handles, labels, loc="outside lower center", ncols=min(fit, len(labels)),
                  frameon=False, fontsize=9)


def save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write each figure into `folder` under its name, and return the paths."""
    paths = [folder / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        with whole(path) as temporary:
            figure.savefig(temporary, dpi=DPI, format="png")
    return paths
