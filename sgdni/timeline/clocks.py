"""Two networks at different clock rates, as a timeline: who works when, and what is sent."""

from __future__ import annotations

from matplotlib.axes import Axes

from sgdni.timeline.gantt import KINDS

LENGTH = {"forward": 0.3, "predict": 0.15, "backward": 0.35, "fit": 0.15}
LINK = 1.5  # between the two networks, either way


def draw_clocks(axes: Axes, ticks: int, *, waits: bool, rounds: int = 2) -> None:
    """Draw some rounds of so many ticks; A below, B above. Lengths are a sketch, not measured.

    Parameters
    ----------
    waits : bool
        A learns when B has answered, from its true gradient; else at every tick, from a
        synthetic one, and B's answer fits the SG model.
    """
    def work(worker: int, kind: str, start: float, length: float | None = None) -> float:
        length = length or LENGTH[kind]
        axes.broken_barh([(start, length)], (worker - 0.3, 0.6), facecolor=KINDS[kind][0],
                         edgecolor="white", linewidth=0.5)
        return start + length

    def send(start: float, end: float, up: bool, what: str) -> None:
        bottom, top = 0.3, 0.7
        axes.annotate("", (end, top if up else bottom), (start, bottom if up else top),
                      arrowprops={"arrowstyle": "->", "color": "0.3"})
        axes.text((start + end) / 2 + 0.2, 0.42 if up else 0.6, what, fontsize=9, va="center")

    now, b_free = 0.0, 0.0
    for _ in range(rounds):
        for _ in range(ticks):
            now = work(0, "forward", now)
            if not waits:
                for kind in ("predict", "backward", "fit"):
                    now = work(0, kind, now)
        begin = max(now + LINK, b_free)
        send(now, begin, True, "message")
        b_free = work(1, "backward", work(1, "forward", begin), 0.6)
        send(b_free, b_free + LINK, False, "gradient")
        if waits:  # backward through all the ticks
            now = work(0, "backward", b_free + LINK, ticks * LENGTH["backward"])
    axes.set(yticks=(0, 1), yticklabels=("A", "B"), ylim=(-0.45, 1.45), xticks=(),
             xlim=(0, 1.03 * max(now, b_free + LINK)), xlabel="time")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    axes.set_title("A waits for B's gradient, and learns once in a round" if waits else
                   "A predicts it, and learns at every tick", loc="left", fontsize=9)
