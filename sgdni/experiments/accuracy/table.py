"""Results as a table for people, with what the figures do and do not say."""

from __future__ import annotations

from sgdni.experiments.tables import count, markdown, number, plain, title


def render(results: dict) -> str:
    """Return the table of `results` (see results.summarise) as text, with notes."""
    s, threads = results["settings"], results["rows"][0]["blas_threads"]
    lines = [title(
        results, count(s["epochs"], "epoch"), count(s["repeats"], "repeat"),
        count(threads, "BLAS thread") if results["machine"]["blas"] else "BLAS threads unknown")]
    if s["engine"] != "sequential":
        lines.append(f"Engine {s['engine']}: one for each module, queues of {s['queue_size']}, "
                     f"{1e3 * s['latency']:g} ms links")
    columns = [_columns(row) for row in results["rows"]]
    for row in columns:
        del row["SG error, target"]
    return "\n".join([*lines, "", plain(list(columns[0]), [list(row.values()) for row in columns]),
                      "", *_notes(results)])


def as_markdown(results: dict) -> str:
    """Return the same figures as a Markdown table, for the README and other documents.

    With both errors of the SG models: against the true gradient and against the fitted target.
    """
    columns = [_columns(row) for row in results["rows"]]
    for row in columns:
        del row["s/epoch"]
        row["method"] = f"`{row['method']}`"
    return markdown(list(columns[0]), [list(row.values()) for row in columns])


def _columns(row: dict) -> dict[str, str]:
    least, most = row["test_accuracy_spread"] or (None, None)
    return {
        "method": row["method"],
        "test accuracy": number(row["test_accuracy"], "{:.2%}"),
        "spread": "-" if least is None else f"{100 * least:.2f}-{100 * most:.2f}",
        "images/s": number(row["images_per_second"], "{:,.0f}"),
        "vs backprop": number(row["speedup_vs_backprop"], "{:.2f}x"),
        "s/epoch": number(row["seconds_per_epoch"], "{:.2f}"),
        "s to target": number(row["seconds_to_target"], "{:.2f}"),
        "SG error, truth": _errors(row["sg_relative_error"]),
        "SG error, target": _errors(row["sg_target_error"]),
    }


def _errors(values: list[float] | None) -> str:
    return "-" if values is None else "  ".join(f"{e:.2f}" for e in values)


def _notes(results: dict) -> list[str]:
    target = results["rows"][0]["target_accuracy"]
    notes = [
        "Accuracy is that of the last epoch: median (spread: least-largest) over repeats.",
        "Speeds count training steps only; 'vs backprop' is the median ratio within one turn, and",
        "above 1 is faster. SG error: relative squared error against the true gradient, bottom to",
        "top; 1 is no better than predicting zero.",
    ]
    if target is not None:
        notes.append(f"Target: {100 * target:g}% test accuracy.")
    if any(row["method"] == "cdni-stochastic" for row in results["rows"]):
        notes.append("cdni-stochastic skips four backward passes in five: compare its time to "
                     "target, not its images/s.")
    return notes + [f"{row['method']} broke off: {row['failure']}"
                    for row in results["rows"] if row["failure"]]
