"""The look of the course's figures, set once at the top of a notebook."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
from cycler import cycler

from sgdni.plotting.colours import OTHERS


def style() -> None:
    """Set matplotlib's defaults for this notebook: 7.5 x 4 inches at 100 dpi, legible in print.

    Lines take the colours that are neither the true nor the synthetic gradient's; give those two
    by name (``color=TRUE``, ``color=SYNTHETIC`` from :mod:`sgdni.plotting.colours`).
    """
    matplotlib.rcParams.update({
        "figure.figsize": (7.5, 4.0), "figure.dpi": 100, "figure.constrained_layout.use": True,
        "font.size": 11, "axes.titlesize": 11, "axes.titlelocation": "left",
        "legend.fontsize": 10, "legend.frameon": False, "lines.linewidth": 2,
        "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "grid.color": "0.92", "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=OTHERS),
    })
    # A notebook shows figures once a backend is there, which otherwise the first plt.subplots()
    # brings: too late for a Figure made without pyplot, as by sgdni.timeline.gantt.
    plt.switch_backend(plt.get_backend())
