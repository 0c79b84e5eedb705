"""Pictures of the speed comparison, drawn from the dict that results.json holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sgdni.experiments.speed.breakeven import steps_ratio
from sgdni.experiments.speed.contenders import BACKPROP, DNI, SPLIT, THREADS
from sgdni.experiments.speed.sweep import times_faster
from sgdni.experiments.speed.text import label
from sgdni.plotting.colours import BLUE, GREEN, PINK, SYNTHETIC, TRUE

DPI = 150
WITHIN = 0.15  # what the predictions are held to


def draw_all(results: dict, folder: Path) -> list[Path]:
    """Draw everything into `folder` and return the paths."""
    figures = {"race": race(results), "sweep": sweep(results), "predicted": predicted(results),
               "break_even": break_even(results)}
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=DPI)
    return paths


def race(results: dict) -> Figure:
    """Test accuracy against seconds of training, without links and over links with a latency."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    linked = max(row["latency"] for row in results["race"])
    panels = figure.subplots(1, 2, sharey=True)
    for axes, latency in zip(panels, (0.0, linked), strict=True):
        rows = [row for row in results["race"] if row["latency"] in (0.0, latency)]
        for row in rows:
            name = row["name"].split(f", {1e3 * linked:g} ms")[0]
            if latency and not row["latency"] and row["engine"] != "sequential":
                continue  # beside the links, only those without workers stay
            for i, repeat in enumerate(row["repeats"]):
                seconds, accuracy = _curve(repeat)
                axes.plot(seconds, accuracy, color=_colour(name), alpha=0.75, linewidth=1.2,
                          linestyle="--" if name.startswith("DNI") else "-",
                          label=name if i == 0 else None)
        axes.axhline(100 * results["target"], color="0.5", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", xlabel="seconds of training", xlim=(_earliest(rows), None),
                 ylim=(100 * results["target"] - 4, 100 * results["target"] + 1.5),
                 title="no links" if not latency else f"{1e3 * latency:g} ms links between workers")
        _tidy(axes)
    panels[0].set_ylabel("test accuracy (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def sweep(results: dict) -> Figure:
    """Images per second over those of one-core backprop, at every point of the sweep."""
    points = results["sweep"]
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(row["way"] for point in points for row in point["rows"]
                               if row["way"] != BACKPROP))
    for k, name in enumerate(names):
        ratios = []
        for point in points:
            ratios.append(times_faster(point, name, BACKPROP) or np.nan)
        at = np.arange(len(points)) + 0.16 * (k - (len(names) - 1) / 2)
        axes.plot(at, ratios, "osD^v"[k % 5], color=_colour(name), label=name, markersize=6)
    axes.axhline(1, color=TRUE, linewidth=1, label=BACKPROP)
    axes.set(yscale="log", ylabel="images per second\nover those of one-core backprop",
             xticks=range(len(points)), xticklabels=[label(point) for point in points])
    ticks = (0.1, 0.2, 0.5, 1, 2)
    axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes.tick_params(axis="x", rotation=45)
    _tidy(axes)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def predicted(results: dict) -> Figure:
    """Step time predicted by the timeline against step time measured."""
    figure = Figure(figsize=(6.2, 5.6), layout="constrained")
    axes = figure.subplots()
    rows = [(row, point) for point in results["sweep"] for row in point["rows"]
            if row["predicted_seconds_per_step"] is not None]
    for name in dict.fromkeys(row["way"] for row, _ in rows):
        mine = [row for row, _ in rows if row["way"] == name]
        axes.plot([1e3 * row["seconds_per_step"] for row in mine],
                  [1e3 * row["seconds_per_step"] * row["predicted_over_measured"] for row in mine],
                  "o" if name != DNI else "D", color=_colour(name), label=name, markersize=5)
    ends = np.array([min(axes.get_xlim()[0], axes.get_ylim()[0], 1.0), 1.3 * axes.get_xlim()[1]])
    ends[0] = max(ends[0], 0.5)
    axes.plot(ends, ends, color="0.4", linewidth=0.8)
    axes.fill_between(ends, (1 - WITHIN) * ends, (1 + WITHIN) * ends, color="0.9", zorder=0,
                      label=f"within {100 * WITHIN:g}%")
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured (ms a step)",
             ylabel="predicted by the timeline (ms a step)")
    axes.legend(frameon=False, fontsize=9)
    _tidy(axes)
    return figure


def break_even(results: dict) -> Figure:
    """How many times faster than two rivals, in throughput and in time to the target accuracy.

    Cells are predictions; a framed number in a cell was measured.
    """
    chart = results["map"]
    steps = np.array([[steps_ratio(chart, workers, latency) for workers in chart["workers"]]
                      for latency in chart["latencies"]])
    figure = Figure(figsize=(11, 8.2), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    target = f"{100 * results['target']:g}%"
    for row, rival, name in ((0, "model-parallel backprop", "backprop split over the same workers"),
                             (1, "best", "the best of three: split, pipelined, on one worker")):
        speed = np.array(chart["predicted"][rival]).T
        image = _cells(panels[row, 0], speed, chart)
        _frames(panels[row, 0], chart, "model-parallel backprop" if row == 0 else None)
        _cells(panels[row, 1], speed / steps, chart)
        panels[row, 0].set_title(f"images per second,\nagainst {name}", fontsize=9.5)
        panels[row, 1].set_title(f"time to {target},\nagainst {name}", fontsize=9.5)
    for axes in panels[1]:
        axes.set_xlabel("workers, with one hidden layer each")
    for axes in panels[:, 0]:
        axes.set_ylabel("latency of a link (ms)")
    bar = figure.colorbar(image, ax=panels, shrink=0.6, label="times faster", extend="both")
    bar.set_ticks([1 / 3, 1 / 2, 1, 2, 3, 10, 30], labels=["1/3", "1/2", "1", "2", "3", "10", "30"])
    figure.suptitle("Where synthetic gradients pay: times faster than backprop. Shaded cells are "
                    "predicted from the costs of single\noperations here, each worker on a machine "
                    "of its own, and (right) from measured steps to the target.\nFramed: measured, "
                    "on two cores of one machine. ?: steps not measured", fontsize=10.5)
    return figure


def _cells(axes: Axes, values: np.ndarray, chart: dict):
    # Violet where DNI loses and orange where it wins, white at a tie; grey where nothing is known.
    unreached = f"not in\n{chart['learning'][0]['epochs']} epochs"
    shown = np.where(np.isfinite(values), np.maximum(values, 1e-3), np.nan)
    axes.set_facecolor("0.85")
    image = axes.imshow(shown, cmap="PuOr_r", norm=LogNorm(1 / 30, 30), origin="lower",
                        aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        text = "?" if np.isnan(value) else unreached if value == 0 else _spell(value)
        colour = "white" if value > 12 or value < 1 / 12 else "black"
        axes.text(j, i, text, ha="center", va="center", fontsize=8, color=colour,
                  fontweight="bold" if value > 3 else "normal")
    axes.set_xticks(range(len(chart["workers"])), chart["workers"])
    axes.set_yticks(range(len(chart["latencies"])), [f"{1e3 * s:g}" for s in chart["latencies"]])
    return image


def _spell(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def _frames(axes: Axes, chart: dict, rival: str | None) -> None:
    """Add what was measured; against the best of the two rivals measured if `rival` is None."""
    for point in chart["measured"]:
        values = [point[rival]] if rival else [point["locked backprop"],
                                               point["model-parallel backprop"]]
        if None in values:
            continue
        axes.text(list(chart["workers"]).index(point["workers"]) + 0.02,
                  list(chart["latencies"]).index(point["latency"]) - 0.3,
                  _spell(min(values)), fontsize=7, ha="center", va="center",
                  bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "black"})


def _earliest(rows: Sequence[dict]) -> float:
    """Return when the first of them was tested for the first time."""
    return min(s for row in rows for repeat in row["repeats"] for s in _curve(repeat)[0][:1])


def _curve(repeat: dict) -> tuple[list[float], list[float]]:
    """Return seconds and accuracies: fine until the target was reached, then one an epoch."""
    fine = [(seconds, accuracy) for seconds, _, accuracy in repeat["curve"]]
    last = fine[-1][0] if fine else 0.0
    rest = [(r["total_seconds"], r["test_accuracy"]) for r in repeat["history"]
            if r["total_seconds"] > last]
    points = fine + rest
    return [seconds for seconds, _ in points], [100 * accuracy for _, accuracy in points]


def _colour(name: str) -> str:
    colours = {BACKPROP: TRUE, SPLIT: BLUE, THREADS: PINK, DNI: SYNTHETIC}
    return colours.get(name, GREEN)


def _tidy(axes: Axes | Sequence[Axes]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
