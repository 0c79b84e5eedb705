"""What figures share: quiet axes, a legend below the panels, files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 150


def tidy(axes: Axes) -> None:
    """Take two sides of the frame away, and lay a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)


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
        figure.savefig(path, dpi=DPI)
    return paths
