"""The results of a comparison: one row of figures a contender, and tables of them for people."""

from __future__ import annotations

from sgdni.data import Dataset
from sgdni.experiments.accuracy.compare import Runs
from sgdni.experiments.machine import peak_memory_mb
from sgdni.experiments.medians import by_module, median, speedup
from sgdni.experiments.record import beginning
from sgdni.experiments.tables import count, markdown, number, plain, title
from sgdni.runs.settings import Settings
from sgdni.training import seconds_to_accuracy

NOTES = """\
Accuracy is that of the last epoch: median (spread: least-largest) over repeats.
Speeds count training steps only; 'vs backprop' is the median ratio within one turn, and
above 1 is faster. SG error: relative squared error against the true gradient, bottom to
top; 1 is no better than predicting zero."""


def summarise(runs: dict[str, Runs], data: Dataset, settings: Settings, *, epochs: int,
              target: float | None) -> dict:
    """Return the JSON-ready results: machine, data, settings and one row for each contender.

    The speed-up is the median of ratios to backprop's epoch in the same turn; see Runs.figures
    for the others. null stands where a figure does not apply: a target that half the repeats or
    more did not reach, SG errors of a method without SG models.
    """
    results = beginning(data, settings)
    results["machine"]["peak_memory_mb"] = peak_memory_mb()
    repeats = max((len(r.histories) for r in runs.values()), default=0)
    results["settings"] |= {"epochs": epochs, "repeats": repeats}
    rows = {name: _row(r, settings, epochs, target) for name, r in runs.items()}
    backprop = rows["backprop"]["history"] if "backprop" in rows else []
    for row in rows.values():
        row["speedup_vs_backprop"] = speedup(row["history"], backprop)
    return {**results, "rows": list(rows.values())}


def _row(runs: Runs, settings: Settings, epochs: int, target: float | None) -> dict:
    last = [h[-1] for h in runs.histories if len(h) == epochs]
    times = [] if target is None else [seconds_to_accuracy(h, target) for h in runs.histories]
    return {
        "method": runs.contender.name,
        **runs.figures(settings, epochs),
        "seconds_per_epoch": median(r.train_seconds for h in runs.histories for r in h),
        "target_accuracy": target,
        "seconds_to_target": median(times),
        **{name: by_module([getattr(record, name) for record in last])
           for name in ("sg_relative_error", "sg_target_error", "sg_cosine")},
        "history": [[r.to_dict() for r in h] for h in runs.histories],
    }


def render(results: dict) -> str:
    """Return the table of the results as text, with notes."""
    s, rows = results["settings"], results["rows"]
    threads, target = rows[0]["blas_threads"], rows[0]["target_accuracy"]
    lines = [title(
        results, count(s["epochs"], "epoch"), count(s["repeats"], "repeat"),
        count(threads, "BLAS thread") if results["machine"]["blas"] else "BLAS threads unknown")]
    if s["engine"] != "sequential":
        lines.append(f"Engine {s['engine']}: one for each module, queues of {s['queue_size']}, "
                     f"{1e3 * s['latency']:g} ms links")
    lines += ["", plain(_columns(results, leave_out="SG error, target")), "", NOTES]
    if target is not None:
        lines.append(f"Target: {100 * target:g}% test accuracy.")
    if any(row["method"] == "cdni-stochastic" for row in rows):
        lines.append("cdni-stochastic skips four backward passes in five: compare its time to "
                     "target, not its images/s.")
    lines += [f"{row['method']} broke off: {row['failure']}" for row in rows if row["failure"]]
    return "\n".join(lines)


def as_markdown(results: dict) -> str:
    """Return the table in Markdown, as the README has it: with the SG models' errors against the
    fitted target, too, and without the seconds of an epoch.
    """
    return markdown([{**row, "method": f"`{row['method']}`"}
                     for row in _columns(results, leave_out="s/epoch")])


def _columns(results: dict, leave_out: str) -> list[dict[str, str]]:
    def errors(values: list[float] | None) -> str:
        return "-" if values is None else "  ".join(f"{e:.2f}" for e in values)

    rows = [{
        "method": row["method"],
        "test accuracy": number(row["test_accuracy"], "{:.2%}"),
        "spread": "-".join(f"{100 * end:.2f}" for end in row["test_accuracy_spread"] or ()) or "-",
        "images/s": number(row["images_per_second"], "{:,.0f}"),
        "vs backprop": number(row["speedup_vs_backprop"], "{:.2f}x"),
        "s/epoch": number(row["seconds_per_epoch"], "{:.2f}"),
        "s to target": number(row["seconds_to_target"], "{:.2f}"),
        "SG error, truth": errors(row["sg_relative_error"]),
        "SG error, target": errors(row["sg_target_error"]),
    } for row in results["rows"]]
    return [{name: cell for name, cell in row.items() if name != leave_out} for row in rows]
