"""Draw schedules as Gantt charts: the clearest picture of the locks that there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sgdni.plotting.colours import GREEN, ORANGE, PINK, SKY
from sgdni.schedules import Interval

#: kind: (colour, hatch, label)
KINDS = {
    "forward": (SKY, "", "forward"),
    "backward": (ORANGE, "", "backward and update"),
    "predict": (GREEN, "", "predict a synthetic gradient"),
    "fit": (PINK, "", "fit the SG model"),
    "predict input": (GREEN, "/////", "make up an input"),
    "fit input": (PINK, "/////", "fit the input model"),
}


def patches(kinds: Collection[str]) -> list[Patch]:
    """Return what a legend of these kinds shows, in their order in KINDS."""
    return [Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=label)
            for kind, (colour, hatch, label) in KINDS.items() if kind in kinds]


def draw(schedules: Mapping[str, Sequence[Interval]], *, until: float | None = None,
         title: str = "") -> Figure:
    """Draw one panel for each schedule, workers from bottom to top, time to the right in ms.

    Parameters
    ----------
    schedules : intervals by name
    until : seconds to show; by default to the end of the longest
    """
    if until is None:
        until = max(interval.end for intervals in schedules.values() for interval in intervals)
    counts = [1 + max(i.worker for i in intervals) for intervals in schedules.values()]
    figure = Figure(figsize=(10, 1.2 + 0.75 * len(counts) + 0.28 * sum(counts)),
                    layout="constrained")
    panels = figure.subplots(len(counts), 1, sharex=True, squeeze=False,
                             height_ratios=[c + 0.8 for c in counts])[:, 0]
    for axes, (name, intervals), count in zip(panels, schedules.items(), counts, strict=True):
        for interval in intervals:
            if interval.start >= until or interval.kind not in KINDS:
                continue  # a recorder's "queued" is no work
            start, width = 1e3 * interval.start, 1e3 * (interval.end - interval.start)
            colour, hatch, _ = KINDS[interval.kind]
            axes.broken_barh([(start, width)], (interval.worker - 0.4, 0.8), edgecolor="white",
                             linewidth=0.4, facecolor=colour, hatch=hatch)
            number = str(interval.step + 1)
            if interval.kind in ("forward", "backward") and width > 0.012e3 * len(number) * until:
                axes.text(start + width / 2, interval.worker, number, fontsize=7, ha="center",
                          va="center", clip_on=True)
        axes.set(ylim=(-0.6, count - 0.4), yticks=range(count),
                 yticklabels=[f"worker {i + 1}" for i in range(count)])
        axes.set_title(name, loc="left", fontsize=10)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        axes.grid(visible=False, axis="y")
    panels[-1].set(xlabel="time (ms); numbers are minibatches", xlim=(0, 1e3 * until))
    drawn = {interval.kind for intervals in schedules.values() for interval in intervals}
    handles = patches(drawn)
    figure.legend(handles=handles, loc="outside lower center", ncols=3 if len(handles) > 4 else 4,
                  frameon=False, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure
