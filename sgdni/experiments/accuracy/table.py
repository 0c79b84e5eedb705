"""Print results as a table for people, with what the figures do and do not say."""

from __future__ import annotations

HEADER = ("method", "test accuracy", "(spread)", "images/s", "vs backprop", "s/epoch",
          "s to target", "SG error by interface")


def render(results: dict) -> str:
    """Return the table of `results` (see results.summarise) as text."""
    lines = [HEADER, *(_cells(row) for row in results["rows"])]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    body = [
        "  ".join(
            cell.ljust(w) if i in (0, len(HEADER) - 1) else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    body.insert(1, "-" * max(len(line) for line in body))
    return "\n".join([_title(results), "", *body, "", *_notes(results)])


def markdown(results: dict) -> str:
    """Return the same figures as a Markdown table, for the README and other documents.

    With both errors of the SG models: against the true gradient and against the fitted target.
    """
    columns = ("method", "test accuracy", "spread", "images/s", "vs backprop", "s to target",
               "SG error, truth", "SG error, target")
    lines = ["| " + " | ".join(columns) + " |", "|---" + "|---:" * 5 + "|---|---|"]
    for row in results["rows"]:
        method, accuracy, spread, images, speed, _, seconds, truth = _cells(row)
        cells = (f"`{method}`", accuracy, spread, images, speed, seconds, truth,
                 _errors(row["sg_target_error"]))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _title(results: dict) -> str:
    s, data, machine = results["settings"], results["data"], results["machine"]
    widths = "-".join(map(str, s["hidden"]))
    engine = ""
    if s["engine"] != "sequential":
        engine = (f"\nEngine {s['engine']}: one for each module, queues of {s['queue_size']}, "
                  f"{1e3 * s['latency']:g} ms links")
    norm = "batch norm" if s["batch_norm"] else "no batch norm"
    threads = results["rows"][0]["blas_threads"]
    return (
        f"{data['name']} ({data['train']:,} training images), hidden {widths}, {norm}, "
        f"batch {s['batch_size']}, {_count(s['epochs'], 'epoch')}, "
        f"{_count(s['repeats'], 'repeat')}\n"
        f"{machine['processor']}, {_count(machine['cores'], 'core')}, "
        f"{_count(threads, 'BLAS thread') if machine['blas'] else 'BLAS threads unknown'}, "
        f"NumPy {machine['numpy']}{engine}"
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _cells(row: dict) -> tuple[str, ...]:
    spread = row["test_accuracy_spread"]
    return (
        row["method"],
        _format(row["test_accuracy"], lambda v: f"{100 * v:.2f}%"),
        "" if spread is None else f"{100 * spread[0]:.2f}-{100 * spread[1]:.2f}",
        _format(row["images_per_second"], lambda v: f"{v:,.0f}"),
        _format(row["speedup_vs_backprop"], lambda v: f"{v:.2f}x"),
        _format(row["seconds_per_epoch"], lambda v: f"{v:.2f}"),
        _format(row["seconds_to_target"], lambda v: f"{v:.2f}"),
        _errors(row["sg_relative_error"]),
    )


def _errors(values: list[float] | None) -> str:
    return "-" if values is None else "  ".join(f"{e:.2f}" for e in values)


def _format(value: float | None, spell) -> str:
    return "-" if value is None else spell(value)


def _notes(results: dict) -> list[str]:
    target = results["rows"][0]["target_accuracy"]
    notes = [
        "Accuracy is that of the last epoch: median (least-largest) over repeats.",
        "Speeds count training steps only; 'vs backprop' is the median ratio within one turn, and",
        "above 1 is faster. SG error: relative squared error against the true gradient, bottom to",
        "top; 1 is no better than predicting zero.",
    ]
    if target is not None:
        notes.append(f"Target: {100 * target:g}% test accuracy.")
    if any(row["method"] == "cdni-stochastic" for row in results["rows"]):
        notes.append(
            "cdni-stochastic skips four backward passes in five: compare its time to target, not "
            "its images/s."
        )
    for row in results["rows"]:
        if row["failure"]:
            notes.append(f"{row['method']} broke off: {row['failure']}")
    return notes
