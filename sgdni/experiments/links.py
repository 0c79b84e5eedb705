"""Over which links does what train fastest? Workers, latency and bandwidth; who gets there first.

One hidden layer for each worker, and each worker on a machine of its own. The time of a step is
played through by the timeline, from costs of single operations that are measured here; how many
steps learning takes is counted, with gradients as late as the links make them, everybody at the
learning rate that takes the fewest steps on training images set aside. Two workers are measured
too, to see what the predictions are worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sgdni.data import Dataset, load
from sgdni.experiments.contenders import Contender
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.experiments.speed import contenders as who
from sgdni.experiments.speed.breakeven import stacked
from sgdni.experiments.speed.contenders import Links, entered, linked
from sgdni.experiments.speed.pictures import COLOURS
from sgdni.experiments.speed.sweep import link_costs, measure, module_costs
from sgdni.experiments.steps import steps_to_target
from sgdni.runs.settings import Settings
from sgdni.timeline import SCHEDULES, step_seconds

WORKERS = (2, 4, 8, 16, 32, 64)
LEARNT = (2, 4, 8)  # workers for which steps are counted; beyond them nobody knows
STALENESS = (8, 24)  # minibatches by which gradients are late there
LATENCIES = (0.0, 0.0002, 0.001, 0.005, 0.02)
BANDWIDTHS = (None, 125e6, 12.5e6)
HERE = Links()
MEASURED = (HERE, Links(0.001), Links(0.005), *who.NETWORKS.values())
#: name: (schedule, what else it is told); the others have one minibatch under way
PLAYED = {
    who.BACKPROP: ("locked backprop", {}),
    who.SPLIT: ("model-parallel backprop", {}),
    "pipelined backprop": ("pipelined backprop", {}),
    who.DATA_PARALLEL: ("data-parallel backprop", {}),
    who.DELAYED: ("delayed gradients", {}),
    who.LOCAL_ERROR: ("decoupled", {"fit_every": 8}),
}
LATE = (who.DELAYED, who.LOCAL_ERROR)  # whose gradients come late over slow links


def layered(settings: dict, workers: int, links: Links = HERE, **changes) -> Settings:
    """Return settings of a network with one hidden layer for each worker."""
    base = Settings(hidden=(settings["width"],) * workers, cuts=tuple(range(1, workers)),
                    engine="processes", lr=0.05, ridge=1e-2)
    return replace(base, **linked(base, links), **changes)


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return rows of three kinds: "played", "steps" and "measured"."""
    data = load(settings["data"])
    workers = [w for w in WORKERS if w <= settings["workers"]]
    rows = played(settings, data, workers, seed)
    progress(0.1)
    learnt = [w for w in LEARNT if w <= settings["workers"]]
    for k, count in enumerate(learnt):
        rows += counted(settings, data, count, seed,
                        lambda share, k=k: progress(0.1 + 0.6 * (k + share) / len(learnt)))
    here = [c for c in entered(2) if c.name in PLAYED]
    for k, links in enumerate(MEASURED):
        progress(0.7 + 0.3 * k / len(MEASURED))
        point = measure(here, layered(settings, 2, links, seed=seed), data, cores=2, turns=1,
                        steps=settings["steps"])
        rows += [{"kind": "measured", "latency": links.latency, "bandwidth": links.bandwidth,
                  "contender": row["contender"], "seconds": row["seconds_per_step"],
                  "predicted": row["predicted_seconds_per_step"]} for row in point["rows"]]
    return rows


def played(settings: dict, data: Dataset, workers: list[int], seed: int) -> list[dict]:
    """Return the seconds of everybody's step for all links, as the timeline has them."""
    four, rng = layered(settings, 4), np.random.default_rng(seed)
    modules = module_costs("local-error", four, data, rng, repeats=settings["steps"])
    # Waking from a timer costs more than from a signal.
    signal, timer = (link_costs(four, data, s, settings["steps"]) for s in (0.0, 0.005))
    rows = []
    for count in workers:
        costs = stacked(modules, count)
        slowest = max(cost.forward + cost.learn + cost.target for cost in costs)
        for latency in LATENCIES:
            for bandwidth in BANDWIDTHS:
                queue = 4 + int(2 * latency / slowest)
                seconds = {}
                for name, (schedule, options) in PLAYED.items():
                    more = {"queue_size": queue} if name in LATE else {}
                    steps = 40 + 2 * queue + count if name in LATE else 4
                    intervals = SCHEDULES[schedule](
                        costs, steps, latency=latency, bandwidth=bandwidth or np.inf,
                        links=timer if latency else signal, **options, **more)
                    seconds[name] = step_seconds(intervals, steps)
                rows.append({"kind": "played", "workers": count, "latency": latency,
                             "bandwidth": bandwidth, "seconds": seconds})
    return rows


def counted(settings: dict, data: Dataset, workers: int, seed: int,
            progress: Callable[[float], None]) -> list[dict]:
    """Return the steps to the target of backprop, and of those whose gradients are late.

    At the rate that takes the fewest steps, or of equal ones the first, on images set aside.
    """
    base = layered(settings, workers, seed=seed)
    aside = data.validation_split(settings["aside"], np.random.default_rng(seed))

    def steps(contender: Contender, rate: float, images: Dataset) -> int | None:
        at_rate = replace(contender, changes={**contender.changes, "lr": rate})
        return steps_to_target(at_rate, base, images, settings["epochs"],
                               settings["target"] / 100)

    runs = [(who.BACKPROP, 0, Contender("backprop", engine="sequential"))]
    for late in STALENESS:
        # Delayed gradients are late by the queues of all modules above, targets by one queue.
        for name, method, queue in ((who.DELAYED, "delayed", -(-late // (workers - 1))),
                                    (who.LOCAL_ERROR, "local-error", late)):
            runs.append((name, late, Contender(method, engine="threads", changes={
                "deterministic": True, "queue_size": queue,
                "fit_every": 8 if name == who.LOCAL_ERROR else 1})))
    rows = []
    for k, (name, late, contender) in enumerate(runs):
        progress(k / len(runs))
        rate = min(settings["rates"], key=lambda r, c=contender: steps(c, r, aside) or np.inf)
        rows.append({"kind": "steps", "workers": workers, "late": late, "contender": name,
                     "rate": rate, "steps": steps(contender, rate, data)})
    return rows


def steps_ratio(rows: list[dict], workers: int, name: str, late: float) -> float:
    """Return the steps over backprop's with gradients so late: infinite, or NaN if unknown."""
    if name not in LATE:
        return 1.0
    known = [s for s in STALENESS if s >= late]
    mine, theirs = ([row["steps"] or np.inf for row in rows
                     if row["kind"] == "steps" and row["workers"] == workers
                     and row["contender"] == contender and row["late"] == staleness]
                    for contender, staleness in ((name, known[0] if known else -1),
                                                 (who.BACKPROP, 0)))
    if not mine or not theirs or np.isinf(np.median(theirs)):
        return np.nan
    return float(np.median(mine) / np.median(theirs))


def times(rows: list[dict], workers: int, links: Links) -> dict[str, float]:
    """Return everybody's seconds to the target in units of one-core backprop's step and steps.

    NaN where steps are unknown.
    """
    cells = [row["seconds"] for row in rows if row["kind"] == "played" and
             (row["workers"], row["latency"], row["bandwidth"]) == (
                 workers, links.latency, links.bandwidth)]
    found = {}
    for name in PLAYED:
        over = float(np.median([cell[name] / cell[who.BACKPROP] for cell in cells]))
        step = float(np.median([cell[name] for cell in cells]))
        late = 4 + 2 * links.latency / step  # what waits in queues, and what is on its way
        found[name] = over * steps_ratio(rows, workers, name, late)
    return found


def advantage(found: dict[str, float]) -> float:
    """Return how many times sooner local error is there than the best rival, NaN if unknown."""
    ours, rivals = found[who.LOCAL_ERROR], [t for name, t in found.items()
                                            if name != who.LOCAL_ERROR and not np.isnan(t)]
    return min(rivals) / ours


def find(rows: list[dict]) -> Findings:
    """Return times sooner than the best rival at points of interest, and what predictions hold."""
    known = sorted({row["workers"] for row in rows if row["kind"] == "steps"})
    found: Findings = {}
    for workers in known:
        for name, links in {"fast": HERE, "5ms": Links(0.005), **who.NETWORKS}.items():
            value = advantage(times(rows, workers, links))
            found[f"time_vs_best_{workers}_{name}"] = value if np.isfinite(value) else None
    held = [row["predicted"] / row["seconds"] for row in rows
            if row["kind"] == "measured" and row["predicted"]]
    found["predicted_over_measured"] = float(np.median(held))
    found["predicted_within_10_percent"] = float(np.mean(np.abs(np.array(held) - 1) <= 0.1))
    return found


def say(findings: Findings) -> str:
    known = [(name.split("_")[-2:], value) for name, value in findings.items()
             if name.startswith("time_vs_best") and value]
    if not known:
        return "Backprop was not at the target: nothing to compare"
    (where, best) = max(known, key=lambda pair: pair[1])
    return (f"Against the best rival at each point, local error is there up to {best:.1f} times "
            f"as soon ({where[0]} workers, {where[1]}), and at worst "
            f"{min(value for _, value in known):.2f} times")


def draw(results: dict) -> Figure:
    """Draw, for each bandwidth, who is first and how much sooner local error is than the rest."""
    rows = results["rows"]
    known = sorted({row["workers"] for row in rows if row["kind"] == "steps"})
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    panels = figure.subplots(1, len(BANDWIDTHS), sharey=True)
    for axes, bandwidth in zip(panels, BANDWIDTHS, strict=True):
        for (i, workers), (j, latency) in ((a, b) for a in enumerate(known)
                                           for b in enumerate(LATENCIES)):
            found = times(rows, workers, Links(latency, bandwidth))
            first = min((name for name in found if not np.isnan(found[name])), key=found.get)
            ratio = advantage(found)
            axes.add_patch(_cell(i, j, COLOURS.get(first, "0.8")))
            axes.text(i, j, "?" if np.isnan(ratio) else f"{ratio:.2g}", ha="center", va="center",
                      fontsize=10, fontweight="bold" if first == who.LOCAL_ERROR else "normal")
        axes.set(xlim=(-0.5, len(known) - 0.5), ylim=(-0.5, len(LATENCIES) - 0.5),
                 xticks=range(len(known)), xticklabels=known, yticks=range(len(LATENCIES)),
                 yticklabels=[f"{1e3 * s:g}" for s in LATENCIES], xlabel="workers",
                 title=f"{bandwidth * 8e-9:g} Gbit/s" if bandwidth else "no limit of bandwidth")
    panels[0].set_ylabel("latency of a link (ms)")
    figure.legend(handles=[_cell(0, 0, COLOURS.get(name, "0.8"), label=name) for name in PLAYED],
                  loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.suptitle("Who is first at the target (colour), and how many times as soon local error "
                    "is there as the best rival", fontsize=10.5)
    return figure


def _cell(i: int, j: int, colour: str, **options) -> Rectangle:
    return Rectangle((i - 0.5, j - 0.5), 1, 1, facecolor=colour, alpha=0.45, edgecolor="white",
                     **options)


EXPERIMENT = Experiment(
    "links", "over which links does what train fastest: workers, latency and bandwidth",
    run, find, say, draw,
    full={"data": "mnist", "width": 256, "workers": 64, "epochs": 3, "target": 97.0, "steps": 200,
          "rates": (0.1, 0.05, 0.02), "aside": 5000},
    quick={"data": "mnist-5k", "workers": 2, "epochs": 6, "target": 90.0, "steps": 16,
           "rates": (0.1, 0.05), "aside": 500},
    tolerance={"predicted_within_10_percent": 0.5},
)
