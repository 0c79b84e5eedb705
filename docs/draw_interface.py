"""Draw the interface of the README, once for light and once for dark pages.

    python docs/draw_interface.py
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from sgdni.plotting.colours import BLUE, SYNTHETIC, TRUE

HERE = Path(__file__).parent
#: page: (lines and words, the true gradient, the synthetic one, activations, fill)
PAGES = {
    "light": ("black", TRUE, SYNTHETIC, BLUE, "white"),
    "dark": ("0.92", "#9be29b", "#ffb870", "#8cc8ff", "#161b22"),
}


def draw(page: str) -> Figure:
    """Return the picture for one kind of page."""
    ink, true, synthetic, activation, fill = PAGES[page]
    figure = Figure(figsize=(7.2, 3.3))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 7.2), ylim=(0, 3.3))
    axes.axis("off")

    def box(x: float, y: float, width: float, text: str, colour: str = ink) -> None:
        axes.add_patch(FancyBboxPatch((x, y), width, 0.6, boxstyle="round,pad=0.06",
                                      facecolor=fill, edgecolor=colour, linewidth=1.6))
        axes.text(x + width / 2, y + 0.3, text, ha="center", va="center", fontsize=11,
                  color=colour)

    box(0.7, 2.4, 2.1, "module above")
    box(0.7, 0.45, 2.1, "module $i$")
    box(3.6, 1.42, 2.2, "SG model $M_i$", synthetic)
    arrow(axes, (1.15, 1.13), (1.15, 2.32), activation)
    say(axes, 1.07, 1.72, "output $h$", activation, "right")
    arrow(axes, (2.3, 1.13), (3.5, 1.6), activation)
    say(axes, 2.8, 1.5, "$h$", activation, "right")
    arrow(axes, (4.7, 1.36), (2.9, 0.72), synthetic, bend=-0.25)
    say(axes, 4.35, 0.62, r"$\hat\delta$: learn from it now", synthetic)
    arrow(axes, (2.9, 2.72), (4.7, 2.1), true, bend=-0.25, style="--")
    say(axes, 4.5, 2.72, r"$\delta$: its target, later", true)
    arrow(axes, (6.45, 1.72), (5.9, 1.72), ink)
    say(axes, 6.5, 1.72, "labels", ink)
    arrow(axes, (1.75, 0.02), (1.75, 0.37), activation)
    say(axes, 1.9, 0.12, "input", activation)
    return figure


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str,
          bend: float = 0.0, style: str = "-") -> None:
    axes.annotate("", end, start, arrowprops={
        "arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "linestyle": style,
        "connectionstyle": f"arc3,rad={bend}", "mutation_scale": 14})


def say(axes: Axes, x: float, y: float, text: str, colour: str, align: str = "left") -> None:
    axes.text(x, y, text, color=colour, fontsize=10.5, ha=align, va="center")


if __name__ == "__main__":
    for name in PAGES:
        draw(name).savefig(HERE / f"interface-{name}.png", dpi=160, transparent=True)
