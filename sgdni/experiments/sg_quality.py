"""How good are synthetic gradients, interface by interface, and why are they worse at the bottom?

Each SG model is fitted to a target that comes from the guess above it (bootstrapped). So it may be
near to its target and yet far from the true gradient, the farther the more guesses stand above.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sgdni._util.checks import check_count
from sgdni.data import load
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.medians import median
from sgdni.experiments.tables import number
from sgdni.plotting.colours import BLUE, TRUE
from sgdni.plotting.figures import band, tidy
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return, for every interface, the errors of its SG model after training."""
    for name in ("interfaces", "epochs"):
        check_count(name, settings[name])
    s = Settings(hidden=(settings["width"],) * settings["interfaces"], lr=settings["lr"], seed=seed)
    trainer = build_trainer(settings["method"], s, load(settings["data"]))
    for epoch in range(settings["epochs"]):
        progress(epoch / settings["epochs"])
        record = trainer.epoch()
    if not record.sg_relative_error:
        raise ValueError(f"method: {settings['method']} has no SG models to look at")
    return [
        {"interface": i, "truth": truth, "target": target, "cosine": cosine}
        for i, (truth, target, cosine) in enumerate(zip(
            record.sg_relative_error, record.sg_target_error, record.sg_cosine, strict=True), 1)
    ]


def find(rows: list[dict]) -> Findings:
    top = max(row["interface"] for row in rows)
    return {
        f"{what}_{where}": [row[what] for row in rows if row["interface"] == i]
        for where, i in (("bottom", 1), ("top", top)) for what in ("truth", "target")
    }


def say(findings: Findings) -> str:
    bottom, target, top = (number(median(findings[name]), "{:.2f}") for name in
                           ("truth_bottom", "target_bottom", "truth_top"))
    return (f"The lowest model's error is {target} against its target and {bottom} against "
            f"the truth; the highest one's is {top}")


def draw(results: dict) -> Figure:
    rows = results["rows"]
    interfaces = sorted({row["interface"] for row in rows})
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for what, colour, label in (("truth", TRUE, "against the true gradient"),
                                ("target", BLUE, "against the target that it is fitted to")):
        # None, an error beyond all numbers, is infinite here as it is in the medians.
        values = np.array([[np.inf if row[what] is None else row[what]
                            for row in rows if row["interface"] == i] for i in interfaces]).T
        band(axes, interfaces, values, marker="o", color=colour, label=label)
    axes.axhline(1, color="0.5", linewidth=0.8, linestyle=":", label="predicting zero")
    axes.set(xlabel="interface, counted from the bottom", xticks=interfaces, ylim=(0, None),
             ylabel="relative squared error")
    tidy(axes)
    axes.legend(frameon=False)
    s = results["settings"]
    axes.set_title(f"{results['finding']}\n{s['method']}, {s['data']}, {s['interfaces']} hidden "
                   f"layers of {s['width']}, {s['epochs']} epochs", fontsize=9.5)
    return figure


EXPERIMENT = Experiment(
    "sg-quality", "how far synthetic gradients are from the truth, interface by interface",
    run, find, say, draw,
    full={"method": "cdni-ls", "data": "mnist", "interfaces": 4, "width": 256, "epochs": 5,
          "lr": 0.1},
    quick={"data": "mnist-5k", "epochs": 10},
)
