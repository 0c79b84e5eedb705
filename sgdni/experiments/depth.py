"""How deep can a network be that learns from synthetic gradients?

Two questions. Hidden layers 3 to 6, an interface above each, as in the first table of Jaderberg et
al. 2016: what does every further guess cost? And 10 to 50 narrow hidden layers, as many as in
Czarnecki et al. 2017: deep backprop fails for reasons of its own, so everybody, backprop too, has
a choice of recipes. The rival there is the local loss on the same interfaces, the control a network
of which only the layers above the last interface learn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdni._util.checks import check_count, check_each_once
from sgdni.data import Dataset, load
from sgdni.experiments.after_steps import accuracy
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.medians import median
from sgdni.experiments.tables import markdown, number
from sgdni.plotting.colours import BLUE, GREEN, ORANGE, PINK, TRUE
from sgdni.plotting.figures import band, tidy
from sgdni.runs.settings import Settings

#: name: (method, colour)
METHODS = {
    "top only": ("top-only", "0.5"),
    "backprop": ("backprop", TRUE),
    "DNI": ("dni", PINK),
    "cDNI": ("cdni", BLUE),
    "local error": ("local-error", ORANGE),
}
#: name: (method, how many hidden layers lie between two interfaces, None: one in the middle,
#: colour)
DEEP = {
    "backprop": ("backprop", 10, TRUE),
    "local error": ("local-error", 10, ORANGE),
    "local loss": ("local-loss", 10, GREEN),
    "linear in the middle": ("cdni-ls", None, BLUE),
    "top only": ("top-only", 10, "0.5"),
}
#: Test error in % in the first table of Jaderberg et al. 2016, by hidden layers. Their set-up is
#: another: Adam, batches of 256, 500,000 of them.
PAPER = {"top only": {3: 9.3, 4: 12.6, 5: 16.2, 6: 21.4},
         "backprop": {3: 2.0, 4: 1.8, 5: 1.8, 6: 1.8},
         "DNI": {3: 1.9, 4: 2.2, 5: 3.4, 6: 4.3},
         "cDNI": {3: 2.2, 4: 1.9, 5: 1.7, 6: 1.6}}


def recipe(text: str) -> dict:
    """Return the settings of a recipe such as "tanh-plain-adam-0.001" or "relu-bn-sgd-0.1".

    Activation, batch normalisation or plain, optimiser and learning rate. Raises ValueError.
    """
    try:
        activation, norm, optimizer, rate = text.split("-", 3)
        return {"activation": activation, "batch_norm": {"bn": True, "plain": False}[norm],
                "optimizer": optimizer, "lr": float(rate)}
    except (KeyError, ValueError):
        raise ValueError(f"recipes: expected one as relu-bn-sgd-0.1 or tanh-plain-adam-0.001, "
                         f"got {text}") from None


def places(depth: int, apart: int | None) -> tuple[int, ...]:
    """Return the hidden layers after which interfaces stand, below the last one; the middle one
    where there is none so far `apart`."""
    every = () if apart is None else tuple(range(apart, depth, apart))
    return every or (depth // 2,)


def with_depth(name: str, depth: int, settings: dict, data: Dataset, aside: Dataset, seed: int
               ) -> dict:
    """Return a row: the accuracy of one method at one depth, at the rate that is best aside."""
    method, _ = METHODS[name]
    of = [Settings(hidden=(settings["width"],) * depth, lr=rate, seed=seed)
          for rate in settings["rates"]]
    best = max(of, key=lambda s: accuracy(method, s, aside, max(1, settings["steps"] // 3)))
    reached = accuracy(method, best, data, settings["steps"])
    return {"what": "table", "contender": name, "depth": depth, "choice": f"{best.lr:g}",
            "accuracy": reached}


def deep(name: str, depth: int, settings: dict, data: Dataset, aside: Dataset, seed: int) -> dict:
    """Return a row: the accuracy of a contender in a deep network, by its best recipe aside."""
    method, apart, _ = DEEP[name]
    tried = {}
    for text in settings["recipes"]:
        tried[text] = Settings(hidden=(settings["deep_width"],) * depth, seed=seed, ridge=1e-2,
                               cuts=places(depth, apart), **recipe(text))
    best = max(tried, key=lambda t: accuracy(method, tried[t], aside, settings["deep_steps"]))
    return {"what": "deep", "contender": name, "depth": depth, "choice": best,
            "accuracy": accuracy(method, tried[best], data, settings["deep_steps"])}


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return everybody's test accuracy, at few layers and at many."""
    for name in ("width", "steps", "deep_width", "deep_steps"):
        check_count(name, settings[name])
    for name, least in (("depths", 1), ("deep", 2)):  # an interface needs a layer on each side
        check_each_once(name, settings[name])
        for depth in settings[name]:
            check_count(name, depth, least)
    for text in settings["recipes"]:
        recipe(text)
    data = load(settings["data"])
    aside = data.validation_split(settings["aside"], np.random.default_rng(seed))
    rows: list[dict] = []
    works = len(settings["depths"]) * len(METHODS) + len(settings["deep"]) * len(DEEP)
    for depth in settings["depths"]:
        for name in METHODS:
            progress(len(rows) / works)
            rows.append(with_depth(name, depth, settings, data, aside, seed))
    for depth in settings["deep"]:
        for name in DEEP:
            progress(len(rows) / works)
            rows.append(deep(name, depth, settings, data, aside, seed))
    return rows


def find(rows: list[dict]) -> Findings:
    """One number a seed: ``error_percent_cdni_6``, and ``accuracy_50_local_error``."""
    findings: Findings = {}
    for row in rows:
        name = row["contender"].lower().replace(" ", "_")
        if row["what"] == "table":
            findings.setdefault(f"error_percent_{name}_{row['depth']}", []).append(
                100 * (1 - row["accuracy"]))
        else:
            findings.setdefault(f"accuracy_{row['depth']}_{name}", []).append(row["accuracy"])
    return findings


def say(findings: Findings) -> str:
    depths = sorted({int(name.rsplit("_", 1)[1]) for name in findings
                     if name.startswith("error_percent_")})
    many = max(int(name.split("_")[1]) for name in findings if name.startswith("accuracy_"))

    def errors(name: str) -> str:
        first, last = (number(median(findings[f"error_percent_{name}_{depth}"]), "{:.1f}")
                       for depth in (depths[0], depths[-1]))
        return f"{first} -> {last}%"

    told = {name: number(median(findings[f"accuracy_{many}_{name}"]), "{:.1%}")
            for name in ("local_error", "local_loss", "backprop", "top_only")}
    return (f"Test error, {depths[0]} to {depths[-1]} hidden layers: backprop {errors('backprop')},"
            f" DNI {errors('dni')}, cDNI {errors('cdni')}, local error {errors('local_error')}.\n"
            f"{many} layers: local error {told['local_error']}, local loss {told['local_loss']}, "
            f"backprop {told['backprop']}, top only {told['top_only']}")


def beside_the_paper(findings: Findings) -> str:
    """Return a table in Markdown: test errors in %, and the paper's, by hidden layers."""
    rows = []
    for depth in PAPER["backprop"]:
        row = {"hidden layers": str(depth)}
        for name in METHODS:
            key = f"error_percent_{name.lower().replace(' ', '_')}_{depth}"
            row[name] = number(median(findings[key]), "{:.1f}")
        rows.append({**row, **{f"paper: {name}": f"{errors[depth]}"
                               for name, errors in PAPER.items()}})
    return markdown(rows)


def by_depth(findings: Findings) -> str:
    """Return a table in Markdown: test accuracies in % of the deep networks, by hidden layers."""
    depths = sorted({int(name.split("_")[1]) for name in findings if name.startswith("accuracy_")})
    return markdown([{"hidden layers": f"{depth}", **{
        name: number(median(findings[f"accuracy_{depth}_{name.replace(' ', '_')}"]), "{:.1%}")
        for name in DEEP}} for depth in depths])


def draw(results: dict) -> Figure:
    rows, s = results["rows"], results["settings"]
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_lines(left, rows, "table", s["depths"], {name: c for name, (_, c) in METHODS.items()},
                lambda accuracy: 100 * (1 - accuracy))
    left.set(yscale="log", xlabel=f"hidden layers of {s['width']}, an interface above each",
             ylabel="test error (%)", title=f"{s['steps']:,} minibatches")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("{x:g}")
    _draw_lines(right, rows, "deep", s["deep"], {name: c for name, (_, _, c) in DEEP.items()},
                lambda accuracy: 100 * accuracy, choices=True)
    right.set(xlabel=f"hidden layers of {s['deep_width']}", ylabel="test accuracy (%)",
              title=f"{s['deep_steps']:,} minibatches")
    for axes in (left, right):
        axes.title.set_fontsize(10)
    figure.suptitle(f"{results['finding']}\n{s['data']}", fontsize=9.5, wrap=True)
    return figure


def _draw_lines(axes: Axes, rows: list[dict], what: str, depths: list[int],
                colours: dict[str, str], scale: Callable[[float], float],
                choices: bool = False) -> None:
    """Draw what each contender reached by depth, and its choices at the last depth if wanted."""
    for name, colour in colours.items():
        mine = {depth: [row for row in rows
                        if (row["what"], row["contender"], row["depth"]) == (what, name, depth)]
                for depth in depths}
        label = name
        if choices:
            label += "\n  " + "\n  ".join(dict.fromkeys(r["choice"] for r in mine[depths[-1]]))
        values = [[scale(row["accuracy"]) for row in mine[depth]] for depth in depths]
        band(axes, depths, np.array(values).T, marker="o", markersize=4, color=colour, label=label)
    axes.set(xticks=depths)
    tidy(axes)
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5),
                title=f"(recipes of {depths[-1]} layers)" if choices else None, title_fontsize=8)


EXPERIMENT = Experiment(
    "depth", "3 to 6 hidden layers as in the papers' table, and 10 to 50 of them",
    run, find, say, draw,
    full={"data": "mnist", "depths": (3, 4, 5, 6), "width": 256, "steps": 4680,
          "rates": (0.1, 0.03, 0.01), "aside": 5000, "deep": (10, 20, 30, 50), "deep_width": 64,
          "deep_steps": 936, "recipes": ("relu-bn-sgd-0.1", "relu-bn-sgd-0.01",
                                         "tanh-bn-adam-0.001", "tanh-plain-adam-0.0003",
                                         "tanh-plain-adam-0.001", "tanh-plain-sgd-0.01")},
    quick={"data": "mnist-5k", "depths": (3, 6), "width": 64, "steps": 300, "rates": (0.1, 0.03),
           "aside": 500, "deep": (10, 50), "deep_steps": 150,
           "recipes": ("relu-bn-sgd-0.1", "tanh-plain-adam-0.0003")},
    tolerance={"accuracy_50_linear_in_the_middle": 0.5},
)
