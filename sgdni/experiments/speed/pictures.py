"""Pictures of the speed comparison, drawn from the dict that results.json holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from sgdni.experiments.speed import contenders as who
from sgdni.experiments.speed.breakeven import steps_ratio
from sgdni.experiments.speed.contenders import BACKPROP, DNI, SPLIT
from sgdni.experiments.speed.sweep import steps_faster
from sgdni.experiments.speed.tables import label
from sgdni.plotting import colours as c
from sgdni.plotting.figures import band, legend_below, save, tidy

COLOURS = {BACKPROP: c.TRUE, SPLIT: c.BLUE, who.THREADS: c.PINK, DNI: c.SYNTHETIC,
           who.LOCAL_ERROR: c.INDIGO, who.LOCAL_LOSS: c.OLIVE, who.DATA_PARALLEL: c.ORANGE,
           who.DELAYED: c.SKY}
NAMES = ("race.png", "sweep.png", "predicted.png", "break_even.png")
WITHIN = 0.15  # what the predictions are held to


def draw_all(results: dict, folder: Path) -> list[Path]:
    """Draw what was measured into `folder` and return the paths."""
    return save(draw(results), folder)


def draw(results: dict) -> dict[str, Figure]:
    """Return the pictures of what was measured, by name."""
    parts = {"race": [race], "sweep": [sweep, predicted], "break_even_map": [break_even]}
    return {picture.__name__: picture(results) for part, drawn in parts.items()
            for picture in drawn if part in results}


def race(results: dict) -> Figure:
    """Test accuracy against seconds of training, without links and over each kind of them.

    Lines are medians over the repeats, bands reach from the least to the largest.
    """
    every = sorted({(row["latency"], row.get("bandwidth") or 0) for row in results["race"]})
    goal = 100 * results["target"]
    figure = Figure(figsize=(2 + 4 * len(every), 4.6), layout="constrained")
    panels = figure.subplots(1, len(every), sharey=True)
    for axes, (latency, bandwidth) in zip(panels, every, strict=True):
        links = who.Links(latency, bandwidth or None)
        for row in results["race"]:
            here = (row["latency"], row.get("bandwidth") or 0) == (latency, bandwidth)
            if row["engine"] != "sequential" and not here:
                continue  # beside the links, only those without workers stay
            name = row["name"].removesuffix(f", {links}")
            band(axes, *_curves(row["repeats"]), "--" if name.startswith("DNI") else "-",
                 color=COLOURS.get(name, c.GREEN), linewidth=1.5, label=name)
        axes.axhline(goal, color="0.5", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", xlabel="seconds of training", ylim=(goal - 4, goal + 1.5),
                 title=f"{links} between workers" if latency else str(links))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        tidy(axes)
    panels[0].set_ylabel("test accuracy (%)")
    legend_below(figure, panels[0])
    return figure


def sweep(results: dict) -> Figure:
    """Images per second over those of one-core backprop, at every point of the sweep."""
    points = results["sweep"]
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    axes = figure.subplots()
    names = [name for name in _names(points) if name != BACKPROP]
    for k, name in enumerate(names):
        at = np.arange(len(points)) + 0.16 * (k - (len(names) - 1) / 2)
        axes.plot(at, [steps_faster(point, name, BACKPROP) or np.nan for point in points],
                  "osD^v"[k % 5], color=COLOURS.get(name, c.GREEN), label=name, markersize=6)
    axes.axhline(1, color=c.TRUE, linewidth=1, label=BACKPROP)
    axes.set(yscale="log", ylabel="images per second\nover those of one-core backprop",
             xticks=range(len(points)), xticklabels=[label(point) for point in points])
    axes.set_yticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    axes.tick_params(axis="x", rotation=45)
    tidy(axes)
    legend_below(figure, axes)
    return figure


def predicted(results: dict) -> Figure:
    """Step time predicted by the timeline against step time measured."""
    figure = Figure(figsize=(6.2, 5.6), layout="constrained")
    axes = figure.subplots()
    for name in _names(results["sweep"]):
        measured, ratio = np.array([
            (1e3 * row["seconds_per_step"], row["predicted_over_measured"] or np.nan)
            for point in results["sweep"] for row in point["rows"] if row["contender"] == name]).T
        axes.plot(measured, ratio * measured, "D" if name == DNI else "o",
                  color=COLOURS.get(name, c.GREEN), label=name, markersize=5)
    ends = np.array([max(0.5, min(axes.get_xlim()[0], axes.get_ylim()[0], 1.0)),
                     1.3 * axes.get_xlim()[1]])
    axes.plot(ends, ends, color="0.4", linewidth=0.8)
    axes.fill_between(ends, (1 - WITHIN) * ends, (1 + WITHIN) * ends, color="0.9", zorder=0,
                      label=f"within {100 * WITHIN:g}%")
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured (ms a step)",
             ylabel="predicted by the timeline (ms a step)")
    axes.legend(frameon=False, fontsize=9)
    tidy(axes)
    return figure


def break_even(results: dict) -> Figure:
    """How many times faster than two rivals, in throughput and in time to the target accuracy.

    Cells are predictions; a framed number in a cell was measured.
    """
    found = results["break_even_map"]
    steps = np.array([[steps_ratio(found, workers, latency) for workers in found["workers"]]
                      for latency in found["latencies"]])
    figure = Figure(figsize=(11, 8.2), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    against = {SPLIT: "backprop split over the same workers",
               "best": "the best of three: split, pipelined, on one worker"}
    for (left, right), (rival, name) in zip(panels, against.items(), strict=True):
        speed = np.array(found["predicted"][rival]).T
        image = _cells(left, speed, found)
        _cells(right, speed / steps, found)
        left.set_title(f"images per second,\nagainst {name}", fontsize=9.5)
        right.set_title(f"time to {100 * results['target']:g}%,\nagainst {name}", fontsize=9.5)
        for point in found["measured"]:
            measured = [point[SPLIT]] + [point["locked backprop"]] * (rival == "best")
            if None not in measured:
                left.text(found["workers"].index(point["workers"]) + 0.02,
                          found["latencies"].index(point["latency"]) - 0.3,
                          _spell(min(measured)), fontsize=7, ha="center", va="center",
                          bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "black"})
    figure.supxlabel("workers, with one hidden layer each", fontsize=10)
    figure.supylabel("latency of a link (ms)", fontsize=10)
    bar = figure.colorbar(image, ax=panels, shrink=0.6, label="times faster", extend="both")
    bar.set_ticks([1 / 3, 1 / 2, 1, 2, 3, 10, 30], labels=["1/3", "1/2", "1", "2", "3", "10", "30"])
    figure.suptitle("Where synthetic gradients pay: times faster than backprop. Shaded cells are "
                    "predicted from the costs of single\noperations here, each worker on a machine "
                    "of its own, and (right) from measured steps to the target.\nFramed: measured, "
                    "on two cores of one machine. ?: steps not measured", fontsize=10.5)
    return figure


def _cells(axes: Axes, values: np.ndarray, found: dict):
    # Violet where DNI loses and orange where it wins, white at a tie; grey where nothing is known.
    axes.set_facecolor("0.85")
    image = axes.imshow(np.maximum(values, 1e-3), cmap="PuOr_r", norm=LogNorm(1 / 30, 30),
                        origin="lower", aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        text = "?" if np.isnan(value) else _spell(value) if value else (
            f"not in\n{found['learning'][0]['epochs']} epochs")
        axes.text(j, i, text, ha="center", va="center", fontsize=8,
                  color="white" if value > 12 or value < 1 / 12 else "black",
                  fontweight="bold" if value > 3 else "normal")
    axes.set_xticks(range(len(found["workers"])), found["workers"])
    axes.set_yticks(range(len(found["latencies"])), [f"{1e3 * s:g}" for s in found["latencies"]])
    return image


def _spell(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def _curves(repeats: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Return seconds that all repeats have lived through, and their accuracies (repeats, n) in %.

    Curves are fine until the target was reached, then have one point an epoch.
    """
    curves = []
    for repeat in repeats:
        fine = [(seconds, accuracy) for seconds, _, accuracy in repeat["curve"]]
        last = fine[-1][0] if fine else 0.0
        curves.append(np.array(fine + [(r["total_seconds"], r["test_accuracy"])
                                       for r in repeat["history"] if r["total_seconds"] > last]).T)
    curves = [curve for curve in curves if curve.size]
    if not curves:
        return np.zeros(0), np.zeros((1, 0))
    seconds = np.geomspace(max(c[0, 0] for c in curves), min(c[0, -1] for c in curves), 80)
    return seconds, np.array([np.interp(seconds, x, 100 * y) for x, y in curves])


def _names(points: list[dict]) -> list[str]:
    return list(dict.fromkeys(row["contender"] for point in points for row in point["rows"]))
