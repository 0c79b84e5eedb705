"""How many more steps does learning take when gradients are synthetic, and late?

A step that costs less is worth nothing if it teaches less. Here targets come a fixed number of
minibatches late, as they do over slow links. Every contender has, in every case, the learning rate
that takes the fewest steps on training images set aside, median over the seeds.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sgdni.data import Dataset, load
from sgdni.experiments.contenders import Contender
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.speed.race import Racer
from sgdni.plotting.colours import BLUE, GREEN, ORANGE
from sgdni.plotting.figures import tidy
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError

#: (interfaces, hidden layers, staleness in minibatches, local-error fits every k-th step)
CASES = ((1, 4, 8, 8), (4, 4, 8, 8), (8, 8, 8, 4), (8, 8, 24, 4))
RATES = (0.1, 0.05)
COLOURS = {"cdni-ls": BLUE, "local-error": ORANGE, "local-loss": GREEN}


def contenders(interfaces: int, late: int, fit_every: int) -> list[Contender]:
    """Return backprop, and the synthetic gradients with targets so many minibatches late.

    Linear models are left out above four interfaces: they were never there.
    """
    linear = [("cdni-ls", 1)] if interfaces <= 4 else []
    lateness = {"deterministic": True, "queue_size": late,
                "cuts": tuple(range(1, interfaces + 1))}
    return [Contender("backprop", engine="sequential"),
            *[Contender(name, engine="threads", changes={**lateness, "fit_every": k})
              for name, k in (*linear, ("local-error", fit_every), ("local-loss", 1))]]


def steps_to_target(contender: Contender, settings: Settings, data: Dataset, epochs: int,
                    target: float) -> int | None:
    """Return the steps of one run, looked at 20 times an epoch; None if it does not get there."""
    racer = Racer(target, contender, settings, data)
    try:
        while racer.reached is None and len(racer.history) < epochs:
            racer.epoch()
    except (DivergenceError, FitError):
        pass
    finally:
        racer.dismiss()
    return racer.reached and racer.reached[1]


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return, for every case, contender and rate, the steps on images set aside and on the test's.
    """
    data = load(settings["data"])
    aside = data.validation_split(settings["aside"], np.random.default_rng(seed))
    every = [(case, contender, rate) for case in CASES[: settings["cases"]]
             for contender in contenders(case[0], *case[2:]) for rate in RATES]
    rows = []
    for number, ((interfaces, layers, late, _), contender, rate) in enumerate(every):
        progress(number / len(every))
        one = Settings(hidden=(settings["width"],) * layers, ridge=1e-2, lr=rate, seed=seed)
        steps = [steps_to_target(contender, one, images, settings["epochs"],
                                 settings["target"] / 100) for images in (aside, data)]
        rows.append({"interfaces": interfaces, "late": late, "contender": contender.name,
                     "rate": rate, "aside": steps[0], "steps": steps[1]})
    return rows


def chosen(rows: list[dict]) -> list[dict]:
    """Return the rows at the rate that took the fewest steps on the images set aside."""
    kept = []
    for key in dict.fromkeys((r["contender"], r["interfaces"], r["late"]) for r in rows):
        mine = [r for r in rows if (r["contender"], r["interfaces"], r["late"]) == key]
        best = min(dict.fromkeys(r["rate"] for r in mine), key=lambda rate: np.median(
            [r["aside"] or np.inf for r in mine if r["rate"] == rate]))
        kept += [r for r in mine if r["rate"] == best]
    return kept


def ratios(rows: list[dict]) -> dict[tuple[str, int, int], np.ndarray]:
    """Return steps over backprop's by contender, interfaces and staleness: one for each seed.

    Everybody at the rate that was chosen for it. Infinite where the target was not reached; seeds
    in which backprop did not reach it are left out.
    """
    rows = chosen(rows)
    backprop = {(row["seed"], row["interfaces"], row["late"]): row["steps"] for row in rows
                if row["contender"] == "backprop"}
    found: dict[tuple[str, int, int], list[float]] = {}
    for row in rows:
        theirs = backprop[row["seed"], row["interfaces"], row["late"]]
        if row["contender"] != "backprop" and theirs:
            found.setdefault((row["contender"], row["interfaces"], row["late"]), []).append(
                row["steps"] / theirs if row["steps"] else np.inf)
    return {key: np.array(values) for key, values in found.items()}


def find(rows: list[dict]) -> Findings:
    """Medians of the ratios, named as in ``local_error_4_8``; None where most are infinite."""
    medians = {"_".join(map(str, key)).replace("-", "_"): float(np.median(values))
               for key, values in ratios(rows).items()}
    return {name: value if np.isfinite(value) else None for name, value in medians.items()}


def say(findings: Findings) -> str:
    every = [(name.split("_")[-2:], value) for name, value in findings.items()
             if name.startswith("local_error") and value]
    if not every:
        return "By local error the target was reached too seldom for a ratio"
    return "Steps to the target by local error, backprop's being 1: " + "; ".join(
        f"{value:.2f} ({interfaces} interface{'s' * (interfaces != '1')}, {late} late)"
        for (interfaces, late), value in every)


def draw(results: dict) -> Figure:
    every = ratios(results["rows"])
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    cases = list(dict.fromkeys((row["interfaces"], row["late"]) for row in results["rows"]))
    for k, (name, colour) in enumerate(COLOURS.items()):
        for x, (interfaces, late) in enumerate(cases):
            values = every.get((name, interfaces, late), np.array([]))
            there = np.isfinite(values)
            place = x + 0.2 * (k - 1)
            axes.plot(np.full(there.sum(), place), values[there], "o", color=colour, alpha=0.6,
                      markersize=5, label=name if x == 0 else None)
            if len(values) == 0:
                continue  # backprop itself was not there in any seed
            if there.all():
                axes.plot([place - 0.08, place + 0.08], [np.median(values)] * 2, color=colour)
            else:
                axes.annotate(f"{np.sum(~there)} not there", (place, 1), (place, 0.97),
                              ("data", "axes fraction"), rotation=90, ha="center", va="top",
                              fontsize=8, color=colour)
    axes.axhline(1, color="0.5", linewidth=0.8, linestyle=":")
    axes.set(xticks=range(len(cases)), ylabel="steps to the target, backprop = 1",
             xticklabels=[f"{i} interface{'s' * (i > 1)},\ntargets {late} late"
                          for i, late in cases], ylim=(0, None))
    tidy(axes)
    axes.legend(frameon=False, loc="lower left")
    axes.set_title(f"{results['finding']}\n{results['settings']['data']}, "
                   f"{results['settings']['target']:g}%", fontsize=9.5, wrap=True)
    return figure


EXPERIMENT = Experiment(
    "steps", "steps to an accuracy with synthetic gradients that come late, over backprop's",
    run, find, say, draw,
    full={"data": "mnist", "width": 256, "cases": 4, "epochs": 3, "target": 97.0, "aside": 5000},
    quick={"data": "mnist-5k", "width": 128, "cases": 2, "epochs": 20, "target": 90.0,
           "aside": 500},
    tolerance={f"{name}_{case}": 0.15 for name in ("cdni_ls", "local_error", "local_loss")
               for case in ("1_8", "4_8", "8_8", "8_24")},
)
