"""The speed comparison as tables for people: on a terminal, and in Markdown for documents."""

from __future__ import annotations

from collections.abc import Sequence

RACE = ("contender", "workers", "images/s", "vs backprop", "vs split backprop",
        "update latency (lowest / top)", "s to target", "time vs backprop",
        "time vs split backprop",
        "test accuracy")
SWEEP = ("point", "contender", "ms a step", "images/s", "update latency (lowest / top)",
         "predicted (ms)", "predicted / measured, by turn")


def render(results: dict) -> str:
    """Return both tables and the verdict as text."""
    return "\n\n".join([
        _title(results), _plain(RACE, race_cells(results)), _plain(SWEEP, sweep_cells(results)),
        "\n".join(f"- {line}" for line in results["verdict"]),
    ])


def document(results: dict) -> str:
    """Return everything as a Markdown document with its pictures beside it."""
    predicted = [row["predicted_over_measured"] for point in results["sweep"]
                 for row in point["rows"] if row["predicted_over_measured"] is not None]
    within = sum(abs(ratio - 1) <= 0.15 for ratio in predicted)
    return "\n\n".join([
        "# Is it faster?", _title(results).replace("\n", "  \n"),
        "\n".join(f"- {line}" for line in results["verdict"]),
        "## Whole trainings", race_markdown(results), "![race](race.png)",
        "## One thing changed at a time",
        f"Medians over turns; ratios are medians of the ratios within a turn, since the machine "
        f"drifts from one to the next. Predicted by the timeline from the costs of single "
        f"operations and messages; within 15% "
        f"of what was measured at {within} of {len(predicted)} points. Where there are more "
        f"workers than cores nothing is predicted.",
        sweep_markdown(results), "![sweep](sweep.png)", "![predicted](predicted.png)",
        "## Beyond this machine", "![break-even map](break_even.png)",
    ]) + "\n"


def race_markdown(results: dict) -> str:
    """Return the table of whole trainings for a document."""
    return _markdown(RACE, race_cells(results))


def sweep_markdown(results: dict, *changed: str) -> str:
    """Return the table of the sweep, or of some of it, for a document."""
    return _markdown(SWEEP, sweep_cells(results, *changed))


def race_cells(results: dict) -> list[tuple[str, ...]]:
    """Return one row a contender.

    Update latency: from a minibatch's arrival at a module to the update of its weights, with the
    time that it waits in a queue.
    """
    return [
        (
            row["name"], str(row["workers"]), _number(row["images_per_second"], "{:,.0f}"),
            *(_number(row[rival]["images_per_second"], "{:.2f}x")
              for rival in ("vs_backprop", "vs_model_parallel")),
            _latency(row),
            _number(row["seconds_to_target"], "{:.2f}"),
            *(_number(row[rival]["seconds_to_target"], "{:.2f}x")
              for rival in ("vs_backprop", "vs_model_parallel")),
            _number(row["test_accuracy"], "{:.2%}"),
        )
        for row in results["race"]
    ]


def sweep_cells(results: dict, *changed: str) -> list[tuple[str, ...]]:
    """Return one row for each point and contender."""
    return [
        (
            label(point), row["way"], f"{1e3 * row['seconds_per_step']:.2f}",
            f"{row['images_per_second']:,.0f}", _latency(row),
            _number(row["predicted_seconds_per_step"], "{:.2f}", 1e3),
            _number(row["predicted_over_measured"], "{:.2f}"),
        )
        for point in results["sweep"] if not changed or point["changed"] in changed
        for row in point["rows"]
    ]


def label(point: dict) -> str:
    """Spell a point: what differs from the base, and its value."""
    names = {"batch_size": "batch", "fit_every": "k"}
    name = names.get(point["changed"], point["changed"])
    if name == "base":
        return "base"
    if name == "latency":
        return f"latency {1e3 * point['value']:g} ms"
    return f"{name} {point['value']}"


def _title(results: dict) -> str:
    s, machine = results["settings"], results["machine"]
    return (
        f"{results['data']['name']}, hidden {'-'.join(map(str, s['hidden']))} with batch norm, "
        f"cuts {', '.join(map(str, s['cuts']))}, batch {s['batch_size']}, k = {s['fit_every']}, "
        f"{results['epochs']} epochs, {results['repeats']} repeats, "
        f"target {100 * results['target']:g}%\n"
        f"{machine['processor']}, {machine['cores']} cores, NumPy {machine['numpy']}"
    )


def _latency(row: dict) -> str:
    if row["update_latency"] is None:
        return "-"
    return f"{1e3 * row['update_latency'][0]:.1f} / {1e3 * row['update_latency'][-1]:.1f} ms"


def _number(value: float | None, form: str, factor: float = 1.0) -> str:
    return "-" if value is None else form.format(factor * value)


def _plain(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                  for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in (header, *rows)
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
